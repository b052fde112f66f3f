"""Where earlier versions' documentation told users to import `system_ds_jar` from; scripts still do."""

from largebatch.engine.spark import system_ds_jar

__all__ = ["system_ds_jar"]
