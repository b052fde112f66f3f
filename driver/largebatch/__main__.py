"""`python -m largebatch`."""

from largebatch.cli import main

if __name__ == "__main__":
    main()
