"""The customer directory: reads a brand's records in any SQL database through a mapping, and never writes them."""
