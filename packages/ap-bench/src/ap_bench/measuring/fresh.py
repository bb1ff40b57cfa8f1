"""Measuring in new processes: what one process happens to be like does not decide.

How memory is laid out differs between two processes of one program, and can make one faster for as
long as it lives. Here every round starts all networks anew.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from tempfile import TemporaryFile
from typing import IO

from pydantic import TypeAdapter

from ap_bench.measuring.jobs import Answer, Job
from ap_bench.measuring.prepared import Memory
from ap_bench.measuring.results import Timed
from ap_bench.measuring.rounds import compare_anew
from ap_bench.measuring.settings import Settings
from ap_bench.measuring.subjects import Named
from ap_core.errors import ModelError

PROGRAM = (sys.executable, "-m", "ap_bench.measuring.worker")

PATIENCE = 10
"""Seconds that a process has to end by itself."""


class FreshNetwork:
    """A network in a process of its own; a `Runnable`. answer: what it said when it was ready."""

    def __init__(self, job: Job, process: subprocess.Popen[str], errors: IO[bytes]) -> None:
        self._job = job
        self._process = process
        self._errors = errors
        self.answer = Answer()

    def get_ready(self) -> None:
        """Wait until it has run once. Raises: ModelError."""
        self.answer = self._ask(None)

    def block(self, passes: int) -> Sequence[float]:
        """Run so many passes, each to its end; returns the seconds of each. Raises: ModelError."""
        return self._ask(passes).times

    def _ask(self, passes: int | None) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if passes is not None:
            # One that is gone says so below, by ending its output.
            with suppress(BrokenPipeError):
                self._process.stdin.write(f"{passes}\n")
                self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        answer = TypeAdapter(Answer).validate_json(line)
        if answer.failure:
            raise ModelError(answer.failure, hint=answer.hint)
        return answer

    def _ended(self) -> ModelError:
        code = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return ModelError(
            f"the process that measured {self._job.named.text} ended with {how}"
            + (f": {said[-1]}" if said else ""),
            hint="where memory is short, the system kills it: take a smaller --batch-size",
        )


def measure_fresh(
    names: Sequence[Named],
    plan: Sequence[Settings],
    *,
    rounds: int,
    advance: Callable[[int], None],
    program: Sequence[str] = PROGRAM,
) -> tuple[Timed, ...]:
    """Every round in new processes, one for each subject. Raises: ModelError.

    program: command line of what measures one.
    """
    jobs = [Job(named=each, settings=settings) for each, settings in zip(names, plan, strict=True)]
    answers: list[list[Answer]] = []
    timings = compare_anew(
        partial(_started, program, jobs, answers), rounds=rounds, advance=advance
    )
    return tuple(
        Timed(timings=timing, memory=_most(each), denormals=each[0].denormals)
        for timing, each in zip(timings, zip(*answers, strict=True), strict=True)
    )


@contextmanager
def _started(
    program: Sequence[str], jobs: Sequence[Job], answers: list[list[Answer]]
) -> Iterator[Sequence[FreshNetwork]]:
    """One process for each job, started together. answers: gets what they say when ready."""
    with ExitStack() as stack:
        networks = [stack.enter_context(_process(program, job)) for job in jobs]
        for each in networks:
            each.get_ready()
        answers.append([each.answer for each in networks])
        yield networks


@contextmanager
def _process(program: Sequence[str], job: Job) -> Iterator[FreshNetwork]:
    with TemporaryFile() as errors:
        process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdin is not None
        with process, _ending(process):
            with suppress(BrokenPipeError):
                process.stdin.write(f"{TypeAdapter(Job).dump_json(job).decode()}\n")
                process.stdin.flush()
            yield FreshNetwork(job, process, errors)


@contextmanager
def _ending(process: subprocess.Popen[str]) -> Iterator[None]:
    """End a process at the end, by force where it does not end by itself."""
    assert process.stdin is not None
    patience = 0
    try:
        yield
        patience = PATIENCE
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
        process.kill()


def _most(answers: Sequence[Answer]) -> Memory | None:
    found = [each.memory for each in answers if each.memory is not None]
    return max(found, key=lambda memory: memory.peak) if found else None
