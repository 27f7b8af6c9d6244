"""Enlarging pictures by a network: its file opened safely, the picture in tiles that leave no seam, the tool and its stage."""
