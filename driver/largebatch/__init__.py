"""Large-batch training of neural networks on Apache SystemDS and Spark."""

__version__ = "0.1.0"
