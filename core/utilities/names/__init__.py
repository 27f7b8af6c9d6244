"""How layers are named, by architecture and by program."""
