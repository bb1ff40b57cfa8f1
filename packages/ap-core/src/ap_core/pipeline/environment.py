"""What a run was made with: versions and machine, for its record."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NAMED = (
    "ap-core", "ap-models", "ap-train", "ap-bench", "ap-llm", "torch", "torchvision", "timm",
    "torch-pruning", "accelerate", "numpy", "optuna", "onnx", "onnxscript", "onnxruntime",
    "onnxruntime-gpu",
)  # fmt: skip

PROCESSORS = Path("/proc/cpuinfo")
NUMBERS = ("CPU implementer", "CPU part")
"""What Linux says of ARM processors, which mostly have no name."""


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
    """Name of the processor, or its maker's numbers; its architecture where nothing is told."""
    told = dict(_told_of_processor())
    if name := told.get("model name") or told.get("brand"):
        return name
    numbers = " ".join(f"{key[4:]} {told[key]}" for key in NUMBERS if key in told)
    return numbers or platform.processor() or platform.machine()


def _told_of_processor() -> Iterator[tuple[str, str]]:
    """What Linux or macOS says of the processor, by name."""
    if PROCESSORS.exists():
        for line in PROCESSORS.read_text().splitlines():
            name, _, value = line.partition(":")
            yield name.strip(), value.strip()
    elif sysctl := shutil.which("sysctl"):
        asked = [sysctl, "-n", "machdep.cpu.brand_string"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        yield "brand", done.stdout.strip()
