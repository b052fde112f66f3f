"""Fashion-MNIST: the real files, if they are here, and MNIST's files in their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from largebatch.data import load
from largebatch.errors import UserError


def test_real_fashion_mnist(fashion_mnist_dir: Path, cache_home: Path) -> None:
    data = load("fashion-mnist", fashion_mnist_dir)
    assert (data.names[0], data.names[9], len(data.names)) == ("T-shirt/top", "Ankle boot", data.classes)
    assert (data.title, data.classes) == ("Fashion-MNIST", 10)
    assert data.train.X.shape == (60000, 1, 28, 28)
    assert data.train.y[:5].tolist() == [9, 0, 0, 3, 0]
    assert np.bincount(data.train.y).tolist() == [6000] * 10
    assert np.bincount(data.parts["test"].y).tolist() == [1000] * 10


def test_mnist_is_not_taken_for_it(mnist_dir: Path, cache_home: Path) -> None:
    with pytest.raises(UserError, match=r"is not Fashion-MNIST's train-images-idx3-ubyte: the SHA-256"):
        load("fashion-mnist", mnist_dir)
