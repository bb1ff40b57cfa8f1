"""Data sets: images, prepared as a network wants them, in disjoint splits drawn by seed."""
