"""Cross-validation over batch sizes.

python examples/cross_validation.py
spark-submit examples/cross_validation.py
"""

from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.functions import array_to_vector
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from sklearn.datasets import load_digits

from largebatch.ml import LargeBatchClassifier, session_builder

spark = session_builder().getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
digits = load_digits()
rows = list(zip(digits.data.tolist(), digits.target.tolist(), strict=True))
table = spark.createDataFrame(rows, ["pixels", "label"]).select(
    array_to_vector("pixels").alias("features"), F.col("label").cast("double").alias("label")
)

softmax = LargeBatchClassifier(
    network="softmax",
    pixelScale=16,
    optimizer="adam",
    learningRate=0.01,
    epochs=5,
    driverMemory="1g",
    verbose=False,
)
grid = ParamGridBuilder().addGrid(softmax.batchSize, [64, 256]).build()
validator = CrossValidator(
    estimator=softmax,
    estimatorParamMaps=grid,
    evaluator=MulticlassClassificationEvaluator(metricName="accuracy"),
    numFolds=2,
    seed=1,
)
chosen = validator.fit(table)
for params, accuracy in zip(grid, chosen.avgMetrics, strict=True):
    print(f"batch size {params[softmax.batchSize]}: accuracy {accuracy:.2%}")
print(f"chosen: {chosen.bestModel.getBatchSize()}")
spark.stop()
