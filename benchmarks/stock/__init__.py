"""A stock Rasa to measure beside: its environment, configuration and action server."""
