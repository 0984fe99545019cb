"""Comments of WordPress sites."""
