"""Lorabook without a screen: every stage, callable from a notebook, a command line, a job and a test."""
