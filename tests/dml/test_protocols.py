"""Protocols in DML: what they make of pushes, against their twins."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.protocols import TWINS, Update
from tests.support.harness import DML

pytestmark = pytest.mark.systemds

P, PUSHES = 7, 12
ROUNDING = 1e-12  # a few roundings, relatively: the same sums in double precision


@pytest.mark.parametrize("name", TWINS)
def test_pushes_lead_to_the_updates_of_the_twin(dml: DML, name: str) -> None:
    rng = np.random.default_rng(4)
    rows = rng.integers(1, 9, PUSHES)
    sums = np.vstack([rows, rows * rng.random(PUSHES), rng.integers(0, rows + 1)])
    gradients = rng.standard_normal((P, PUSHES))
    found = dml.call(
        "receive.dml",
        {"w": rng.standard_normal((P, 1)), "sums": sums, "gradients": gradients},
        ("due", "update_sums", "update_gradients"),
        protocol=name,
        **TWINS[name].OWN,
    )
    pushes = [Update(*push) for push in zip(sums.T, gradients.T, strict=True)]
    updates = TWINS[name].updates(pushes, TWINS[name].OWN)
    assert found["due"][0].tolist() == [float(update is not None) for update in updates]
    for push, update in enumerate(updates):
        if update is not None:
            np.testing.assert_allclose(found["update_sums"][:, push], update.sums, rtol=ROUNDING)
            np.testing.assert_allclose(found["update_gradients"][:, push], update.g, rtol=ROUNDING)
