"""From settings to a trained LoRA: config, backends, runs, monitor, evaluation, report."""
