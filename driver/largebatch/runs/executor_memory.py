"""The memory that executors need for the workers' shares of the rows, estimated before a run starts."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

from largebatch.data import Dataset
from largebatch.engine.conf import slots_of_executor
from largebatch.engine.master import choose_master, in_process
from largebatch.engine.site_settings import executor_settings
from largebatch.errors import UserError
from largebatch.runs.memory import COPIES_OF_SHARES, bytes_of_rows, share_bytes
from largebatch.settings.execution import Execution
from largebatch.settings.spark import parse
from largebatch.settings.training import Training

# Of an executor's heap, in sizes of the shares that it holds.
TOO_LITTLE, ENOUGH = 4.2, COPIES_OF_SHARES["spark"]
DEFAULT_MEMORY = "1g"  # of an executor
UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True)
class Need:
    """Bytes of the rows that an executor holds, and of the maps of its micro-batches."""

    held: int
    maps: int

    @classmethod
    def of(cls, training: Training, dataset: Dataset, shares: int = 1) -> Need:
        """That of an executor with the shares of so many workers."""
        maps = bytes_of_rows(training, dataset.images, training.rows_at_a_time)  # when it evaluates
        return cls(shares * share_bytes(training.workers, dataset), shares * maps)

    @property
    def heap(self) -> float:
        """Bytes of the heap that is enough."""
        return ENOUGH * self.held + self.maps


def share_remarks(training: Training, execution: Execution, dataset: Dataset) -> list[str]:
    """A remark if executors may have too little memory. Raises UserError if they have."""
    master = choose_master(execution.master, training.workers).url
    if training.data_placement != "executors" or execution.mode == "local" or in_process(master):
        return []
    conf = executor_settings(os.environ) | parse(execution.conf)
    heap = _bytes(conf.get("spark.executor.memory", DEFAULT_MEMORY))
    shares = min(slots_of_executor(master, conf), training.workers)
    need = Need.of(training, dataset, shares)
    if heap >= need.heap:
        return []
    wanted = _mb(need.heap)
    text = (
        f"an executor holds {_mb(need.held)} MB of rows, and its heap must have about {wanted} MB, "
        f"not {_mb(heap)}: give --conf spark.executor.memory={wanted}m"
        f"{_remedies(training, heap - need.maps, ENOUGH * need.held)}"
    )
    if heap < TOO_LITTLE * need.held:
        raise UserError(text)
    return [f"It may run out of memory: {text}."]


def _remedies(training: Training, left: float, wanted: float) -> str:
    """What else helps, if maps leave so many bytes to the rows: more workers, or smaller micro-batches."""
    if left > 0:
        enough = range(math.ceil(training.workers * wanted / left), training.batch_size + 1)
        workers = next((number for number in enough if training.batch_size % number == 0), None)
        return f", or spread them over --workers {workers}" if workers else ""
    return "" if training.architecture.norms else ", or lower --micro-batch"


def _mb(size: float) -> int:
    return math.ceil(size / 2**20)


def _bytes(memory: str) -> int:
    """Bytes of Spark's notation, whose unit is a megabyte if none is given."""
    found = re.fullmatch(r"(\d+)(?:([kmgt])b?)?", memory.strip().lower())
    if found is None:
        raise UserError(f"spark.executor.memory={memory} must be a number with m or g, such as 2g")
    return int(found[1]) * UNITS[found[2] or "m"]
