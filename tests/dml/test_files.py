"""What SystemDS leaves on disk."""

from __future__ import annotations

import pytest

from tests.support.harness import DML

pytestmark = pytest.mark.systemds


def test_a_program_that_has_ended_leaves_no_files_of_what_it_held(dml: DML) -> None:
    """SystemDS keeps the workers' parts of the data, here 960 MB, of all calls of paramserv."""
    images = {"network": "softmax", "channels": 1, "height": 25, "width": 40, "classes": 4}
    losses = dml.call("parts.dml", {}, ("losses",), **images)["losses"]
    assert losses.min() == losses.max() > 0
    assert not list(dml.session.dml.parent.rglob("cache*.dat"))
