"""Tandem: bot and people answer customers together."""
