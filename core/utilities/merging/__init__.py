"""Several LoRA files as one."""
