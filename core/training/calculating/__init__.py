"""The calculator: pictures, repeats, epochs and batches → steps, time and price, explained; and back from a target."""
