"""Copperleaf, the sample brand: a small tea and coffee shop whose records Tandem answers from when no brand is connected."""
