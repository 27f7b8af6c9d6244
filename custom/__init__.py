"""Standalone scripts: one process each, the same stages as the notebooks. Nothing imports them."""
