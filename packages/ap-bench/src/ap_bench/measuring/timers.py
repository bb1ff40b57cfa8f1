"""Timers: what latency budgets are measured with on this machine."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch.nn import Module

from ap_bench.measuring.allocator import keep_freed_memory
from ap_bench.measuring.devices import measuring, resolved
from ap_bench.measuring.machine import accelerators
from ap_bench.measuring.networks import Network
from ap_bench.measuring.rounds import compare_warm, warm_up
from ap_bench.measuring.settings import CPU, Backend, MemoryFormat, Settings, check
from ap_core.contracts import Pair, Stack
from ap_core.errors import ModelError, UsageError, unknown_name
from ap_core.pipeline.environment import environment

TOLD = ("processor", "processors", "machine", "torch", "torchvision", "timm")
"""Of the environment, what the time of a pass depends on."""

OF_ONNXRUNTIME = ("onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu")
"""What it depends on besides, where onnxruntime runs the network."""

OPTION = re.compile(r"--(backend|batch-size|device|dtype|memory-format|threads)\b")

BLOCK = 0.04
"""Seconds that a block of passes takes, at least one pass: many networks are timed."""


class LocalTimer:
    """Times networks by a backend of `ap bench`; the whole network stays ready."""

    def __init__(self, stack: Stack, whole: Module, input_size: tuple[int, int, int]) -> None:
        self._settings = settings_of(stack)
        self._input_size = input_size
        with measuring(self._settings.threads), _told_in_options_of_prune():
            network = self._network(whole)
            network.check(self._settings)
            self._whole = network.prepare(self._settings)
            self._passes = warm_up(self._whole, seconds=BLOCK)

    def about(self) -> Mapping[str, str]:
        """Device, processor, versions; the threads and allocator of a CPU, a GPU's name."""
        settings, known = self._settings, dict(environment())
        names = [*TOLD, *(OF_ONNXRUNTIME if settings.backend is Backend.ONNXRUNTIME else ())]
        if settings.device == CPU:
            known["threads"] = str(settings.threads or torch.get_num_threads())
            known["allocator"] = keep_freed_memory()
            names += ["threads", "allocator"]
        elif settings.device.startswith("cuda:"):
            # What follows a GPU's name are clocks of the moment.
            known |= {name: text.partition(",")[0] for name, text in accelerators().items()}
            names += ["cuda", settings.device.replace("cuda:", "gpu ")]
        told = {name: known[name] for name in names if known.get(name)}
        return {"device": settings.device, **told}

    def beside(self, module: Module, *, rounds: int) -> Sequence[Pair]:
        """Rounds as `ap bench` makes them. Raises: ModelError."""
        with measuring(self._settings.threads), _told_in_options_of_prune():
            other = self._network(module).prepare(self._settings)
            passes = [self._passes, warm_up(other, seconds=BLOCK)]
            whole, cut = compare_warm([self._whole, other], passes, rounds=rounds)
        pairs = zip(whole.rounds, cut.rounds, strict=True)
        return [Pair(whole=before, other=after) for before, after in pairs]

    def _network(self, module: Module) -> Network:
        return Network(name=type(module).__name__, module=module, input_size=self._input_size)


def settings_of(stack: Stack) -> Settings:
    """Settings of `ap bench` for a stack. Raises: UsageError."""
    formats = [each.value for each in MemoryFormat]
    if stack.memory_format not in formats:
        raise unknown_name("memory format", stack.memory_format, formats)
    settings = Settings(
        device=resolved(stack.device),
        dtype=stack.precision,
        batch_size=stack.batch_size,
        threads=stack.threads,
        memory_format=MemoryFormat(stack.memory_format),
        backend=Backend(stack.backend),
    )
    with _told_in_options_of_prune():
        check(settings)
    return settings


@contextmanager
def _told_in_options_of_prune() -> Iterator[None]:
    """Let errors name the options of `ap prune` where they name those of `ap bench`."""
    try:
        yield
    except (UsageError, ModelError) as error:
        message, hint = (OPTION.sub(_option_of_prune, text) for text in (error.message, error.hint))
        raise type(error)(message, hint=hint) from error


def _option_of_prune(found: re.Match[str]) -> str:
    return "--latency-batch" if found[1] == "batch-size" else f"--latency-{found[1]}"


def open_timer(stack: Stack, whole: Module, input_size: tuple[int, int, int]) -> LocalTimer:
    """Timer with the whole network ready. Raises: UsageError, ModelError."""
    return LocalTimer(stack, whole, input_size)
