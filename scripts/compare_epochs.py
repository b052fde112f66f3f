"""Compares epochs of checkouts, modes or settings of Spark: see largebatch/bench/checkouts.py, or --help."""

from largebatch.bench.checkouts import main

if __name__ == "__main__":
    main()
