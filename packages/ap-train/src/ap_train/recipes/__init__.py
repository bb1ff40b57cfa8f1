"""Recipes: everything from a trained network to a small one that was measured, in one TOML file."""
