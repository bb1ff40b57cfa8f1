"""The latency of a session's network: learnt at the start of a run, kept by it."""

from collections.abc import Mapping
from dataclasses import replace

from ap_core.contracts import Tracing
from ap_core.cost import CostModel
from ap_core.errors import RunError
from ap_core.latency.multiples import rewarded
from ap_core.network import Network
from ap_core.pipeline.opening.subject import Subject
from ap_core.pipeline.opening.timing import TimedStack, learn_latency, learn_speeds, open_stack
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import percent
from ap_core.runs.records import RunRecord
from ap_core.solver.options import allowed_by
from ap_core.solver.reach import LOOSEST
from ap_core.strategy import Strategy

MUCH = 0.5
"""Share of the latency that no width changes from which on it is worth saying."""


def timed_network(
    registry: Registry,
    options: PruneOptions,
    subject: Subject,
    tracing: Tracing,
    progress: Progress,
    *,
    before: RunRecord | None,
    known: Network | None,
) -> tuple[TimedStack | None, Network, PruneOptions]:
    """The stack to time on, the network with its latency, and the options with the multiple that
    was found; what a run knows is not learnt again.

    before, known: record and network of the run that goes on. Raises: UsageError, ModelError;
    RunError where its latencies were measured elsewhere.
    """
    network, strategy = tracing.network, options.strategy
    learnt_all = known is not None and not options.target_latency
    if options.stack is None or learnt_all:
        return None, network, options
    timed = open_stack(registry, options.stack, subject, tracing, progress)
    if before is not None and before.timed_on != timed.about:
        raise _elsewhere(before.timed_on, timed.about)
    if known is not None:
        return timed, replace(network, latency=known.latency), options
    if options.multiples or strategy.round_to is None:
        speeds = learn_speeds(timed, network, progress)
        # A latency that was learnt knows of steps that those cuts do not show, in narrow groups;
        # multiples find these, and finer ones are tried where much is left.
        least = strategy.grain if options.target_latency else 1
        strategy = strategy.model_copy(update={"grain": max(least, rewarded(speeds))})
        shown = ", ".join(f"{m}: {speed:.2f}" for m, speed in speeds.items())
        progress.note(f"widths are multiples of {strategy.grain}; speed by multiple: {shown}")
    if options.target_latency:
        terms = learn_latency(timed, network, progress, grain=strategy.grain)
        network = replace(network, latency=terms)
        _tell_of_fixed_time(network, strategy, progress)
    return timed, network, options.model_copy(update={"strategy": strategy})


def _elsewhere(then: Mapping[str, str], now: Mapping[str, str]) -> RunError:
    """Error for a run whose latencies were measured elsewhere, or by other versions."""
    other = next(name for name in {**then, **now} if then.get(name) != now.get(name))
    return RunError(
        f"the run's latencies were measured where {other} is {then.get(other, 'absent')}; here it "
        f"is {now.get(other, 'absent')}",
        hint="go on there, or start a new run here",
    )


def fixed_share(network: Network, *, depth: bool = False) -> float:
    """Share of the latency that no width changes: what is left where every group keeps least.

    depth: whether blocks may go, too.
    """
    model = CostModel(network)
    least = allowed_by(LOOSEST.model_copy(update={"depth": depth}), network).least
    return model.latency(least) / (model.latency(network.whole) or 1)


def _tell_of_fixed_time(network: Network, strategy: Strategy, progress: Progress) -> None:
    share = fixed_share(network, depth=strategy.depth)
    if share < MUCH:
        return
    droppable = network.blocks and not strategy.depth
    remedy = "--depth lets blocks be dropped whole" if droppable else "take a larger batch"
    progress.warn(
        f"widths can change little: {percent(share)} of the latency would be left of the narrowest "
        "network",
        hint=f"{remedy}; 'ap bench' shows what larger batches do",
    )
