"""The learned policy: what it is trained on, and its two kinds."""
