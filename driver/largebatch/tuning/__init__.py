"""Tuning with equal budgets: spaces, trials, and which of them go on. Pure."""
