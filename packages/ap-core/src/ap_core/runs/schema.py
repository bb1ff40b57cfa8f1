"""Number of the schema of what ap writes: documents of runs, and what commands print as JSON."""

SCHEMA = 1
