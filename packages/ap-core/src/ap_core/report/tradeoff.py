"""Curves over several runs: how quality falls with what a network costs."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ap_core.budget import NAMES
from ap_core.network import Metric
from ap_core.report.amounts import UNITS
from ap_core.report.curve import Curve, Point, curve
from ap_core.report.latency import Latencies
from ap_core.report.settings import Setting
from ap_core.runs.records import ResultRecord, RunRecord

DIGEST_LENGTH = 8
MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class CurveRun:
    """One run. series: runs of one are joined. budget: the label of its point.

    latencies: what the run itself knows, then a file; together: the other way round, as what a file
    holds was measured in the same rounds.
    """

    path: Path
    series: str
    budget: str
    record: RunRecord
    result: ResultRecord
    latencies: Latencies
    together: Latencies


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """A curve. notes: what to know of it, in sentences."""

    curve: Curve
    notes: tuple[str, ...] = ()


def cost_curve(runs: Sequence[CurveRun]) -> TradeOff:
    """Quality by MACs, or by parameters where nothing else was limited."""
    metrics = {cap.metric for run in runs for cap in run.record.budget.caps}
    by_params = metrics == {Metric.PARAMS.value}
    unit, letter = _unit(runs, by_params=by_params)
    metric = NAMES[Metric.PARAMS if by_params else Metric.MACS]

    def cost(run: CurveRun) -> float:
        return (run.result.params if by_params else run.result.macs) / unit

    def whole(members: Sequence[CurveRun]) -> float:
        result = members[0].result
        return (result.base_params if by_params else result.base_macs) / unit

    label = f"{letter} {metric}".strip()
    return TradeOff(curve=_picture(runs, cost, whole, by=metric, x_label=label, series=()))


def latency_curve(runs: Sequence[CurveRun], setting: Setting, *, name: str) -> TradeOff:
    """Quality by latency, of the runs that have one under this setting.

    name: of the setting; "" where there is no other.
    """
    there = [run for run in runs if setting in run.together]

    def taken(run: CurveRun) -> float:
        return 1000 * run.together[setting].seconds

    def whole(members: Sequence[CurveRun]) -> float | None:
        """Median of what it took beside each of them: it is one network. A file goes first."""
        found = [run.together[setting] for run in members]
        filed = any(each.source for each in found)
        times = [each.whole for each in found if each.whole and filed == bool(each.source)]
        return 1000 * median(times) if times else None

    return TradeOff(
        curve=_picture(
            there,
            taken,
            whole,
            by=f"latency, {name}" if name else "latency",
            x_label="ms",
            series=[run.series for run in runs],
        ),
        notes=tuple(_notes(runs, there, setting)),
    )


def series_of(runs: Sequence[tuple[RunRecord, ResultRecord]]) -> Iterator[str]:
    """Series of every run: runs that are alike in all that the name says but for the budget.

    The second run of one budget is of another series than the first.
    """
    seen: Counter[tuple[str, object]] = Counter()
    for record, result in runs:
        weights = record.weights
        limited = any(cap.metric == Metric.LATENCY.value for cap in record.budget.caps)
        name = (
            f"{record.model}, {weights.origin} weights {weights.sha256[:DIGEST_LENGTH]}, "
            f"{result.importance}, {result.strategist}"
            f"{', cut to a latency' if limited else ''}"
            f"{', fine-tuned' if record.finetuned else ''}"
        )
        seen[name, record.budget.caps] += 1
        number = seen[name, record.budget.caps]
        yield f"{name} ({number})" if number > 1 else name


def _picture(
    runs: Sequence[CurveRun],
    place: Callable[[CurveRun], float],
    whole: Callable[[Sequence[CurveRun]], float | None],
    *,
    by: str,
    x_label: str,
    series: Sequence[str],
) -> Curve:
    """Accuracy where every run has one, else the value that was kept.

    place, whole: where a run, and the whole network of a series, stand on the x-axis.
    series: of all curves of the page, so that one has one colour.
    """
    accurate = all(run.record.quality for run in runs)
    points = [
        Point(series=run.series, x=place(run), y=_quality(run, accurate=accurate), label=run.budget)
        for run in runs
    ]
    for name in dict.fromkeys(run.series for run in runs):
        members = [run for run in runs if run.series == name]
        x, y = whole(members), _whole_quality(members[0].result, accurate=accurate)
        if x is not None and y is not None:
            points.append(Point(series=name, x=x, y=y, label="whole"))
    return curve(
        points,
        title=f"{'Accuracy' if accurate else 'Value kept'} by {by}",
        x_label=x_label,
        y_label="top-1, %" if accurate else "value kept, %",
        series=series,
    )


def _quality(run: CurveRun, *, accurate: bool) -> float:
    quality = run.record.quality
    return 100 * (quality.top1 if accurate and quality else run.result.value)


def _whole_quality(result: ResultRecord, *, accurate: bool) -> float | None:
    """Of the uncut network; None where it is not known."""
    if not accurate:
        return 100.0
    return None if result.baseline is None else 100 * result.baseline.top1


def _unit(runs: Sequence[CurveRun], *, by_params: bool) -> tuple[int, str]:
    """Unit of the costs that the largest network is at least one of, and its letter."""
    largest = max(run.result.base_params if by_params else run.result.base_macs for run in runs)
    return next((unit for unit in UNITS if largest >= unit[0]), (1, ""))


def _notes(runs: Sequence[CurveRun], there: Sequence[CurveRun], setting: Setting) -> Iterator[str]:
    yield f"Median times of a pass; {setting}."
    found = [run.together[setting] for run in there]
    sources = dict.fromkeys(each.source for each in found)
    for path in sources:
        if path is not None:
            yield f"Those of {path} were measured in the same rounds."
    if any(run.latencies[setting] != run.together[setting] for run in there):
        yield "What the runs that were cut to a latency came to then is in the table."
    if len({(each.source, each.whole) for each in found}) > 1:
        yield (
            "They were not all measured at one time, and a machine is faster at one time than at "
            "another: compare how many times as fast as the whole network they are."
        )
    missing = [str(run.path) for run in runs if setting not in run.together]
    if missing:
        named, more = ", ".join(missing[:MOST_NAMED]), len(missing) - MOST_NAMED
        yield (
            f"Without a latency under this setting, and so not here: {named}"
            f"{f' and {more} more' if more > 0 else ''}."
        )
