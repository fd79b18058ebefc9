"""What `agent test` finds out: stories, noise, fairness, suspicious labels, reports."""
