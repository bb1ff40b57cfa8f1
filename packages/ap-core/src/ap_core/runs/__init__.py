"""Run directories: everything about one run on disk, whole at every instant."""
