"""What is done with LoRA files after a training: opened and described, resized, their metadata edited, written.

Importing this package costs nothing: torch is imported where tensors are computed with, in a job's process.
"""
