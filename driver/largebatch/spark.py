"""For scripts: where SystemDS.jar is, from the path that the documentation names."""

from largebatch.engine.spark import system_ds_jar

__all__ = ["system_ds_jar"]
