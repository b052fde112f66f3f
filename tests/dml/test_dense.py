"""Inputs of convolutions are there when they are read again, however short memory was in between."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from largebatch.engine.openblas import find_native
from largebatch.engine.session import Session
from largebatch.errors import RunError
from largebatch.settings.execution import Execution
from tests.reference import Floats, parameter_count
from tests.reference.networks import lenet, resnet8
from tests.support.harness import DML

pytestmark = pytest.mark.systemds

RNG = np.random.default_rng(4)
SIDE = 32
FILTERS = RNG.random((2, 25)) + 1


SHORT_OF_MEMORY = "spark.driver.extraJavaOptions=-Xmn48m -XX:SoftRefLRUPolicyMSPerMB=0"


@pytest.fixture(scope="module")
def dml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DML]:
    """A session that drops at every collection of garbage what SystemDS takes to be stored.

    The other tests can't share it: sums of gradients grow in place, and SystemDS would lose them (see
    docs/systemds.md).
    """
    log = tmp_path_factory.mktemp("short_of_memory") / "log.txt"
    execution = Execution(mode="local", memory="2g", conf=(SHORT_OF_MEMORY,))
    with Session(execution, workers=1, log=log) as session:
        yield DML(session)


def images(rows: int, share: float) -> Floats:
    """Images of which some share of the pixels is not zero."""
    X = RNG.random((rows, SIDE * SIDE)) + 0.5
    return np.where(RNG.random(X.shape) < share, X, 0.0)


def single_pixel() -> Floats:
    X = np.zeros((64, SIDE * SIDE))
    X[17, 500] = 0.1
    return X


SMALL = images(16, 0.04)  # stored sparse in 10 kB, and dense in 130: the limit is 1e-5 of the heap, 21 kB
CASES = {
    "small": SMALL,
    "a single pixel": single_pixel(),
    "empty": np.zeros((16, SIDE * SIDE)),
}


def kept(dml: DML, X: Floats, copied: int, channels: int = 1) -> Floats:
    shape = {"channels": channels, "width": SIDE // channels}
    found = dml.call("kept.dml", {"X": X, "W": FILTERS}, ("Y",), side=SIDE, copied=copied, **shape)
    return found["Y"]


@pytest.mark.skipif(not find_native().usable, reason="only native convolutions change their inputs")
def test_systemds_loses_a_small_sparse_input_of_a_convolution(dml: DML) -> None:
    """If this fails, SystemDS may have mended it, and `copy` of dml/layers/dense.dml is no longer needed."""
    with pytest.raises(RunError, match="memory was so short that SystemDS lost a matrix: raise --memory"):
        for _ in range(10):  # it depends on where Java keeps the matrix
            kept(dml, SMALL, copied=0)


@pytest.mark.parametrize("case", CASES)
def test_a_copy_is_the_same_to_the_last_bit_and_is_not_lost(dml: DML, case: str) -> None:
    np.testing.assert_array_equal(kept(dml, CASES[case], copied=1), CASES[case])


def test_maps_of_several_channels_are_copied_too(dml: DML) -> None:
    np.testing.assert_array_equal(kept(dml, SMALL, copied=1, channels=4), SMALL)


@pytest.mark.parametrize(("network", "twin"), [("lenet", lenet), ("resnet8", resnet8)])
def test_a_network_keeps_the_inputs_of_its_convolutions(dml: DML, network: str, twin: ModuleType) -> None:
    w = RNG.normal(0, 0.2, parameter_count(twin.shapes((1, SIDE, SIDE), 3, 2)))
    if network == "lenet":
        w[150:156] = -0.6  # biases that leave the second convolution few inputs above zero
    arguments = {"channels": 1, "height": SIDE, "width": SIDE, "classes": 3}
    found = dml.call(f"{network}_kept.dml", {"w": w[:, None], "X": SMALL}, ("g",), **arguments)
    assert np.isfinite(found["g"]).all()
