"""For Spark programs: an Estimator for DataFrames. The names exported here stay as they are.

PySpark must be able to exchange data by Arrow; on Python 3.12 and newer that takes the extra `ml`.
"""

from largebatch.ml.classifier import LargeBatchClassifier
from largebatch.ml.model import LargeBatchClassificationModel
from largebatch.ml.sessions import session_builder

__all__ = ["LargeBatchClassificationModel", "LargeBatchClassifier", "session_builder"]
