"""Suggests items to people: from what they did, what the items say, and what others did."""
