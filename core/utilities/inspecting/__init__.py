"""What a LoRA file is and says."""
