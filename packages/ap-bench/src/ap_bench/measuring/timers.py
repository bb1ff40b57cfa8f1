"""Timers: what latency budgets are measured with on this machine."""

from collections.abc import Mapping, Sequence

import torch
from torch.nn import Module

from ap_bench.measuring.devices import resolved, using_threads
from ap_bench.measuring.machine import accelerators
from ap_bench.measuring.networks import Network
from ap_bench.measuring.rounds import compare_warm, warm_up
from ap_bench.measuring.settings import Backend, MemoryFormat, Settings, check
from ap_core.contracts import Pair, Stack
from ap_core.errors import UsageError, unknown_name
from ap_core.pipeline.environment import environment

TOLD = ("processor", "processors", "machine", "torch", "onnx", "onnxruntime", "onnxscript", "timm")
"""Of the environment, what the time of a pass depends on."""

BLOCK = 0.04
"""Seconds that a block of passes takes, at least one pass: many networks are timed."""


class LocalTimer:
    """Times networks by a backend of `ap bench`; the whole network stays ready."""

    def __init__(self, stack: Stack, whole: Module, input_size: tuple[int, int, int]) -> None:
        self._settings = settings_of(stack)
        self._input_size = input_size
        with using_threads(self._settings.threads):
            network = self._network(whole)
            network.check(self._settings)
            self._whole = network.prepare(self._settings)
            self._passes = warm_up(self._whole, seconds=BLOCK)

    def about(self) -> Mapping[str, str]:
        """Device, processor, accelerators, versions, threads."""
        known = environment()
        gpus = {name: text.partition(",")[0] for name, text in accelerators().items()}
        threads = self._settings.threads or torch.get_num_threads()
        told = {name: known[name] for name in TOLD if name in known}
        return {"device": self._settings.device, **told, **gpus, "threads": str(threads)}

    def beside(self, module: Module, *, rounds: int) -> Sequence[Pair]:
        """Rounds as `ap bench` makes them. Raises: ModelError."""
        with using_threads(self._settings.threads):
            other = self._network(module).prepare(self._settings)
            passes = [self._passes, warm_up(other, seconds=BLOCK)]
            whole, cut = compare_warm([self._whole, other], passes, rounds=rounds)
        pairs = zip(whole.rounds, cut.rounds, strict=True)
        return [Pair(whole=before, other=after) for before, after in pairs]

    def _network(self, module: Module) -> Network:
        return Network(name=type(module).__name__, module=module, input_size=self._input_size)


def settings_of(stack: Stack) -> Settings:
    """Settings of `ap bench` for a stack. Raises: UsageError, in the words of `ap prune`."""
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
    try:
        check(settings)
    except UsageError as error:
        raise UsageError(f"this stack cannot be timed: {error.message}") from error
    return settings


def open_timer(stack: Stack, whole: Module, input_size: tuple[int, int, int]) -> LocalTimer:
    """Timer with the whole network ready. Raises: UsageError, ModelError."""
    return LocalTimer(stack, whole, input_size)
