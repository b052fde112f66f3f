"""The settings of a run, declared once: defaults, ranges, choices, help."""
