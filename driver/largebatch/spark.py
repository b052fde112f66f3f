"""For scripts of users: an older place of `system_ds_jar`."""

from largebatch.engine.jar import system_ds_jar

__all__ = ["system_ds_jar"]
