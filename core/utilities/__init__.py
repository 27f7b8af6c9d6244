"""What is done after a training: LoRA files opened and described, resized, their metadata edited, written; and room made on the disk.

Importing this package costs nothing: torch is imported where tensors are computed with, in a job's process.
"""
