"""The use cases: what the commands call, and what the public Python API is."""
