"""What lies on the disk, and what can go."""
