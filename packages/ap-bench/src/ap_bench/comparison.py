"""Loading and measuring the networks that a comparison names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.errors import RunError
from ap_core.pipeline.opening.reload import load_model, request_again
from ap_core.pipeline.opening.subject import load_subject
from ap_core.plugins.registry import Registry
from ap_core.report.commands import go_on
from ap_core.runs.directory import RECORD, RunDirectory, runs_inside
from ap_core.runs.listing import status_of
from ap_core.runs.records import RunRecord

if TYPE_CHECKING:
    from torch.nn import Module

    from ap_bench.latency import Latency


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network and its latency. macs, params: counted on the very network that ran."""

    name: str
    macs: int
    params: int
    latency: "Latency"


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A network at hand. run: the record of the run that it comes from; None for a whole one."""

    name: str
    module: "Module"
    size: tuple[int, int, int]
    run: RunRecord | None = None


def measure(
    registry: Registry,
    subjects: Sequence[str],
    *,
    batch_size: int,
    threads: int | None,
    rounds: int,
) -> tuple[Measured, ...]:
    """Latencies of named networks and of runs; the first is the baseline, a whole network.

    It is the first that is named; where only runs are, the whole network of the first run.
    Raises: UnknownNameError, ModelError, RunError.
    """
    from ap_bench.latency import compare

    loaded = _baseline_first(registry, [_load(registry, subject) for subject in subjects])
    latencies = compare(
        [each.module for each in loaded],
        [each.size for each in loaded],
        batch_size=batch_size,
        threads=threads,
        rounds=rounds,
    )
    return tuple(
        Measured(
            name=each.name,
            macs=_meter(registry, "macs", each),
            params=_meter(registry, "params", each),
            latency=latency,
        )
        for each, latency in zip(loaded, latencies, strict=True)
    )


def _baseline_first(registry: Registry, loaded: Sequence[_Loaded]) -> list[_Loaded]:
    named = [each for each in loaded if each.run is None]
    runs = [each.run for each in loaded if each.run is not None]
    first = named[0] if named else _whole(registry, request_again(runs[0].architecture))
    return [first, *(each for each in loaded if each is not first)]


def _load(registry: Registry, subject: str) -> _Loaded:
    path = Path(subject)
    if not (path / RECORD).is_file() and not runs_inside(path):
        return _whole(registry, ModelRequest(name=subject, weights=WeightsPolicy.RANDOM))
    record = RunDirectory.open(path).record()
    if status_of(path, record) == "interrupted":
        raise RunError(
            f"the run {path} is not finished: interrupted", hint=f"go on with: {go_on(path)}"
        )
    module = load_model(path, registry=registry)
    return _Loaded(name=subject, module=module, size=record.architecture.input_size, run=record)


def _whole(registry: Registry, request: ModelRequest) -> _Loaded:
    """Whole network with random weights: they do not change how long a pass takes."""
    loaded = load_subject(registry, request).loaded
    return _Loaded(name=request.name, module=loaded.module, size=loaded.architecture.input_size)


def _meter(registry: Registry, name: str, loaded: _Loaded) -> int:
    meter = registry.meters[name].make()
    return int(meter(loaded.module, input_size=loaded.size, data=None)[name])
