"""Watches a stream of short texts: what they are about, how they sound, when that surges."""
