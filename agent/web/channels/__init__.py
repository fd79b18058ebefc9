"""The channels that `credentials.yml` lists."""
