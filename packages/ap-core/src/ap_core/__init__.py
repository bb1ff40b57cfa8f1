"""AgenticPruner: a vision model and a compute budget in, a smaller model that keeps to it out.

Importing this is instant: torch comes in with the first use of a name.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ap_core.pipeline.api import load_model, profile, prune

__all__ = ["load_model", "profile", "prune"]


def __getattr__(name: str) -> object:
    """Import the public functions when they are asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'ap_core' has no attribute {name!r}")
    from ap_core.pipeline import api

    return getattr(api, name)
