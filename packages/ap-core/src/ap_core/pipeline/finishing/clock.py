"""How long the network that a run gives takes, beside the whole one."""

from typing import TYPE_CHECKING

from ap_core.network import SECOND, Metric
from ap_core.pipeline.opening.session import Session
from ap_core.plan import Plan
from ap_core.report.amounts import percent, time_taken
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import LatencyRecord

if TYPE_CHECKING:
    from torch.nn import Module

OVER = 1.02
"""How far above its target a latency may be measured: a share of it."""


def check_latency(
    session: Session, plan: Plan, module: "Module", run: RunDirectory
) -> LatencyRecord | None:
    """Latency of a network as reloaded; None where none is capped. What is over is warned of.

    Of the whole network it is what was measured at the start of the run; of this one, so many times
    less as rounds in alternation say.
    Raises: ModelError where it cannot be run.
    """
    timed, limits = session.timed, {c.metric: c.limit for c in run.record().budget.to_budget().caps}
    if timed is None or Metric.LATENCY not in limits:
        return None
    base = session.cost.latency(session.network.whole) / SECOND
    limit = limits[Metric.LATENCY] / SECOND
    with session.watch.stage("time"), session.progress.progress(None, "timing what was saved"):
        faster = timed.faster(module)
    seconds = base / faster.value
    if seconds > OVER * limit:
        session.progress.warn(
            f"the saved network takes {time_taken(round(seconds * SECOND))}, "
            f"{percent(seconds / limit - 1)} over its target, where {time_taken(plan.latency)} was "
            "measured before",
            hint="is the machine busy with something else? 'ap bench' measures it again",
        )
    stack = timed.stack
    return LatencyRecord(
        backend=stack.backend,
        device=stack.device,
        precision=stack.precision.value,
        batch_size=stack.batch_size,
        threads=stack.threads,
        memory_format=stack.memory_format,
        machine=dict(timed.about),
        base_seconds=base,
        seconds=seconds,
        faster=faster.value,
        low=faster.low,
        high=faster.high,
        measured=len({entry.plan for entry in run.timed()}),
    )
