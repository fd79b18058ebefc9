"""Cures for little, noisy or changing data: flags of `agent train`."""
