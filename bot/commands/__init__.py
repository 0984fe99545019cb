"""What `python -m bot` can do: one module per command."""
