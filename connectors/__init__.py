"""One package per channel, which keeps `bot.domain.connectors.Connector`; beside them is what several channels share."""
