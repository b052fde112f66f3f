"""Checks of what a run needs."""
