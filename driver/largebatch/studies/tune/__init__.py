"""A study that tunes, from its cells to the runs that are due."""
