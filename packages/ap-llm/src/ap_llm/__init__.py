"""AgenticPruner."""
