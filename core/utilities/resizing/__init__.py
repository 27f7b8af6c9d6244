"""LoRA files of lower rank."""
