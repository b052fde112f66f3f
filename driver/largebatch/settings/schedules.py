"""The learning-rate schedules by name. The mathematics is in dml/schedules.dml."""

SCHEDULES = ("inverse_time", "constant", "polynomial", "multi_step")
