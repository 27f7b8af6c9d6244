"""Measured before it is paid for: a very short training of the same settings, in the real trainer, and what the planned one then takes."""
