"""`python -m largebatch`."""

from largebatch.cli.main import main

if __name__ == "__main__":
    main()
