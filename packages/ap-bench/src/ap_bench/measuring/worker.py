"""A process that measures one network: `python -m ap_bench.measuring.worker`.

It reads a job from stdin, answers when the network has run once, and then, for every number of
passes that it reads, with their times.
"""

import os
import sys
from typing import TextIO

from pydantic import TypeAdapter

from ap_bench.measuring.devices import measuring
from ap_bench.measuring.jobs import Answer, Job
from ap_bench.measuring.memory import forget_peak, peak_resident, resident
from ap_bench.measuring.prepared import Memory, MemoryKind, Prepared
from ap_bench.measuring.settings import CPU
from ap_bench.measuring.subjects import open_subject
from ap_core.errors import ApError
from ap_core.plugins.registry import Registry


def main() -> None:
    """Answer until stdin ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out:
        # Whatever a library prints goes where errors go.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        try:
            _serve(sys.stdin, out)
        except ApError as error:
            _answer(out, Answer(failure=error.message, hint=error.hint))


def _serve(questions: TextIO, out: TextIO) -> None:
    job = TypeAdapter(Job).validate_json(questions.readline())
    with measuring(job.settings.threads):
        registry = _imported()
        before = resident()
        prepared = open_subject(registry, job.named).source.prepare(job.settings)
        memory = _grown(prepared, before) if job.settings.device == CPU else prepared.memory
        _answer(out, Answer(memory=memory, denormals=prepared.denormals))
        for line in questions:
            _answer(out, Answer(times=tuple(prepared.block(int(line)))))


def _imported() -> Registry:
    """What makes networks, imported: that is not what a network takes."""
    registry = Registry.from_entry_points()
    for offer in registry.model_adapters.values():
        offer.make()
    return registry


def _grown(prepared: Prepared, before: int | None) -> Memory | None:
    """How much the process takes at most in one more pass, beyond what it took before."""
    forget_peak()
    prepared.block(1)
    after = peak_resident()
    if before is None or after is None:
        return None
    return Memory(peak=after - before, kind=MemoryKind.RESIDENT)


def _answer(out: TextIO, answer: Answer) -> None:
    out.write(f"{TypeAdapter(Answer).dump_json(answer).decode()}\n")
    out.flush()


if __name__ == "__main__":
    main()
