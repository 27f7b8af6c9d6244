"""Base models and their parts: which there are by name, from where they are fetched, and how they come to this machine."""
