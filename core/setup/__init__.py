"""The machine: what it is, what is installed on it, and how to mend it. Standard library only."""
