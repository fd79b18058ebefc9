"""Method `head`: small heads on a frozen encoder, words and letters beside it; no torch."""
