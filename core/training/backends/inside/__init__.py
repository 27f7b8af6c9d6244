"""What runs inside another trainer's own environment: each file stands alone and needs nothing but torch."""
