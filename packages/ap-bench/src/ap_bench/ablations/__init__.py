"""Comparisons of strategists: configurations that are shipped, and what runs and shows them."""
