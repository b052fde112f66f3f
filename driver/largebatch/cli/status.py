"""Exit statuses of `largebatch`; `sweep` also has that of its time limit, see studies/command.py."""

DONE = 0
FAILED = 1
UNUSABLE = 2  # input that cannot be used
INTERRUPTED = 130  # what shells report for Ctrl-C
