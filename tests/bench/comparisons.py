"""Small comparisons, and the program that runs them, in this process or in one of its own."""

import io
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from warm import warm_ap

from ap_core.cli.main import run

ALONE = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

SHARED = """
title = "a small comparison"
targets = ["50%"]
seeds = [0, 1]

[prune]
data = "digits"
weights = "random"
num_classes = 10
input_size = [3, 32, 32]
calibration_batches = 1
held_out = 64
trials = 2

[[model]]
name = "test_resnet"
"""

SOLVER = """
[[contender]]
name = "solver"
strategist = "solver"
"""

RANDOM = """
[[contender]]
name = "by chance"
strategist = "random"
"""

MISSES = """
[[contender]]
name = "misses"
strategist = "grid"
raw = "+0/-0"
"""

MEETS = """
[[contender]]
name = "meets"
strategist = "grid"
raw = "+60/-60"
"""

AGENTS = """
[[contender]]
name = "scripted"
strategist = "agents"
llm = "replay:{transcript}"
trials = 3
"""

REPLIES = (
    {"reading": "It is small."},
    {"rationale": "smoother", "smoothing": 1.0},
)


def written(place: Path, *parts: str, name: str = "small") -> Path:
    """Configuration of these parts."""
    path = place / f"{name}.toml"
    path.write_text("".join(parts))
    return path


def transcript(place: Path, replies: Sequence[object] = REPLIES) -> Path:
    """Answers to whatever is asked, one after the other."""
    path = place / "answers.jsonl"
    lines = []
    for reply in replies:
        said = {"text": json.dumps(reply), "model": "script", "input_tokens": 9, "output_tokens": 2}
        lines.append(json.dumps({"kind": "exchange", "reply": said}))
    path.write_text("\n".join(lines) + "\n")
    return path


def ablate(*arguments: object, code: int = 0) -> tuple[str, str]:
    """stdout and stderr of `ap ablate` in this process, which must end with this code."""
    out, err = io.StringIO(), io.StringIO()
    words = ("ablate", *map(str, arguments))
    assert run(words, environment={"COLUMNS": "300"}, out=out, err=err) == code, err.getvalue()
    assert "Traceback" not in err.getvalue()
    return out.getvalue(), err.getvalue()


def started(*arguments: object) -> subprocess.Popen[str]:
    """`ap ablate` in a process of its own."""
    return subprocess.Popen(
        [warm_ap(), "ablate", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | ALONE,
    )  # fmt: skip


def document(home: Path) -> dict[str, object]:
    """ablation.json."""
    return json.loads((home / "ablation.json").read_text())


def by_contender(found: dict[str, object], name: str) -> list[dict[str, object]]:
    """Cells of one contender."""
    return [cell for cell in found["cells"] if cell["contender"] == name]
