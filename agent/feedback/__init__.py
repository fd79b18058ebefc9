"""Corrections, their states, the review queue, and the masking of personal data."""
