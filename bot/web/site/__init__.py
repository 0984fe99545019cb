"""The sample brand's page, to try Tandem on: a small shop with the chat on it."""
