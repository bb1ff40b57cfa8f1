"""What a process that measures is told, and what it answers: one line of JSON each."""

from dataclasses import dataclass

from ap_bench.measuring.denormals import Denormals
from ap_bench.measuring.prepared import Memory
from ap_bench.measuring.settings import Settings
from ap_bench.measuring.subjects import Named


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to measure, and under what."""

    named: Named
    settings: Settings


@dataclass(frozen=True, kw_only=True)
class Answer:
    """times: seconds of every pass. failure, hint: of an error that ends the process.

    memory: what the process grew by at most on a CPU, bytes of tensors on a GPU.
    """

    times: tuple[float, ...] = ()
    memory: Memory | None = None
    denormals: Denormals | None = None
    failure: str = ""
    hint: str = ""
