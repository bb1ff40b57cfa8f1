"""What the user asks `bench` for."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated

from pydantic import Field

from ap_bench.measuring.settings import CPU, Backend, MemoryFormat
from ap_core.contracts import Precision
from ap_core.runs.records import Record

ROUNDS = 17
"""The interval of the sign test holds the median of 17 rounds with 95.1 %, nearest to 95."""

FEWEST = 6
"""Rounds that an interval of 95 % needs."""

Positive = Annotated[int, Field(ge=1)]


class Combination(Record):
    """Settings that all subjects are measured under; a backend of None is each one's own."""

    device: str
    dtype: Precision
    batch_size: int
    threads: int | None
    memory_format: MemoryFormat
    backend: Backend | None


class BenchOptions(Record):
    """What to measure under; every combination of the lists is measured.

    device: "cpu", "cuda", "cuda:N", "mps", or "auto" for the best there is.
    threads: of the CPU; none for torch's own number. backend: none for each subject's own:
    onnxruntime for .onnx files, eager for all others.
    rounds: in each, every subject runs in turn, in an order that is drawn, and back.
    fresh: whether every round measures in new processes, one for each subject.
    input_size: (channels, height, width) of an image, for subjects that are models; None for each
    one's own.
    """

    device: tuple[str, ...] = Field(default=(CPU,), min_length=1)
    dtype: tuple[Precision, ...] = Field(default=(Precision.FP32,), min_length=1)
    batch_size: tuple[Positive, ...] = Field(default=(1,), min_length=1)
    threads: tuple[Positive, ...] = ()
    memory_format: tuple[MemoryFormat, ...] = Field(
        default=(MemoryFormat.CONTIGUOUS,), min_length=1
    )
    backend: tuple[Backend, ...] = ()
    rounds: int = Field(default=ROUNDS, ge=FEWEST)
    fresh: bool = False
    input_size: tuple[Positive, Positive, Positive] | None = None

    def combinations(self) -> Iterator[Combination]:
        """Every combination, the batch size changing fastest."""
        for device, backend, memory_format, dtype, threads, batch_size in product(
            self.device,
            self.backend or (None,),
            self.memory_format,
            self.dtype,
            self.threads or (None,),
            self.batch_size,
        ):
            yield Combination(
                device=device,
                dtype=dtype,
                batch_size=batch_size,
                threads=threads,
                memory_format=memory_format,
                backend=backend,
            )
