"""LoRA files as files: headers, layers by name, writing, hashes, metadata."""
