"""Messenger, Instagram and WhatsApp on what they share: Meta's Graph API."""
