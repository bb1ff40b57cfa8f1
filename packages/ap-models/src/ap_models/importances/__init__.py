"""Criteria that score channels, and the engine that runs them."""
