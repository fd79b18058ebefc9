"""Rasa's HTTP surface, with its paths, shapes and status codes."""
