"""Model adapters, tracing and surgery on torch-pruning, importances and counters."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ap_models.adapters.base import DependencyGraphAdapter

__all__ = ["DependencyGraphAdapter"]


def __getattr__(name: str) -> object:
    """Import the base class of adapters, and torch, when it is asked for: `ap --help` does not."""
    if name != "DependencyGraphAdapter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ap_models.adapters.base import DependencyGraphAdapter

    return DependencyGraphAdapter
