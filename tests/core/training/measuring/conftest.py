"""The fake checkout of musubi-tuner, for a short run of its three stages."""

from tests.core.training.backends.test_musubi import checkout

__all__ = ["checkout"]
