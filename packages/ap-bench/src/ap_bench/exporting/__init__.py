"""Writing networks to files that run without ap, and seeing that they do: `ap export`."""
