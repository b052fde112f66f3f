"""One run: from its settings and data to its result."""
