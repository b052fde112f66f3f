"""Rows are scored as they arrive: a stream of Parquet files goes through a fitted model.

python examples/stream.py
spark-submit examples/stream.py
"""

import tempfile

from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from sklearn.datasets import load_digits

from largebatch.ml import LargeBatchClassifier, session_builder

# The count below has 200 partitions unless told otherwise, and every file of the stream writes each of them.
spark = session_builder().config("spark.sql.shuffle.partitions", 4).getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
digits = load_digits()
rows = [
    (bytearray(x), float(y))
    for x, y in zip(digits.data.astype(int).tolist(), digits.target.tolist(), strict=True)
]
train, arriving = spark.createDataFrame(rows, ["pixels", "label"]).randomSplit([0.8, 0.2], seed=1)

mlp = LargeBatchClassifier(
    featuresCol="pixels",
    network="mlp",
    pixelScale=16,
    optimizer="adam",
    batchSize=64,
    epochs=5,
    driverMemory="1g",
)
model = mlp.fit(train)

with tempfile.TemporaryDirectory() as folder:
    arriving.repartition(3).write.mode("overwrite").parquet(f"file://{folder}/inbox")
    stream = (
        spark.readStream.schema(arriving.schema)
        .option("maxFilesPerTrigger", 1)
        .parquet(f"file://{folder}/inbox")
    )
    query = (
        model.transform(stream)
        .groupBy((F.col("prediction") == F.col("label")).alias("right"))
        .count()
        .writeStream.outputMode("complete")
        .format("memory")
        .queryName("scored")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    spark.table("scored").show()
spark.stop()
