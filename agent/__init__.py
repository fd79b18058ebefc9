"""The agent room: understanding, dialogue, actions, storage, feedback, and their faces."""
