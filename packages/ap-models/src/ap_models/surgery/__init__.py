"""Surgery: cutting channels out, masking them, and rebuilding a cut network from disk."""
