"""Copperleaf, the sample brand: a small tea and coffee shop to try Tandem on when no brand is connected."""
