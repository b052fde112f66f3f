"""predict.dml: probabilities from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from largebatch.files.matrices import read_matrix
from largebatch.files.places import dml_root
from tests.reference.networks import lenet
from tests.support.harness import DML, write_matrix
from tests.support.training import SETTINGS, Trainer, synthetic

pytestmark = pytest.mark.systemds

# Sums of up to a thousand terms in another order.
ROUNDING = 1e-12


@pytest.mark.parametrize("micro_batch", [1, 7, 61, 512])
def test_probabilities_are_the_softmax_of_the_twins_scores(
    dml: DML, train: Trainer, tmp_path: Path, micro_batch: int
) -> None:
    """Of 61 images, the optimizer's state in the checkpoint left aside, in slices of any size."""
    X, trained = synthetic().X_test, train()
    write_matrix(tmp_path / "images", X)
    parameters, out = trained.checkpoint(2) / "parameters", tmp_path / "probabilities"
    network = {n: SETTINGS[n] for n in ("network", "padding", "channels", "height", "width", "classes")}
    dml.call(
        str(dml_root() / "dml" / "predict.dml"), {}, (),
        images=str(tmp_path / "images"), parameters=str(parameters), out=str(out),
        pixel_scale=255, micro_batch=micro_batch, **network,
    )  # fmt: skip
    scores = lenet.forward(trained.parameters()[:, 0], X / 255, (1, 8, 8), 4, 2)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(read_matrix(out), expected, rtol=0, atol=ROUNDING)
