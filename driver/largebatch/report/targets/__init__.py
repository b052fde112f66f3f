"""Steps to a target accuracy against the batch size."""
