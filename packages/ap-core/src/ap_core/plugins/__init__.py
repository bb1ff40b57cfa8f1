"""Plugins: the hooks, the records that they return, and the loader that survives broken ones."""
