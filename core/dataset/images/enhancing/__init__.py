"""Enhancing pictures: enlarged, faces restored, contrast and noise brought into order; each only where it is wanted."""
