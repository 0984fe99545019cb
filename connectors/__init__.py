"""One package per channel, each keeping `bot.domain.connectors.Connector`; beside them, what several channels share."""
