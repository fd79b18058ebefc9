"""Dialogue: events, the tracker that folds them, the policies that choose the next action."""
