"""One file per channel: each speaks its channel's protocol and keeps `bot.domain.connectors.Connector`."""
