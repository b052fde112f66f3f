"""Many runs: studies, their tasks, sweeps."""
