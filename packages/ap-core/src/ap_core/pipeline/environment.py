"""What a run was made with: versions and machine, for its record."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAMED = (
    "ap-core", "ap-models", "ap-train", "ap-bench", "ap-llm", "torch", "torchvision", "timm",
    "torch-pruning", "accelerate", "numpy", "optuna", "onnx", "onnxruntime",
)  # fmt: skip


PROCESSORS = Path("/proc/cpuinfo")


def environment() -> dict[str, str]:
    """Versions of what decides over the result, and the machine."""
    found = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "processors": str(os.cpu_count() or 0),
        "byteorder": sys.byteorder,
    }
    for name in NAMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Name of the processor; its architecture where the system does not tell."""
    lines = PROCESSORS.read_text().splitlines() if PROCESSORS.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.machine()
