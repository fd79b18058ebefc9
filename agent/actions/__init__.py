"""What the assistant does: built-in actions, the project's own, locally or on a server."""
