"""Channels and their customers on one machine: fake servers that keep the truth, and a crowd that writes to Tandem."""
