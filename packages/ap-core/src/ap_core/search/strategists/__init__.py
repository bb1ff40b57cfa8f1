"""The built-in strategists: rules, grid, chance, and TPE."""
