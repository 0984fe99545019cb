"""All SQL of Tandem. A function whose first argument is a `Connection` is the body of a transaction: see `database`."""
