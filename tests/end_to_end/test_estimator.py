"""The Estimator in a SparkSession of this process, whose executors can't import largebatch.

Fits run in that session ("shared"): they start no JVM.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark import SparkContext
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import OneVsRest
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.ml.linalg import Vectors
from pyspark.ml.tuning import CrossValidator, CrossValidatorModel, ParamGridBuilder, TrainValidationSplit
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from sklearn.datasets import load_digits

from largebatch.data.stored import StoredRows
from largebatch.errors import RunError, UserError
from largebatch.files.places import cache_dir
from largebatch.ml import LargeBatchClassificationModel, LargeBatchClassifier, session_builder
from largebatch.ml.gather import Pixels, gather
from largebatch.ml.survey import Columns, survey
from largebatch.models.predict import predict
from tests.support.executors import python_without_largebatch

pytestmark = [pytest.mark.slow, pytest.mark.systemds, pytest.mark.spark]

SETTINGS: dict[str, Any] = {
    "session": "shared", "network": "softmax", "optimizer": "adam", "learningRate": 0.05, "batchSize": 64,
    "epochs": 1, "numWorkers": 2, "pixelScale": 16, "verbose": False,
}  # fmt: skip
# The same network, in the same formulas, with sums of 64 terms in another order.
ROUNDING = 1e-10

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Two slots. The Python of its tasks refuses to import largebatch."""
    before = dict(os.environ)
    os.environ["PYSPARK_PYTHON"] = str(python_without_largebatch(tmp_path_factory.mktemp("python")))
    builder = session_builder(2).config("spark.ui.enabled", "false").config("spark.driver.memory", "1g")
    session = builder.config("spark.sql.shuffle.partitions", "3").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    gateway = session.sparkContext._gateway
    yield session
    session.stop()
    SparkContext._gateway = SparkContext._jvm = None
    gateway.proc.stdin.close()  # ends the JVM
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def digits(spark: SparkSession) -> DataFrame:
    """Zeros, ones and twos of scikit-learn's digits, every fifth row marked for validation."""
    data = load_digits(n_class=3)
    rows = []
    for i, (x, y) in enumerate(zip(data.data.astype(int).tolist(), data.target.tolist(), strict=True)):
        rows.append((Vectors.dense(x), x, bytearray(x), float(y), i % 5 == 0))
    return spark.createDataFrame(rows, ["features", "array", "bytes", "label", "held"]).cache()


def estimator(**params: Any) -> LargeBatchClassifier:
    return LargeBatchClassifier(**{**SETTINGS, **params})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Params of a fit whose run is kept."""
    folder = tmp_path_factory.mktemp("kept") / "run"
    return {"validationIndicatorCol": "held", "runDir": str(folder), "epochs": 2}


@pytest.fixture(scope="module")
def model(digits: DataFrame, kept: dict[str, Any]) -> LargeBatchClassificationModel:
    """Fitted on vectors in 16 partitions and some empty ones more."""
    many = digits.repartition(16).union(digits.filter("label > 5"))
    return estimator(**kept).fit(many)


@pytest.fixture(scope="module")
def scored(model: LargeBatchClassificationModel, digits: DataFrame) -> DataFrame:
    return model.transform(digits).cache()


def assert_same_model(one: Any, other: Any) -> None:
    assert list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])


# ---- fit ----


def test_partitions_and_the_type_of_the_column_change_no_bit_of_the_model(
    model: LargeBatchClassificationModel, digits: DataFrame
) -> None:
    settings = {"featuresCol": "bytes", "validationIndicatorCol": "held", "epochs": 2}
    again = estimator(**settings).fit(digits.orderBy(F.rand(3)).repartition(7))
    assert_same_model(again, model)
    assert again.summary.history["validation_loss"].equals(model.summary.history["validation_loss"])


def test_all_types_of_columns_give_the_same_rows_in_the_same_order(digits: DataFrame) -> None:
    found = []
    for name, column in {
        "features": "features",
        "array": "array",
        "bytes": "bytes",
        "image": "image",
    }.items():
        fields = {
            "origin": F.lit(""),
            "height": F.lit(8),
            "width": F.lit(8),
            "nChannels": F.lit(1),
            "mode": F.lit(0),
        }
        image = F.struct(*(value.alias(key) for key, value in fields.items()), F.col("bytes").alias("data"))
        table = digits.withColumn("image", image).repartition(5 if name == "array" else 2)
        columns = Columns.of(table, column, "label", "held")
        found.append(gather(table, columns, survey(table, columns, None), Pixels((1, 8, 8), "chw")))
    for other in found[1:]:
        np.testing.assert_array_equal(other.X, found[0].X)
        np.testing.assert_array_equal(other.y, found[0].y)


def test_executors_write_the_rows_that_they_are_to_hold(
    spark: SparkSession, digits: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are those that the driver gathers otherwise, in their order. Nothing is left after a fit."""
    columns = Columns.of(digits, "bytes", "label", "held")
    found, pixels = survey(digits, columns, None), Pixels((1, 8, 8), "chw")
    kept, stored = (gather(digits, columns, found, pixels, folder) for folder in (None, tmp_path))
    assert isinstance(stored.X, StoredRows)
    np.testing.assert_array_equal(stored.X, kept.X)
    np.testing.assert_array_equal(stored.y, kept.y)
    with pytest.raises(UserError, match=r"cannot write .*/absent, which .*: No such file or directory"):
        gather(digits, columns, found, pixels, tmp_path / "absent")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = {"featuresCol": "bytes", "validationIndicatorCol": "held", "dataPlacement": "executors"}
    fitted = estimator(**settings, epochs=2).fit(digits)
    assert fitted.summary.history["validation_accuracy"].iloc[-1] > 0.9
    assert [path.name for path in (tmp_path / "cache" / "largebatch" / "prepared").iterdir()] == ["lock"]


def test_the_history_has_both_parts_and_a_row_for_each_epoch(model: LargeBatchClassificationModel) -> None:
    history = model.summary.history
    assert list(history["epoch"]) == [1, 2]
    assert {"train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "fc_weight_norm"} < set(
        history
    )
    assert model.summary.objectiveHistory == list(history["train_loss"])
    assert model.summary.totalIterations == 2 * 7
    assert history["validation_accuracy"].iloc[-1] > 0.9


def test_the_model_says_what_it_is(model: LargeBatchClassificationModel) -> None:
    assert (model.network, model.imageShape, model.numFeatures, model.numClasses) == (
        "softmax",
        [1, 1, 64],
        64,
        3,
    )
    assert {name: array.shape for name, array in model.arrays.items()} == {
        "fc.weight": (64, 3), "fc.bias": (1, 3),
    }  # fmt: skip
    assert (model.getBatchSize(), model.getOptimizer()) == (64, "adam")
    with pytest.raises(ValueError, match="read-only"):
        model.arrays["fc.bias"][0, 0] = 1


def test_a_kept_run_is_gone_on_with_and_read_by_the_command_line(
    model: LargeBatchClassificationModel, digits: DataFrame, kept: dict[str, Any], tmp_path: Path
) -> None:
    """The second fit has nothing left to train. Other Params are refused."""
    assert_same_model(estimator(**kept).fit(digits), model)
    with pytest.raises(UserError, match="was begun with another batchSize: name another folder"):
        estimator(**kept, batchSize=128).fit(digits)
    read = LargeBatchClassificationModel.from_run(kept["runDir"])
    assert_same_model(read, model)
    rows = digits.limit(9).collect()
    np.save(tmp_path / "images.npy", np.array([row.array for row in rows]) / 16)
    predicted = predict(Path(kept["runDir"]), tmp_path / "images.npy", print)
    assert predicted["class"].tolist() == [model.predict(row.features) for row in rows]


def test_nothing_is_left_behind(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    digits: DataFrame,
) -> None:  # fmt: skip
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # the user's has files of other tests
    conf = sorted(spark.sparkContext.getConf().getAll())
    with pytest.raises(RunError, match=r"the training diverged in epoch 1: .*; lower learningRate"):
        estimator(optimizer="sgd", learningRate=1e300, epochs=2).fit(digits)
    assert list(temporary.iterdir()) == []
    assert {path.name for path in (cache_dir() / "prepared").iterdir()} <= {"lock"}
    assert sorted(spark.sparkContext.getConf().getAll()) == conf
    assert spark.range(10).count() == 10


@pytest.mark.parametrize(
    ("change", "params", "sentence"),
    [
        ({}, {"featuresCol": "pixels"}, "featuresCol 'pixels' is no column of the DataFrame, which has "),
        ({}, {"featuresCol": "label"}, r"featuresCol 'label' is of type double; it must be a vector, "),
        ({}, {"labelCol": "held"}, r"labelCol 'held' is of type boolean; .*, cast\('int'\) for booleans"),
        ({"prediction": "1"}, {}, "the DataFrame has a column 'prediction' already: drop it, or choose"),
        ({}, {"thresholds": [0.5, 0.5]}, "thresholds has 2 numbers, there are 3 classes"),
        ({}, {"validationIndicatorCol": "label"}, "validationIndicatorCol 'label' is of type double; "),
        ({"features": "IF(label > 1, features, NULL)"}, {}, r"\d+ of 537 rows have null fea"),
        ({"label": "IF(label > 1, label, NULL)"}, {}, r"\d+ of 537 rows have null labels "),
        ({"label": "IF(label > 1, double('NaN'), 0)"}, {}, r"\d+ of 537 rows have labels that"),
        ({"label": "label / 2"}, {}, r"\d+ of 537 rows have labels that"),
        ({"label": "label + 1"}, {}, "labelCol 'label' has labels 1 to 3; they must begin at 0"),
        ({"label": "label - 1"}, {}, "labelCol 'label' has labels -1 to 1; with 2 classes "),
        ({"label": "label * 20000"}, {}, "labelCol 'label' has labels 0 to 40000; with 32768 classes "),
        ({}, {"numClasses": 2}, r"labelCol 'label' has labels 0 to 2; with 2 classes they must be 0 to 1"),
        ({"label": "0"}, {}, r"all training rows are of class 0: there is nothing to learn"),
        ({"held": "true"}, {"validationIndicatorCol": "held"}, r"held is true in all 537 rows"),
        ({"held": "boolean(NULL)"}, {"validationIndicatorCol": "held"}, "537 of 537 rows have nulls in "),
        ({"array": "slice(array, 1, int(label) + 1)"}, {"featuresCol": "array"},
         r"featuresCol 'array' has rows of 1 to 3 numbers: all must have equally many"),
        ({"array": "array_repeat(double('NaN'), 64)"}, {"featuresCol": "array"}, "537 of 537 rows have f"),
        ({}, {"network": "lenet"}, "network 'lenet' needs images: set imageShape="),
        ({}, {"imageShape": [1, 8, 9]}, r"imageShape \[1, 8, 9\] has 72 numbers, the rows have 64"),
        ({}, {"batchSize": 1024}, "batchSize 1024 is more than the 537 training rows of the "),
        ({}, {"batchSize": 65}, "batchSize 65 is not a multiple of numWorkers 2; "),
        ({}, {"momentum": 0.5}, "momentum belongs to optimizer .*, not to adam: leave it out"),
        ({}, {"driverMemory": "2g"}, "driverMemory can't be given with a live SparkSession"),
        ({}, {"numWorkers": 4}, "the SparkSession can't train with 4 workers"),
        ({}, {"session": "local", "master": "local[2]"}, r"master is set, and session is 'local'"),
    ],
)  # fmt: skip
def test_what_can_not_be_trained_on_is_said_in_a_sentence(
    digits: DataFrame, change: dict[str, str], params: dict[str, Any], sentence: str
) -> None:
    table = digits
    for name, expression in change.items():
        table = table.withColumn(name, F.expr(expression))
    with pytest.raises(UserError, match=sentence):
        estimator(**params).fit(table)
    assert digits.limit(1).count() == 1, "the SparkSession lives"


def test_a_data_frame_without_rows_is_refused(digits: DataFrame) -> None:
    with pytest.raises(UserError, match=r"^the DataFrame has no rows$"):
        estimator().fit(digits.filter("label > 5"))


def test_more_rows_than_the_heap_holds_are_refused_before_they_move(spark: SparkSession) -> None:
    table = spark.range(8192).selectExpr("binary(repeat('x', 65536)) AS features", "id % 2 AS label")
    with pytest.raises(
        UserError, match=r"8192 rows of 65536 numbers are 4\.0 GB as doubles, and the JVM that "
    ):
        estimator().fit(table)


# ---- transform ----


def test_columns_have_the_types_that_evaluators_want(scored: DataFrame) -> None:
    kinds = {field.name: field.dataType.simpleString() for field in scored.schema.fields}
    assert kinds["prediction"] == "double"
    assert kinds["rawPrediction"] == kinds["probability"] == "vector"
    accuracy = MulticlassClassificationEvaluator(metricName="accuracy").evaluate(scored)
    assert accuracy > 0.9


def test_transform_predict_and_the_arrays_agree(
    model: LargeBatchClassificationModel, scored: DataFrame
) -> None:
    W, b = model.arrays["fc.weight"], model.arrays["fc.bias"]
    for row in scored.limit(20).collect():
        raw = row.features.toArray() / 16 @ W + b[0]
        for found in (row.rawPrediction, model.predictRaw(row.features)):
            np.testing.assert_allclose(found.toArray(), raw, rtol=0, atol=ROUNDING)
        probability = model.predictProbability(row.features).toArray()
        np.testing.assert_allclose(row.probability.toArray(), probability, rtol=0, atol=ROUNDING)
        assert model.predict(row.features) == row.prediction == raw.argmax()


def test_the_columns_type_may_differ_from_that_of_the_fit(
    model: LargeBatchClassificationModel, digits: DataFrame, scored: DataFrame
) -> None:
    named = model.copy({model.featuresCol: "bytes", model.probabilityCol: "", model.rawPredictionCol: ""})
    again = named.transform(digits)
    assert again.columns == [*digits.columns, "prediction"]
    assert [row.prediction for row in again.collect()] == [row.prediction for row in scored.collect()]


def test_a_column_that_is_there_already_and_rows_that_do_not_fit_are_refused(
    model: LargeBatchClassificationModel, scored: DataFrame, digits: DataFrame
) -> None:
    with pytest.raises(
        UserError, match="has a column 'rawPrediction' already: drop it, or choose another name"
    ):
        model.transform(scored)
    short = digits.select(F.slice("array", 1, 3).alias("features"))
    with pytest.raises(Exception, match="a row has 3 features, 64 are wanted"):
        model.transform(short).collect()
    with pytest.raises(UserError, match="has a column 'p' already"):
        model.copy({model.predictionCol: "p", model.probabilityCol: "p"}).transform(digits)


def test_names_of_columns_may_have_any_characters_and_other_columns_may_share_one(
    model: LargeBatchClassificationModel, digits: DataFrame, scored: DataFrame
) -> None:
    features, label, twice = (
        F.col("features").alias("x.y`z"),
        F.col("label").alias("a.b"),
        F.lit(1).alias("z"),
    )
    odd = digits.select(features, label, twice, twice)
    named = model.copy({model.featuresCol: "x.y`z", model.predictionCol: "p.q`", model.probabilityCol: ""})
    found = named.transform(odd)
    assert found.columns == ["x.y`z", "a.b", "z", "z", "rawPrediction", "p.q`"]
    assert [row[-1] for row in found.collect()] == [row.prediction for row in scored.collect()]
    assert survey(odd, Columns.of(odd, "x.y`z", "a.b", None), None).rows == 537
    with pytest.raises(UserError, match="labelCol 'z' is the name of 2 columns of the DataFrame: re"):
        Columns.of(odd, "x.y`z", "z", None)


# ---- persistence ----


def test_a_saved_model_is_read_back_to_the_last_bit(
    model: LargeBatchClassificationModel, digits: DataFrame, scored: DataFrame, tmp_path: Path
) -> None:
    path = f"file://{tmp_path}/model"
    model.save(path)
    for one in (model, estimator()):
        with pytest.raises(
            UserError, match=f"^{path} is there already: name another, or replace it by write"
        ):
            one.save(path)
    with pytest.raises(UserError, match=r"^unknown://x can't be written: .*No FileSystem for scheme"):
        model.save("unknown://x")
    model.write().overwrite().save(path)
    read = LargeBatchClassificationModel.load(path)
    assert_same_model(read, model)
    assert (read.uid, read.getBatchSize(), read.numClasses) == (model.uid, 64, 3)
    assert read.summary.history.equals(model.summary.history)
    assert read.transform(digits).collect() == scored.collect()


def test_a_residual_network_keeps_its_moments(digits: DataFrame, tmp_path: Path) -> None:
    """On executors, saved and read back, and as a run's folder, from which it is read again."""
    fitted = estimator(network="resnet8", filters=2, imageShape=[1, 8, 8], batchSize=256, epochs=1).fit(
        digits
    )
    assert np.ptp(fitted.arrays["layer3.0.bn2.running_var"]) > 0
    row = digits.first()
    spread = fitted.transform(digits.limit(1)).first()
    np.testing.assert_allclose(spread["rawPrediction"], fitted.predictRaw(row["features"]), atol=ROUNDING)
    fitted.save(str(tmp_path / "saved"))
    assert_same_model(LargeBatchClassificationModel.load(str(tmp_path / "saved")), fitted)
    fitted.to_run(tmp_path / "run")
    assert_same_model(LargeBatchClassificationModel.from_run(tmp_path / "run"), fitted)


def test_a_model_whose_bytes_were_changed_or_that_is_none_is_refused(
    model: LargeBatchClassificationModel, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    model.save(str(path))
    (part,) = (path / "data").glob("*.parquet")
    (description,) = (path / "metadata").glob("part-*")
    before = description.read_text()
    description.write_text(before.replace('"classes":3', '"classes":4'))
    for checksum in path.rglob(".*.crc"):
        checksum.unlink()
    with pytest.raises(UserError, match=rf"the model in {path} is damaged: .*its checksum differs"):
        LargeBatchClassificationModel.load(str(path))
    description.write_text(before)
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 1
    part.write_bytes(content)
    with pytest.raises(UserError, match=rf"the model in {path} is damaged: save it again \("):
        LargeBatchClassificationModel.load(str(path))
    with pytest.raises(UserError, match="holds no saved LargeBatchClassificationModel"):
        LargeBatchClassificationModel.load(str(tmp_path / "nothing"))
    estimator().save(str(tmp_path / "estimator"))
    with pytest.raises(UserError, match=r"holds a largebatch\.ml\.LargeBatchClassifier, not a "):
        LargeBatchClassificationModel.load(str(tmp_path / "estimator"))
    assert LargeBatchClassifier.load(str(tmp_path / "estimator")).getBatchSize() == 64


# ---- Spark's own stages around it ----


def test_a_pipeline_is_fitted_saved_and_read_back(
    spark: SparkSession, digits: DataFrame, tmp_path: Path
) -> None:
    """Labels as text, pixels in columns of their own."""
    pixels = [F.col("array")[i].alias(f"p{i}") for i in range(64)]
    names = F.element_at(F.array(*map(F.lit, ("none", "one", "two"))), F.col("label").cast("int") + 1)
    table = digits.select(*pixels, names.alias("name"))
    stages = [
        StringIndexer(inputCol="name", outputCol="label", stringOrderType="alphabetAsc"),
        VectorAssembler(inputCols=[f"p{i}" for i in range(64)], outputCol="features"),
        estimator(),
    ]
    Pipeline(stages=stages).save(str(tmp_path / "pipeline"))
    fitted = Pipeline.load(str(tmp_path / "pipeline")).fit(table)
    fitted.save(str(tmp_path / "fitted"))
    read = PipelineModel.load(str(tmp_path / "fitted"))
    assert_same_model(read.stages[-1], fitted.stages[-1])
    right = read.transform(table).filter("prediction = label").count()
    assert right / table.count() > 0.9


def test_validators_choose_among_params_and_their_models_are_saved(digits: DataFrame, tmp_path: Path) -> None:
    """Two fits at a time, which take turns."""
    one = estimator()
    grid = ParamGridBuilder().addGrid(one.learningRate, [1e-9, 0.05]).build()
    evaluator = MulticlassClassificationEvaluator(metricName="accuracy")
    settings = {
        "estimator": one,
        "estimatorParamMaps": grid,
        "evaluator": evaluator,
        "parallelism": 2,
        "seed": 1,
    }
    chosen = CrossValidator(numFolds=2, **settings).fit(digits)
    assert chosen.bestModel.getLearningRate() == 0.05
    assert chosen.avgMetrics[0] < chosen.avgMetrics[1]
    chosen.save(str(tmp_path / "chosen"))
    assert_same_model(CrossValidatorModel.load(str(tmp_path / "chosen")).bestModel, chosen.bestModel)
    split = TrainValidationSplit(trainRatio=0.7, **settings).fit(digits)
    assert split.bestModel.getLearningRate() == 0.05


def test_one_against_the_rest(digits: DataFrame) -> None:
    fitted = OneVsRest(classifier=estimator()).fit(digits)
    accuracy = MulticlassClassificationEvaluator(metricName="accuracy").evaluate(fitted.transform(digits))
    assert (len(fitted.models), accuracy > 0.9) == (3, True)
