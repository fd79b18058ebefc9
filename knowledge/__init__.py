"""Documents in, scored passages out; nothing heavy is imported here."""
