"""Throwing out what is bad: duplicates, quality and an overview. What is measured once is kept in the index, so that cuts move live."""
