"""Loading and measuring the networks that a comparison names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ap_bench.latency import Latency, compare
from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.pipeline.reload import load_model
from ap_core.pipeline.subject import load_subject
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD, RunDirectory

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network and its latency. macs, params: counted on the very network that ran."""

    name: str
    macs: int
    params: int
    latency: Latency


def measure(
    registry: Registry,
    subjects: Sequence[str],
    *,
    batch_size: int,
    threads: int | None,
    rounds: int,
) -> tuple[Measured, ...]:
    """Latencies of run directories and named networks, in their order.

    Raises: UnknownNameError, ModelError, RunError.
    """
    loaded = [_load(registry, subject) for subject in subjects]
    latencies = compare(
        [module for module, _ in loaded],
        [size for _, size in loaded],
        batch_size=batch_size,
        threads=threads,
        rounds=rounds,
    )
    return tuple(
        Measured(
            name=name,
            macs=_meter(registry, "macs", module, size),
            params=_meter(registry, "params", module, size),
            latency=latency,
        )
        for name, (module, size), latency in zip(subjects, loaded, latencies, strict=True)
    )


def _load(registry: Registry, subject: str) -> "tuple[Module, tuple[int, int, int]]":
    path = Path(subject)
    if (path / RECORD).is_file():
        record = RunDirectory.open(path).record()
        return load_model(path, registry=registry), record.architecture.input_size
    request = ModelRequest(name=subject, weights=WeightsPolicy.RANDOM)
    loaded = load_subject(registry, request).loaded
    return loaded.module, loaded.architecture.input_size


def _meter(registry: Registry, name: str, module: "Module", size: tuple[int, int, int]) -> int:
    return int(registry.meters[name].make()(module, input_size=size, data=None)[name])
