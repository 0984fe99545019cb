"""What the bot says and does: rasa-sdk custom actions, run inside the service."""
