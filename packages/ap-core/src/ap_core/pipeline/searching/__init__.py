"""The search of a run: the evidence, its trials, where it stands."""
