"""What the terminal shows of runs and profiles: columns and rows, for the console to lay out."""

from collections import Counter
from collections.abc import Mapping, Sequence

from ap_core.budget import NAMES
from ap_core.console import Cell
from ap_core.cost import CostModel
from ap_core.network import SECOND, Group, Metric, Network
from ap_core.plan import Plan, dropped_blocks
from ap_core.report.amounts import amount, below, counted, percent
from ap_core.report.caps import SHOWN, distances, short
from ap_core.report.summary import BLOCK, KINDS, Part, by_layer, by_stage, group_widths, total
from ap_core.runs.records import QualityRecord, RunRecord

Rows = tuple[tuple[str, ...], list[tuple[Cell, ...]]]


def prune_table(record: RunRecord, network: Network, plan: Plan) -> Rows:
    """What was asked, and what came out."""
    model = CostModel(network)
    caps = {cap.metric: cap.limit for cap in record.budget.caps}
    rows: list[tuple[Cell, ...]] = []
    for metric in network.metrics:
        before, after = model.cost(metric, network.whole), plan.cost(metric)
        if metric is Metric.LATENCY and record.result and record.result.latency:
            after = round(record.result.latency.seconds * SECOND)
        limit, shown = caps.get(metric.value), SHOWN[metric]
        asked = "" if limit is None else f"{shown(limit)}, {below(limit, after)}"
        rows.append((NAMES[metric], shown(before), shown(after), percent(after / before), asked))
    rows += _counter_rows(record)
    rows += _block_rows(network, plan)
    rows += _quality_rows(record)
    gap = "not proven" if plan.gap is None else f"at most {percent(plan.gap, 3)} from the best"
    rows.append(("value kept", "100.0 %", percent(plan.value), "", gap))
    return ("", "before", "after", "share", "target"), rows


def stage_shares(network: Network, widths: Mapping[str, int]) -> list[tuple[str, float]]:
    """Share of the whole network's MACs that every stage has after the cut."""
    whole = total(network).macs or 1
    return [(part.name, part.macs_left / whole) for part in by_stage(network, widths) if part.macs]


def targets_table(results: Sequence[tuple[RunRecord, Plan]]) -> Rows:
    """One row for each of several targets."""
    rows: list[tuple[Cell, ...]] = []
    for record, plan in results:
        caps, result = record.budget.caps, record.result
        quality = result.quality if result else None
        planned = (below(cap.limit, plan.cost(Metric(cap.metric))) for cap in caps)
        rows.append(
            (
                " and ".join(map(short, caps)),
                amount(plan.macs),
                amount(plan.params),
                distances(caps, result) if result else " and ".join(planned),
                percent(plan.value),
                None if quality is None else percent(quality.top1),
            )
        )
    return ("target", "MACs", "parameters", "distance", "value kept", "top-1"), rows


def stage_table(network: Network) -> Rows:
    """Where the MACs and parameters of a whole network are, by stage."""
    return _parts_table("stage", by_stage(network))


def layer_table(network: Network) -> Rows:
    """Where they are, by layer."""
    return _parts_table("layer", by_layer(network))


def group_table(network: Network) -> Rows:
    """Groups of channels: what can be cut, and what cannot, and why; blocks that can be dropped."""
    rows: list[tuple[Cell, ...]] = []
    for each in group_widths(network):
        group = each.group
        width = f"{group.lanes} x {group.width}" if group.lanes > 1 else str(group.width)
        rows.append((group.name, KINDS[group.kind], group.stage, width, group.scope, group.locked))
    rows += [(b.name, BLOCK, b.stage, "", b.scope, "") for b in network.blocks]
    return ("group", "kind", "stage", "width", "scope", "locked"), rows


def scope_table(network: Network) -> Rows:
    """Groups of channels, and blocks, by their structure: how many there are, and can be cut."""
    scopes: dict[tuple[str, str], list[Group]] = {}
    for each in group_widths(network):
        group = each.group
        scopes.setdefault((group.scope, KINDS[group.kind]), []).append(group)
    rows: list[tuple[Cell, ...]] = []
    for (scope, kind), groups in scopes.items():
        free = sum(not group.locked for group in groups)
        rows.append((scope, kind, len(groups), free, _span([group.width for group in groups])))
    counts = Counter(block.scope for block in network.blocks)
    rows += [(scope, BLOCK, count, count, "") for scope, count in counts.items()]
    return ("scope", "kind", "groups", "can be cut", "widths"), rows


def _span(widths: Sequence[int]) -> str:
    low, high = min(widths), max(widths)
    return str(low) if low == high else f"{low} to {high}"


def _parts_table(what: str, parts: Sequence[Part]) -> Rows:
    macs = sum(part.macs for part in parts) or 1
    params = sum(part.params for part in parts) or 1
    rows: list[tuple[Cell, ...]] = [
        (
            part.name,
            amount(part.macs),
            percent(part.macs / macs),
            amount(part.params),
            percent(part.params / params),
        )
        for part in parts
    ]
    return (what, "MACs", "of all", "parameters", "of all"), rows


def _block_rows(network: Network, plan: Plan) -> list[tuple[Cell, ...]]:
    """How many blocks are left, where some are dropped."""
    dropped, every = len(dropped_blocks(network, plan)), len(network.blocks)
    if not dropped:
        return []
    share = percent((every - dropped) / every)
    return [("blocks that can be dropped", str(every), str(every - dropped), share, "")]


def _counter_rows(record: RunRecord) -> list[tuple[Cell, ...]]:
    if record.result is None:
        return []
    rows: list[tuple[Cell, ...]] = []
    for name, after in sorted(record.result.counters.items()):
        before = record.result.base_counters.get(name)
        label = f"MACs by {name.removesuffix('_macs').replace('_', '-')}"
        share = percent(after / before) if before else ""
        rows.append((label, amount(before) if before else "", amount(after), share, ""))
    return rows


def _quality_rows(record: RunRecord) -> list[tuple[Cell, ...]]:
    result = record.result
    if result is None or result.baseline is None or result.quality is None:
        return []
    base = result.baseline
    rows = []
    if result.unrecovered:
        rows.append(_quality_row("top-1 right after the cut", base, result.unrecovered))
    rows += [
        _quality_row(f"top-1 after {recovery.name}", base, recovery.after)
        for recovery in result.recoveries
        if recovery.after
    ]
    rows.append(_quality_row("top-1 of the saved file", base, result.quality))
    return rows


def _quality_row(name: str, base: QualityRecord, found: QualityRecord) -> tuple[Cell, ...]:
    return (name, percent(base.top1, 2), percent(found.top1, 2), "", counted(found.images, "image"))
