"""X: direct messages and mentions."""
