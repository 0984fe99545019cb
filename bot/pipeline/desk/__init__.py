"""What agents do with tickets: one transaction for each act, whatever surface it is done on."""
