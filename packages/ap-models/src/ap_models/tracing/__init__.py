"""Tracing: from a torch module to groups of channels and their exact cost."""
