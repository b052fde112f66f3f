"""A trained network, ready to score images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from threadpoolctl import threadpool_limits

from largebatch.data.dataset import Images
from largebatch.data.stored import Array
from largebatch.errors import UserError
from largebatch.files.matrices import Matrix
from largebatch.models import forward
from largebatch.records.run_folder import RunFolder
from largebatch.settings.networks import PADDINGS
from largebatch.settings.training import Training
from largebatch.terminal.say import Say

PIECE = 1024  # images that are scaled at a time


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network: its settings, its images, its arrays by name in their order, moments last.

    `class_names` are those of classes 0, 1, ..., or empty.
    """

    training: Training
    images: Images
    arrays: Mapping[str, Matrix]
    class_names: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, folder: RunFolder, say: Say) -> Self:
        """The model after the last epoch of a run. Raises UserError for a folder without a trained model."""
        training, _ = folder.settings()
        epoch = folder.last_epoch()
        if not epoch:
            path = folder.path
            raise UserError(
                f"{path} holds no trained model yet: train it with `largebatch train --resume {path}`"
            )
        if folder.damaged_epochs():
            say(f"{folder.path}: a newer checkpoint is damaged: that of epoch {epoch} is used")
        if epoch < training.epochs:
            say(f"{folder.path}: the model is that of epoch {epoch} of {training.epochs}")
        arrays = folder.arrays(epoch, training.architecture)
        return cls(training, folder.images(), arrays, folder.class_names())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        return self.images.channels, self.images.height, self.images.width

    @property
    def padding(self) -> int:
        """Rows of zeros on every side of a convolution's input."""
        return PADDINGS[self.training.padding]

    @property
    def convolutions(self) -> int:
        """How many of the layers are convolutions: the first ones."""
        return self.training.architecture.convolutions

    @property
    def form(self) -> forward.Form:
        """What `forward.scores_of` must know."""
        return self.convolutions, self.padding, self.training.architecture.blocks, self.training.pad_to

    @property
    def margins(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros around an image: above and below, left and right."""
        _, height, width = self.shape
        return forward.margins(height, self.training.pad_to), forward.margins(width, self.training.pad_to)

    def scores(self, X: Array) -> Matrix:
        """Scores of the classes, of shape (N, K), of images (N, C, H, W) or (N, C*H*W), not yet scaled.

        Raises UserError if the arrays don't fit the images.
        """
        arrays, scale = list(self.arrays.values()), self.images.pixel_scale
        pieces = (X[i : i + PIECE] for i in range(0, len(X), PIECE))  # scaled, they take 8 bytes a pixel
        try:
            with threadpool_limits(1):  # the products are small: threads would wait for each other
                return np.concatenate(
                    [forward.scores_of(arrays, piece / scale, self.shape, self.form) for piece in pieces]
                )
        except ValueError as error:
            raise UserError(f"the arrays of the model do not fit images of {self.shape}: {error}") from error

    def probabilities(self, X: Array) -> Matrix:
        """Probabilities of the classes, of shape (N, K); see `scores`."""
        return forward.softmax(self.scores(X))
