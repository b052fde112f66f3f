"""Bytes between workers and server, as the kernel counts them."""

from __future__ import annotations

import os
import shutil
import socket
import time

import pytest

from largebatch.bench.traffic import POLL_S, Bytes, Traffic, connections
from largebatch.errors import UserError

JVM, PYTHON = 'users:(("java",pid=70,fd=5)) cubic', 'users:(("python3",pid=69,fd=7)) cubic'
OTHER = 'users:(("java",pid=71,fd=5)) cubic'  # another session's
SERVER, GATEWAY = "[::ffff:10.0.0.2]:37001", "127.0.0.1:25333"
LISTING = f"""LISTEN 0 8192 *:37001 *:* {JVM} cwnd:10
LISTEN 0 128 {GATEWAY} 0.0.0.0:* {JVM} cwnd:10
ESTAB 0 0 {SERVER} [::ffff:10.0.0.2]:5111 {JVM} bytes_sent:2000 bytes_acked:2000 bytes_received:1000
ESTAB 0 0 [::ffff:10.0.0.2]:5111 {SERVER} {JVM} bytes_sent:1000 bytes_acked:1000 bytes_received:2000
ESTAB 0 0 {GATEWAY} 127.0.0.1:5000 {JVM} bytes_sent:77 bytes_received:99
ESTAB 0 0 127.0.0.1:5000 {GATEWAY} {PYTHON} bytes_sent:99 bytes_received:77
TIME-WAIT 0 0 {GATEWAY} 127.0.0.1:5002
ESTAB 0 0 {SERVER} [::ffff:10.0.0.2]:5112 {JVM} segs_out:3
ESTAB 0 0 [::ffff:10.0.0.2]:5112 {SERVER} {JVM} segs_out:3
LISTEN 0 8192 *:37002 *:* {OTHER} cwnd:10
ESTAB 0 0 [::ffff:10.0.0.2]:37002 [::ffff:10.0.0.2]:5113 {OTHER} bytes_sent:2000 bytes_received:1000
ESTAB 0 0 [::ffff:10.0.0.2]:5113 [::ffff:10.0.0.2]:37002 {OTHER} bytes_sent:1000 bytes_received:2000
"""


def test_what_workers_exchange_with_the_server_is_told_from_all_else() -> None:
    assert connections(LISTING, lambda process_id: process_id == 70) == {
        ("10.0.0.2:37001", "10.0.0.2:5111"): Bytes(pushed=1000, pulled=2000),
        ("10.0.0.2:37001", "10.0.0.2:5112"): Bytes(pushed=0, pulled=0),
    }


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs ss (iproute2)")
def test_what_a_connection_carries_after_the_last_look_counts() -> None:
    """Within one process, as in Spark's local mode, half of it right before the end. Spark's own does not."""
    gradient, weights = b"gradient" * 1000, b"weights, momentum" * 1000
    with (
        socket.create_server(("127.0.0.1", 0)) as spark,
        socket.create_connection(spark.getsockname()),
        spark.accept()[0],
        Traffic(os.getpgid(0)) as traffic,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as worker,
        server.accept()[0] as served,
    ):
        for last in (False, True):
            worker.sendall(gradient)
            served.sendall(weights)
            assert served.recv(len(gradient), socket.MSG_WAITALL) == gradient
            assert worker.recv(len(weights), socket.MSG_WAITALL) == weights
            while not (last or traffic.total.pulled):
                time.sleep(POLL_S)
    assert traffic.total.pulled == 2 * len(weights)
    assert 0 <= traffic.total.pushed - 2 * len(gradient) <= 1  # the end of a stream counts as one


def test_bytes_can_not_be_counted_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="iproute2"):
        Traffic(os.getpgid(0))
