"""A DataFrame of pixels: a Pipeline with LeNet is fitted, saved, and loaded again.

python examples/pipeline.py
spark-submit examples/pipeline.py
"""

import tempfile

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import VectorAssembler
from sklearn.datasets import load_digits

from largebatch.ml import LargeBatchClassifier, session_builder

PIXELS = [f"pixel{i}" for i in range(64)]

spark = session_builder().getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
digits = load_digits()  # 1797 handwritten digits of 8 x 8 pixels, 0..16
rows = [(*x, float(y)) for x, y in zip(digits.data.tolist(), digits.target.tolist(), strict=True)]
train, test = spark.createDataFrame(rows, [*PIXELS, "label"]).randomSplit([0.8, 0.2], seed=1)

lenet = LargeBatchClassifier(
    network="lenet",
    imageShape=[1, 8, 8],
    pixelScale=16,
    optimizer="adam",
    batchSize=64,
    epochs=8,
    driverMemory="1g",
)
pipeline = Pipeline(stages=[VectorAssembler(inputCols=PIXELS, outputCol="features"), lenet])
fitted = pipeline.fit(train)
print(fitted.stages[-1].summary.history[["epoch", "train_loss", "train_accuracy"]].to_string(index=False))

with tempfile.TemporaryDirectory() as folder:
    fitted.save(f"file://{folder}/digits")
    loaded = PipelineModel.load(f"file://{folder}/digits")
accuracy = MulticlassClassificationEvaluator(metricName="accuracy").evaluate(loaded.transform(test))
print(f"test accuracy {accuracy:.2%}")
spark.stop()
