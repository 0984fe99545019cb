"""A brand's own app, by signed webhooks."""
