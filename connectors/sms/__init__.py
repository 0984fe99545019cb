"""SMS, by Twilio."""
