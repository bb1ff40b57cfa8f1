"""An importance and a model family, as a plugin of AgenticPruner."""
