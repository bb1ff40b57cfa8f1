"""Model adapters, tracing and surgery on torch-pruning, importances and counters."""

from ap_models.adapters.base import DependencyGraphAdapter

__all__ = ["DependencyGraphAdapter"]
