"""Where agents work: Slack, or the local pages where Slack is not configured."""
