"""How long the networks of runs take, and what can be compared: equal settings, equal machines."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ap_core.errors import UsageError
from ap_core.estimates import Estimate
from ap_core.report.bench_file import BenchFile, Measured
from ap_core.report.settings import Setting
from ap_core.runs.records import LatencyRecord, ResultRecord, RunRecord


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds of a pass of a run's network, and of the whole one beside it, where that is known.

    faster: how many times as fast as the whole network it is.
    source: file that it is from; None for the run's own record.
    """

    setting: Setting
    seconds: float
    whole: float | None
    faster: Estimate | None
    source: Path | None


OTHERWISE = "otherwise"
"""Name of a setting of which only that is known which all have."""

Latencies = Mapping[Setting, Latency]
"""Latencies of one run."""


def latencies(
    path: Path, record: RunRecord, result: ResultRecord, bench: BenchFile | None
) -> Latencies:
    """The latency that a run was cut to, first, and those of a file under other settings.

    Raises: UsageError where the file is of another network than the run's.
    """
    own = () if result.latency is None else (_own(result.latency),)
    found = {each.setting: each for each in own}
    return found | {
        setting: each
        for setting, each in latencies_in(bench, path, record, result).items()
        if setting not in found
    }


def latencies_in(
    bench: BenchFile | None, path: Path, record: RunRecord, result: ResultRecord
) -> Latencies:
    """Those of a file alone. Raises: UsageError."""
    found: dict[Setting, Latency] = {}
    for each in () if bench is None else _of_file(path, record, result, bench):
        found.setdefault(each.setting, each)
    return found


def told_apart(every: Iterable[Latencies]) -> dict[Setting, str]:
    """Settings of all runs, those of most runs first, and what tells each from the others."""
    counts = Counter(setting for found in every for setting in found)
    ordered = [setting for setting, _ in counts.most_common()]
    if len(ordered) == 1:
        return {ordered[0]: ""}
    common = set.intersection(*(set(each.words) for each in ordered)) if ordered else set()
    own = {each: [word for word in each.words if word not in common] for each in ordered}
    return {each: ", ".join(words) or OTHERWISE for each, words in own.items()}


def _own(record: LatencyRecord) -> Latency:
    setting = Setting.of(
        device=record.device,
        precision=record.precision,
        batch_size=record.batch_size,
        threads=record.threads,
        memory_format=record.memory_format,
        backend=record.backend,
        machine=record.machine,
    )
    return Latency(
        setting=setting,
        seconds=record.seconds,
        whole=record.base_seconds,
        faster=Estimate(value=record.faster, low=record.low, high=record.high),
        source=None,
    )


def _of_file(
    path: Path, record: RunRecord, result: ResultRecord, bench: BenchFile
) -> Iterator[Latency]:
    for group in bench.groups:
        wholes = {
            _setting(each, bench): each
            for each in reversed(group)
            if _is_whole(each, record, result)
        }
        for each in group:
            if each.is_of(path):
                _check(each, path, result, bench)
                yield _measured(each, wholes.get(_setting(each, bench)), group[0], bench)


def _measured(each: Measured, whole: Measured | None, first: Measured, bench: BenchFile) -> Latency:
    """Latency of a file. first: the one that its ratio is over."""
    faster = None
    if whole is first and each.ratio_interval is not None:
        low, high = each.ratio_interval
        faster = Estimate(value=each.ratio, low=low, high=high)
    return Latency(
        setting=_setting(each, bench),
        seconds=each.median,
        whole=None if whole is None else whole.median,
        faster=faster,
        source=bench.path,
    )


def _is_whole(each: Measured, record: RunRecord, result: ResultRecord) -> bool:
    """Whether a network is the run's before the cut: names are spelled in several ways."""
    counted = (each.macs, each.params) == (result.base_macs, result.base_params)
    return counted and each.input_size == record.architecture.input_size


def _check(each: Measured, path: Path, result: ResultRecord, bench: BenchFile) -> None:
    if each.params in (None, result.params) and each.macs in (None, result.macs):
        return
    raise UsageError(
        f"{bench.path} is of another network than {path} holds now", hint="measure it again"
    )


def _setting(each: Measured, bench: BenchFile) -> Setting:
    return Setting.of(
        device=each.device,
        precision=each.dtype,
        batch_size=each.batch_size,
        threads=each.threads,
        memory_format=each.memory_format,
        backend=each.backend,
        machine=bench.machine,
    )
