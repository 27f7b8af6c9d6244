"""Captions: read and written safely, made by taggers, edited in bulk."""
