"""The steps from one schema to the next; `bot.store.migrating` takes them."""
