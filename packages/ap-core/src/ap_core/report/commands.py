"""What to type next."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """A command, or lines of Python, and what for."""

    purpose: str
    lines: tuple[str, ...]


def next_steps(path: Path, *, live: bool = False) -> tuple[NextStep, ...]:
    """What to do with a finished run.

    live: whether its network was made by code that only its author has; `ap bench` cannot make it.
    """
    factory = ", factory=make_network" if live else ""
    steps = (
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
    )
    if live:
        return steps
    bench = NextStep(
        purpose="Measure its latency on this machine", lines=(command("bench", str(path)),)
    )
    return (*steps, bench)


def command(*arguments: str) -> str:
    """Command line of `ap`, quoted for a shell."""
    return shlex.join(("ap", *arguments))


def reproduce(arguments: Sequence[str]) -> str:
    """Command line that a run was started with; "" where it was started from Python."""
    return shlex.join(arguments)


def go_on(path: Path) -> str:
    """Command line that goes on with a run that was stopped."""
    return command("prune", "--resume", str(path))
