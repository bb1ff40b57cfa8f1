"""What a latency was measured under and on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from ap_core.report.amounts import counted

CPU, CUDA = "cpu", "cuda:"
GPU = "gpu "
"""Begins the names of a machine's accelerators; their numbers are those of devices."""

OF_TORCH = ("eager", "compile")
"""Backends that need nothing but torch."""

OF_THE_MOMENT = ("load", "processor_mhz")
TOLD_APART = ("device", "threads", "machine", "byteorder")
"""What the settings, or the processor's name, say already."""

OF_NO_MATTER = (
    "platform", "python", "accelerate", "numpy", "onnx", "onnxscript", "optuna", "torch-pruning",
    "torchvision",
)  # fmt: skip
"""What latencies are not told apart by."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Settings, and the machine; latencies of equal ones can be compared.

    threads: None where they do not matter, or are not known. machine: in words.
    """

    device: str
    precision: str
    batch_size: int
    threads: int | None
    memory_format: str
    backend: str
    machine: tuple[str, ...]

    @classmethod
    def of(
        cls,
        *,
        device: str,
        precision: str,
        batch_size: int,
        threads: int | None,
        memory_format: str,
        backend: str,
        machine: Mapping[str, str],
    ) -> Self:
        """Setting, and what of the machine decides.

        device: "cpu", "cuda:0". threads: None for as many as torch takes, as the machine may say.
        """
        default = machine.get("threads", "")
        if threads is None and device == CPU and default.isdecimal():
            threads = int(default)
        return cls(
            device=device,
            precision=precision,
            batch_size=batch_size,
            threads=threads,
            memory_format=memory_format,
            backend=backend,
            machine=tuple(_words_of(_deciding(machine, device=device, backend=backend))),
        )

    @property
    def under(self) -> tuple[str, ...]:
        """The settings, in words."""
        batch = f"batch {self.batch_size}"
        words = (self.device, self.precision, batch, self.memory_format, self.backend)
        if self.device != CPU:
            return words
        cores = "threads unknown" if self.threads is None else counted(self.threads, "thread")
        return (*words, cores)

    @property
    def words(self) -> tuple[str, ...]:
        """Settings and machine, in words."""
        return (*self.under, *self.machine)

    def __str__(self) -> str:
        return f"{', '.join(self.under)}; on {', '.join(self.machine)}"


def _deciding(machine: Mapping[str, str], *, device: str, backend: str) -> dict[str, str]:
    """What of a machine a latency depends on; what is not known here, does."""
    idle = {*OF_THE_MOMENT, *TOLD_APART, *OF_NO_MATTER}
    idle |= {name for name in machine if name.startswith("ap-")}
    if device == CPU:
        idle |= {name for name in machine if name == "cuda" or name.startswith(GPU)}
    else:
        idle |= {"allocator", *(name for name in machine if name.startswith(GPU))}
        idle.discard(device.replace(CUDA, GPU))
    if backend in OF_TORCH:
        idle |= {"onnxruntime", "onnxruntime-gpu"}
    return {name: value for name, value in machine.items() if name not in idle}


def _words_of(machine: Mapping[str, str]) -> Iterator[str]:
    """A machine in words, its hardware first."""
    left = dict(sorted(machine.items()))
    if "processor" in left:
        cores, processor = left.pop("processors", ""), left.pop("processor")
        yield f"{cores} cores of {processor}" if cores else processor
    for name in tuple(left):
        if name.startswith(GPU):
            # What follows the name are clocks of the moment, and the driver.
            yield left.pop(name).partition(",")[0]
    yield from (f"{name} {value}" for name, value in left.items())
