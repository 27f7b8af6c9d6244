"""LoRA files made known: looked through first, then brought to Hugging Face, or put into a folder or a zip for Civitai."""
