"""What a run was made with: versions and machine, for its record."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

NAMED = (
    "ap-core", "ap-models", "ap-train", "ap-bench", "ap-llm", "torch", "torchvision", "timm",
    "torch-pruning", "accelerate", "numpy", "optuna",
)  # fmt: skip


def environment() -> dict[str, str]:
    """Versions of what decides over the result, and the machine."""
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": str(os.cpu_count() or 0),
        "byteorder": sys.byteorder,
    }
    for name in NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
