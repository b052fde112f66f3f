"""The Estimator."""

from __future__ import annotations

from typing import Any

from pyspark.ml.classification import ProbabilisticClassifier
from pyspark.ml.param.shared import HasValidationIndicatorCol
from pyspark.ml.util import MLReadable, MLReader, MLWritable, MLWriter
from pyspark.sql import DataFrame

from largebatch.ml.fitting import Fit, fit
from largebatch.ml.model import LargeBatchClassificationModel
from largebatch.ml.params import check_names, defaults, plain, restore, signature, with_params
from largebatch.ml.settings import SETTINGS, about_params


@with_params()
class LargeBatchClassifier(
    ProbabilisticClassifier,
    HasValidationIndicatorCol,
    MLReadable,
    MLWritable,
):
    """Trains a network on a DataFrame with large, synchronous batches.

    Params are keywords of the constructor and of `setParams`, and have setters and getters; `explainParams()`
    tells them all. `fit` returns a LargeBatchClassificationModel. It raises UserError for data or Params
    that can't be used, and RunError if the training fails. The SparkSession lives on.
    """

    __module__ = "largebatch.ml"  # where saved Pipelines look for it

    def __init__(self, **params: Any) -> None:
        super().__init__()
        self._setDefault(**defaults(SETTINGS))
        self.setParams(**params)

    def setParams(self, **params: Any) -> LargeBatchClassifier:  # noqa: N802 - as Spark has it
        """Set Params; None leaves one as it is. Raises TypeError for an unknown name, else UserError."""
        check_names(self, params)
        given = {name: plain(value) for name, value in params.items() if value is not None}
        return self._set(**given)  # type: ignore[no-any-return]

    def setValidationIndicatorCol(self, value: str) -> LargeBatchClassifier:  # noqa: N802
        """Set the name of the boolean column that is true for rows of validation."""
        return self._set(validationIndicatorCol=value)  # type: ignore[no-any-return]

    def _fit(self, dataset: DataFrame) -> LargeBatchClassificationModel:
        with about_params():
            trained = fit(Fit.of(self, dataset), dataset)
        model = LargeBatchClassificationModel(trained)
        model._resetUid(self.uid)
        return self._copyValues(model)  # type: ignore[no-any-return]

    def write(self) -> MLWriter:
        """A writer for any file system that Hadoop knows."""
        from largebatch.ml.persistence import ParamsWriter

        return ParamsWriter(self)

    @classmethod
    def read(cls) -> _Reader:
        """A reader of what `write` has written."""
        return _Reader()


LargeBatchClassifier.__init__.__signature__ = signature(LargeBatchClassifier())  # type: ignore[attr-defined]


class _Reader(MLReader):
    def load(self, path: str) -> LargeBatchClassifier:
        from largebatch.ml.persistence import load_metadata

        metadata = load_metadata(path, self.sc, LargeBatchClassifier)
        instance = LargeBatchClassifier()
        instance._resetUid(metadata["uid"])
        restore(instance, metadata)
        return instance
