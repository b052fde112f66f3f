"""The fitted model."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
from pyspark import cloudpickle
from pyspark.ml.classification import ProbabilisticClassificationModel
from pyspark.ml.functions import array_to_vector
from pyspark.ml.linalg import DenseVector, Vectors
from pyspark.ml.param.shared import HasValidationIndicatorCol
from pyspark.ml.util import MLReadable, MLWritable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from largebatch.errors import UserError
from largebatch.export.onnx_model import onnx_bytes
from largebatch.export.torch_model import safetensors_bytes
from largebatch.files.matrices import Matrix
from largebatch.ml import rows, scoring
from largebatch.ml.columns import Features, check_frame, check_outputs, named
from largebatch.ml.params import given, thresholds, with_params
from largebatch.ml.persistence import Reader, Writer
from largebatch.ml.run_folders import write_run
from largebatch.ml.trained import Summary, Trained
from largebatch.models import forward, residual
from largebatch.models.model import Model
from largebatch.records.run_folder import RunFolder
from largebatch.terminal.say import say

for module in (forward, residual, rows, scoring):  # executors need no `largebatch`
    cloudpickle.register_pickle_by_value(module)

IN_CLOSURE = 2**20  # bytes of arrays that travel with every task; larger ones are broadcast
_STRUCT = "raw array<double>, probability array<double>, prediction double"


@with_params(without=("network", "imageShape", "numClasses"))  # which are properties here
class LargeBatchClassificationModel(
    ProbabilisticClassificationModel,
    HasValidationIndicatorCol,
    MLReadable,
    MLWritable,
):
    """A network that LargeBatchClassifier has trained. It has the Params of its Estimator, and its uid.

    `transform` appends the columns rawPredictionCol (scores), probabilityCol and predictionCol; an empty name
    leaves one out. Params that tell how features are read and what is appended can be set anew: featuresCol,
    imageLayout, pixelScale, thresholds, the names of columns. The others tell how it was trained.
    """

    __module__ = "largebatch.ml"

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        self._trained = trained

    # ---- what it is ----

    @property
    def network(self) -> str:
        """The network's name."""
        return str(self._trained.model.training.network)

    @property
    def imageShape(self) -> list[int]:  # noqa: N802 - as Spark has it
        """Channels, height and width of an image; D plain features are [1, 1, D]."""
        return list(self._trained.model.shape)

    @property
    def numFeatures(self) -> int:  # noqa: N802
        """How many numbers a row has."""
        return int(np.prod(self._trained.model.shape))

    @property
    def numClasses(self) -> int:  # noqa: N802
        """How many classes there are."""
        return self._trained.model.images.classes

    @property
    def arrays(self) -> Mapping[str, Matrix]:
        """The trained arrays by name; they can't be written to."""
        return MappingProxyType(self._trained.model.arrays)

    @property
    def hasSummary(self) -> bool:  # noqa: N802
        """Whether the training is known."""
        return len(self._trained.history) > 0

    @property
    def summary(self) -> Summary:
        """The training, epoch by epoch. Raises UserError for a model that was made without one."""
        if not self.hasSummary:
            raise UserError("this model has no summary")
        return Summary(self._trained.history)

    # ---- one row ----

    def predictRaw(self, value: Any) -> DenseVector:  # noqa: N802
        """Scores of the classes for one vector."""
        return Vectors.dense(self._scored(value)[0][0])

    def predictProbability(self, value: Any) -> DenseVector:  # noqa: N802
        """Probabilities of the classes for one vector."""
        return Vectors.dense(self._scored(value)[1][0])

    def predict(self, value: Any) -> float:
        """The class of one vector."""
        return float(self._scored(value)[2][0])

    def _scored(self, value: Any) -> tuple[Matrix, Matrix, Matrix]:
        plan = self._plan(self._layout)
        row = value.toArray() if hasattr(value, "toArray") else np.asarray(value, np.float64)
        return scoring.scored(self._trained.arrays, [row], plan)

    @property
    def _layout(self) -> str:
        """The order of an image's numbers: as it was trained, unless imageLayout is set."""
        return str(self.getImageLayout()) if self.isSet(self.imageLayout) else self._trained.layout

    def _plan(self, order: str) -> scoring.Plan:
        trained = self._trained
        if self.isSet(self.pixelScale):
            trained = replace(trained, scale=float(self.getPixelScale()))
        return trained.plan(order, thresholds(self, self.numClasses))

    # ---- a DataFrame ----

    def _transform(self, dataset: DataFrame) -> DataFrame:
        check_frame(dataset)
        check_outputs(dataset, self)
        features = Features.of(dataset, self.getFeaturesCol())
        plan = self._plan(features.order(self._layout))
        score = F.pandas_udf(scoring.scorer(self._held(dataset), plan), _STRUCT)
        column = f"largebatch-{uuid.uuid4()}"
        scored = dataset.select("*", score(features.sized(plan.image)).alias(column))
        struct = named(column)
        wanted = {
            self.getRawPredictionCol(): array_to_vector(struct["raw"]),
            self.getProbabilityCol(): array_to_vector(struct["probability"]),
            self.getPredictionCol(): struct["prediction"],
        }
        return scored.select("*", *(one.alias(name) for name, one in wanted.items() if name)).drop(column)

    def _held(self, dataset: DataFrame) -> Any:
        """The arrays, where executors find them: in the task, or in a broadcast."""
        arrays = self._trained.arrays
        classic = type(dataset).__module__ == "pyspark.sql.dataframe"
        if classic and sum(array.nbytes for array in arrays) > IN_CLOSURE:
            return dataset.sparkSession.sparkContext.broadcast(arrays)
        return SimpleNamespace(value=arrays)

    # ---- on disk ----

    def write(self) -> Writer:
        """A writer for any file system that Hadoop knows."""
        return Writer(self, self._trained)

    @classmethod
    def read(cls) -> Reader:
        """A reader of what `write` has written."""
        return Reader(cls)

    def save_onnx(self, file: str | Path) -> None:
        """Write the network to a file on this machine; its input are features as here, not yet scaled."""
        Path(file).write_bytes(onnx_bytes(self._trained.unscaled, self.uid))

    def save_safetensors(self, file: str | Path) -> None:
        """Write the arrays to a file on this machine, with the names and shapes of PyTorch."""
        Path(file).write_bytes(safetensors_bytes(self._trained.unscaled, self.uid))

    def to_run(self, folder: str | Path) -> None:
        """Write the model as the folder of a run, for the command line. Raises UserError as write_run does.

        Images in bytes stay bytes there. Other features are those that pixelScale has divided already.
        """
        write_run(self._trained, Path(folder))

    @classmethod
    def from_run(cls, folder: str | Path) -> LargeBatchClassificationModel:
        """The model of a run's folder, as `largebatch train` writes it. Raises UserError if it has none."""
        run = RunFolder(Path(folder))
        model = Model.of_run(run, say)
        instance = cls(Trained(model, model.images.pixel_scale, "chw", run.metrics()))
        return instance._set(**given(instance, model.training))  # type: ignore[no-any-return]
