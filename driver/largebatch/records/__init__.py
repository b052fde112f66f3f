"""What lies on disk: folders of runs and studies, checkpoints, metrics, results."""
