"""The words of Tandem as plain values: no I/O, the standard library only."""
