"""The panels of what is done with LoRA files after a training, and with the room that projects take on the disk."""
