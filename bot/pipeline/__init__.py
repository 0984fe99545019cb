"""The use cases: what happens to a message, from one durable box to the other."""
