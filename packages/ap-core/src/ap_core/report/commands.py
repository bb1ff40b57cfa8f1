"""What to type next."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ap_core.contracts import Stack, WeightsOrigin
from ap_core.errors import RunError
from ap_core.pipeline.opening.subject import made_by_function
from ap_core.report.settings import OF_TORCH
from ap_core.runs.directory import RunDirectory, runs_inside
from ap_core.runs.records import RunRecord

BENCHED = (*OF_TORCH, "onnxruntime")
"""Backends of `ap bench`; timers of plugins know others."""


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """A command, or lines of Python, and what for."""

    purpose: str
    lines: tuple[str, ...]


def next_steps(path: Path, record: RunRecord) -> tuple[NextStep, ...]:
    """What to do with a finished run."""
    live = made_by_function(record.architecture.name)
    factory = ", factory=make_network" if live else ""
    steps = [
        NextStep(
            purpose="Use the network",
            lines=(
                "from ap_core import load_model",
                f"model = load_model({str(path)!r}{factory})",
                "outputs = model(images)",
            ),
        ),
        NextStep(
            purpose="See the run in the terminal", lines=(command("runs", "show", str(path)),)
        ),
    ]
    if not live:
        steps += _with_commands(path, record)
    return tuple(steps)


def _with_commands(path: Path, record: RunRecord) -> Iterator[NextStep]:
    """Steps whose commands load the network by its name."""
    data = () if record.data else ("--data", "/path/to/images")
    if record.weights.origin != WeightsOrigin.RANDOM and not record.finetuned:
        yield NextStep(
            purpose="Train it again, to win accuracy back",
            lines=(command("finetune", str(path), *data),),
        )
    yield NextStep(
        purpose="Measure its latency on this machine",
        lines=(command("bench", str(path), *_as_timed(record)),),
    )


def _as_timed(record: RunRecord) -> Iterator[str]:
    """Options of `ap bench` for the stack that a run's latency was measured on, if it knows it."""
    found = record.result.latency if record.result else None
    if found is None or found.backend not in BENCHED:
        return
    usual = Stack()
    for option, value, default in (
        ("--backend", found.backend, usual.backend),
        ("--device", found.device, usual.device),
        ("--dtype", found.precision, usual.precision),
        ("--batch-size", str(found.batch_size), str(usual.batch_size)),
        ("--threads", str(found.threads), str(usual.threads)),
        ("--memory-format", found.memory_format, usual.memory_format),
    ):
        if value != default:
            yield from (option, value)


def command(*arguments: str) -> str:
    """Command line of `ap`, quoted for a shell."""
    return shlex.join(("ap", *arguments))


def reproduce(arguments: Sequence[str]) -> str:
    """Command line that a run was started with; "" where it was started from Python."""
    return shlex.join(arguments)


def go_on_in(path: Path) -> str:
    """Command line that goes on with what was stopped in a directory; "" where nothing was begun.

    path: of a run, or of the runs of several targets.
    """
    if runs_inside(path):
        return command("prune", "--resume", str(path))
    try:
        run = RunDirectory.open(path)
        record, training, trials = run.record(), run.training(), run.trials()
    except RunError:
        return ""
    if record.status != "done" and record.driven:
        step = ("show",) if trials else ("start", "--resume")
        return command("drive", *step, str(path))
    if record.status != "done":
        return go_on(path)
    return go_on_training(path) if training and training.status != "done" else ""


def go_on_training(path: Path) -> str:
    """Command line that goes on with a training that was stopped."""
    return command("finetune", str(path), "--resume")


def go_on(path: Path, *, driven: bool = False) -> str:
    """Command line that goes on with a run that was stopped. driven: whether step by step."""
    return (
        command("drive", "finish", str(path)) if driven else command("prune", "--resume", str(path))
    )
