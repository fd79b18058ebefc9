"""Who may do what: conversation tokens, users and their sessions, limits, headers."""
