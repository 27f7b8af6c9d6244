"""After the run: upload what was chosen, verify it at the far end, then stop or destroy the rented machine."""
