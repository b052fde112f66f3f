"""Reports and comparisons, from the files of runs alone: nothing here starts Java or changes a run."""
