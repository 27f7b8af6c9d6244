"""What can be known of a run before it costs anything: its buckets and steps, its memory, its disk, and caches that are out of date.

Nothing here imports torch, opens a picture further than its header, or changes anything, but for
`caches.forget_stale`, which a run calls when it begins.
"""
