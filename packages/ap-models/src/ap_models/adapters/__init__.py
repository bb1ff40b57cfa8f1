"""Model adapters: one file per family; what they share is in `base`."""
