"""LoRA files out of checkpoints, and into them."""
