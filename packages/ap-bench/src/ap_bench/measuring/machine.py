"""The machine that figures were measured on, and its software."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from statistics import fmean

import torch

from ap_bench.measuring.allocator import keep_freed_memory
from ap_core.pipeline.environment import PROCESSORS, environment

ASKED = "name,clocks.sm,clocks.max.sm,driver_version"


def machine() -> dict[str, str]:
    """Versions, processor and accelerators; clocks as they are now, where they can be read."""
    found = {**environment(), "threads": str(torch.get_num_threads())}
    if clock := processor_clock():
        found["processor_mhz"] = f"{clock:.0f}"
    if hasattr(os, "getloadavg"):
        found["load"] = f"{os.getloadavg()[0]:.2f}"
    if allocator := keep_freed_memory():
        found["allocator"] = allocator
    return {**found, **accelerators()}


def accelerators() -> dict[str, str]:
    """GPUs that torch sees, by "gpu 0", and CUDA's version; clocks where nvidia-smi tells them."""
    count = torch.cuda.device_count()
    if not count:
        return {}
    clocks = dict(_clocks())
    names = (torch.cuda.get_device_name(number) for number in range(count))
    found = {f"gpu {number}": f"{name}{clocks.get(name, '')}" for number, name in enumerate(names)}
    return {**found, "cuda": str(torch.version.cuda)}


def processor_clock() -> float | None:
    """Mean clock of the processor's cores, in MHz; None where the system does not say."""
    if not PROCESSORS.exists():
        return None
    lines = PROCESSORS.read_text().splitlines()
    found = [float(line.partition(":")[2]) for line in lines if line.startswith("cpu MHz")]
    return fmean(found) if found else None


def _clocks() -> Iterator[tuple[str, str]]:
    """Names of GPUs, and what nvidia-smi says of their clocks and driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return
    asked = [program, f"--query-gpu={ASKED}", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        return
    for line in done.stdout.splitlines():
        name, now, most, driver = (part.strip() for part in line.split(","))
        yield name, f", {now} of {most}, driver {driver}"
