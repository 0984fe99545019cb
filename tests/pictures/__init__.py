"""Pictures for the guides, drawn from the payloads that Slack gets."""
