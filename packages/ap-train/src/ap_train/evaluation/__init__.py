"""Evaluation: what a network answers on images, and how sure one can be of the figures."""
