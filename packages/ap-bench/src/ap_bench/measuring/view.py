"""What `ap bench` shows in the terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ap_core.console import Cell, Console
from ap_core.report.amounts import amount, percent

if TYPE_CHECKING:
    from ap_bench.measuring.results import Bench, Facts, Result
    from ap_core.estimates import Estimate

CONFIDENCE = "95 %"
SOFTWARE = ("torch", "timm", "onnxruntime")
MEMORY = {
    "tensors": "memory: most bytes of weights, images and results at once",
    "resident": "memory: what a process grew by at most, from before it loaded the network",
}
OUTLIERS = "outliers: rounds beyond 1.5 interquartile ranges; none is left out"


def show_bench(console: Console, found: "Bench") -> None:
    """What the subjects are, then a table for every combination, then the machine."""
    columns = ("network", "image", "parameters", "MACs", "by torch-pruning", "on disk", "top-1")
    console.table(columns, [_facts(each) for each in found.facts], spare=("image", "top-1"))
    for group in found.groups:
        console.result("")
        _show_group(console, group)
    console.result("")
    for line in _notes(found):
        console.result(line)


def _show_group(console: Console, group: Sequence["Result"]) -> None:
    backends = dict.fromkeys(each.settings.backend for each in group)
    alone = len(backends) == 1
    columns = [
        "network", "ms", CONFIDENCE, "p90 ms", "images/s", "memory", "speed-up", CONFIDENCE,
        "outliers",
    ]  # fmt: skip
    rows = [_row(each) for each in group]
    if not alone:
        columns.insert(1, "backend")
        rows = [
            [row[0], each.settings.backend, *row[1:]] for row, each in zip(rows, group, strict=True)
        ]
    title = f"{group[0].settings}{f', {next(iter(backends))}' if alone else ''}"
    console.table(columns, rows, title=title, spare=("memory", "images/s", "p90 ms"))


def _facts(each: "Facts") -> tuple[Cell, ...]:
    theirs = each.counters.get("torch_pruning_macs")
    return (
        each.name,
        " x ".join(map(str, each.input_size)),
        None if each.params is None else amount(each.params),
        None if each.macs is None else amount(each.macs),
        None if theirs is None else amount(theirs),
        f"{amount(each.size)}B",
        None if each.top1 is None else percent(each.top1, 2),
    )


def _row(each: "Result") -> list[Cell]:
    latency, ratio = each.latency, each.ratio
    return [
        each.facts.name,
        f"{1e3 * latency.value:.3f}",
        f"{1e3 * latency.low:.3f} to {1e3 * latency.high:.3f}",
        f"{1e3 * each.p90:.3f}",
        f"{each.throughput:.1f}",
        None if each.memory is None else f"{amount(each.memory.peak)}B",
        "1" if ratio is None else f"{ratio.value:.3f}",
        None if ratio is None else _interval(ratio),
        f"{each.outliers} of {len(each.rounds)}",
    ]


def _interval(estimate: "Estimate") -> str:
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def _notes(found: "Bench") -> list[str]:
    kinds = dict.fromkeys(each.memory.kind for each in found.results if each.memory is not None)
    first = found.facts[0].name
    return [
        f"speed-up: over {first}, round by round",
        *(MEMORY[kind] for kind in kinds),
        OUTLIERS,
        _machine(found.environment),
    ]


def _machine(environment: Mapping[str, str]) -> str:
    clock = environment.get("processor_mhz")
    words = [
        f"{environment['processors']} cores of {environment['processor']}"
        + (f" at {clock} MHz" if clock else ""),
        *(value for key, value in environment.items() if key.startswith("gpu ")),
        *(f"{name} {environment[name]}" for name in SOFTWARE if name in environment),
        environment["platform"],
    ]
    return f"on {'; '.join(words)}"
