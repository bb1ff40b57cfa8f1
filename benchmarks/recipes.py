"""Every shipped recipe through every stage, for a few steps, on generated images of full size.

`ap run NAME` on glyphs at the network's input size, with random weights and two updates: what takes
days with ImageNet is cut short, nothing is left out. Budget and MACs that came of it, seconds of
the whole, the most memory that the process held, and what the same command does when it is run
again.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ap_train.recipes.recipe import RECIPES
from benchmarks.output import Row, show

FEW = {
    "prune.weights": "random",
    "prune.num_classes": 32,
    "prune.batch_size": 4,
    "prune.held_out": 32,
    "prune.calibration_batches": 1,
    "finetune.from_scratch": "true",
    "finetune.teacher": "none",
    "finetune.max_steps": 2,
    "finetune.batch_size": 4,
    "finetune.warmup_epochs": 0,
}
AP = (sys.executable, "-m", "ap_core")
MEGABYTE = 10**6


def main() -> None:
    """One row a recipe."""
    with tempfile.TemporaryDirectory() as place:
        rows = [followed(name, Path(place) / name) for name in RECIPES.names()]
    show("recipes", rows, about=__doc__ or "", note="glyphs at 224 px, two updates")


def followed(name: str, place: Path) -> Row:
    """What came of a recipe."""
    given = [word for key, value in FEW.items() for word in ("--set", f"{key}={value}")]
    command = [*AP, "run", name, "--data", "glyphs", "--output", str(place), *given, "--json"]
    start = time.perf_counter()
    with tempfile.TemporaryFile() as complaints:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints)
        assert running.stdout is not None
        told = running.stdout.read()
        _, status, usage = os.wait4(running.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            complaints.seek(0)
            code, said = os.waitstatus_to_exitcode(status), complaints.read().decode()
            raise RuntimeError(f"{name} ended with {code}:\n{said}")
    stages = json.loads(told)["stages"]
    again = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["stages"]
    record = json.loads((place / "run.json").read_text())
    return {
        "recipe": name,
        "target G": record["budget"]["caps"][0]["limit"] / 1e9,
        "MACs G": record["result"]["macs"] / 1e9,
        "stages done": ", ".join(stage for stage, said in stages.items() if said == "done"),
        "again": ", ".join(sorted(set(again.values()))),
        "seconds": seconds,
        "memory MB": 1024 * usage.ru_maxrss / MEGABYTE,
    }


if __name__ == "__main__":
    main()
