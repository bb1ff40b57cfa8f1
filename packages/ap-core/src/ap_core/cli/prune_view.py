"""What `ap prune` shows."""

from collections.abc import Sequence

from ap_core.console import Console
from ap_core.cost import CostModel
from ap_core.network import SECOND, Metric
from ap_core.pipeline.finishing.recording import COMPARISON
from ap_core.pipeline.prune import Pruned
from ap_core.plan import dropped_blocks
from ap_core.report.commands import next_steps
from ap_core.report.tables import prune_table, stage_shares, targets_table
from ap_core.runs.directory import REPORT
from ap_core.runs.schema import SCHEMA
from ap_core.search.trial import best_of


def show(console: Console, results: Sequence[Pruned]) -> None:
    """Tables, a picture of where the MACs went, and what to type next."""
    for pruned in results:
        columns, rows = prune_table(pruned.record, pruned.network, pruned.plan)
        console.table(columns, rows, title=_title(pruned))
        shares = stage_shares(pruned.network, pruned.plan.widths)
        console.picture(shares, title="MACs left by stage, as shares of all")
    if len(results) > 1:
        columns, rows = targets_table([(p.record, p.plan) for p in results])
        console.table(columns, rows)
    last = results[-1]
    if last.path is None:
        console.note("dry run: nothing was written")
        return
    page = last.path / REPORT if len(results) == 1 else last.path.parent / COMPARISON
    console.result(f"report: {page}")
    for step in next_steps(last.path, last.record):
        console.result("\n".join((f"{step.purpose}:", *(f"    {line}" for line in step.lines))))


def _title(pruned: Pruned) -> str:
    record = pruned.record
    alarm = ", random weights" if record.weights.origin == "random" else ""
    return f"{record.architecture.name}{alarm}"


def _seconds(limit: int | None) -> float | None:
    """A cap on the latency, which is kept in femtoseconds."""
    return None if limit is None else limit / SECOND


def document(results: Sequence[Pruned]) -> dict[str, object]:
    """JSON of one result, or of several under `targets`."""
    documents = [_document(pruned) for pruned in results]
    return documents[0] if len(documents) == 1 else {"schema": SCHEMA, "targets": documents}


def _document(pruned: Pruned) -> dict[str, object]:
    record, plan, result = pruned.record, pruned.plan, pruned.record.result
    model = CostModel(pruned.network)
    targets = {cap.metric: cap.limit for cap in pruned.budget.caps}
    best = best_of(pruned.trials)
    found: dict[str, object] = {
        "schema": SCHEMA,
        "model": record.architecture.name,
        "weights": record.weights.origin,
        "run": None if pruned.path is None else str(pruned.path),
        "target_macs": targets.get(Metric.MACS),
        "target_params": targets.get(Metric.PARAMS),
        "target_seconds": _seconds(targets.get(Metric.LATENCY)),
        "macs": plan.macs,
        "base_macs": model.macs(pruned.network.whole),
        "params": plan.params,
        "base_params": model.params(pruned.network.whole),
        "strategist": best.strategist,
        "importance": best.strategy.importance,
        "trials": len(pruned.trials),
        "value": plan.value,
        "bound": plan.bound,
        "widths": {group.name: plan.widths[group.name] for group in pruned.network.groups},
        "dropped": [block.name for block in dropped_blocks(pruned.network, plan)],
        "seconds": dict(pruned.seconds),
    }
    if result:
        found |= {"counters": result.counters, "base_counters": result.base_counters}
    if result and result.latency:
        found["latency"] = result.latency.model_dump(mode="json")
    if result and result.llm:
        found["llm"] = result.llm.model_dump()
    if result and result.quality and result.baseline:
        found["accuracy"] = {
            "baseline": result.baseline.model_dump(),
            "pruned": result.quality.model_dump(),
            "recoveries": [each.model_dump() for each in result.recoveries],
        }
    return found
