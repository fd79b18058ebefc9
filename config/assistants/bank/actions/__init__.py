"""The bank assistant's own actions, over a small demo ledger."""
