"""A study: runs to compare. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from largebatch.data.paths import is_path
from largebatch.settings.training import Training
from largebatch.settings.tuning import Tuning


@dataclass(frozen=True)
class Study:
    """Runs to compare, in the order in which they are carried out."""

    name: str
    title: str
    description: str
    runs: tuple[Training, ...]
    execution: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # fields of Execution
    fallback: str | None = None
    tuning: Tuning | None = None  # with it each run stands for a cell, whose settings are chosen

    @property
    def varied(self) -> list[str]:
        """Names of the settings that are not equal in all runs, and tell them apart."""
        mappings = [run.to_mapping() for run in self.runs]
        names = [name for name in mappings[0] if any(m[name] != mappings[0][name] for m in mappings)]
        return telling(names, self.runs)

    def on(self, dataset: str) -> Study:
        """The same study on another data set."""
        return dataclasses.replace(
            self, runs=tuple(dataclasses.replace(run, dataset=dataset) for run in self.runs)
        )


OF_THE_NETWORK = ("micro_batch", "adapt_biases", "decay_biases")  # their defaults come with the network


def telling(names: Iterable[str], runs: Collection[Training]) -> list[str]:
    """The settings of some names but for those that all runs have as their networks bring them."""
    brought = {run.network: Training(network=run.network) for run in runs}
    return [
        name
        for name in names
        if name not in OF_THE_NETWORK
        or any(getattr(run, name) != getattr(brought[run.network], name) for run in runs)
    ]


def run_name(training: Training) -> str:
    """Name of a run's folder: equal settings have equal names, different settings different ones.

    Settings that Training.name doesn't tell follow as a hash, if they are not the defaults.
    """
    default = Training(optimizer=training.optimizer).to_mapping()
    told = ["network", "optimizer", "batch_size", "epochs", "seed"]
    if not is_path(training.dataset):
        told.append("dataset")
    others = {k: v for k, v in training.to_mapping().items() if k not in told and v != default[k]}
    if not others:
        return training.name
    text = json.dumps({k: float(v) if type(v) is int else v for k, v in others.items()}, sort_keys=True)
    return f"{training.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
