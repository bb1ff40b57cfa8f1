"""From the targets that the user typed to budgets in integers."""

from collections.abc import Sequence
from itertools import product

from ap_core.budget import Budget, Target, parse_targets
from ap_core.cost import CostModel
from ap_core.errors import UsageError
from ap_core.network import Metric, Network
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.directory import spell


def budgets_of(options: PruneOptions, network: Network) -> tuple[Budget, ...]:
    """Every budget that the options name, in their order; caps on several metrics hold at once.

    Raises: UsageError where there is no target, or one twice; OutOfReachError where one is not
    below the network.
    """
    model = CostModel(network)
    choices = [
        [target.cap(model.cost(metric, network.whole)) for target in targets]
        for metric, targets in typed_targets(options).items()
    ]
    budgets = tuple(Budget(caps=tuple(caps), band=options.band) for caps in product(*choices))
    for budget in budgets:
        if budgets.count(budget) > 1:
            raise UsageError(f"the target {spell(budget)} is named twice", hint="leave one out")
    return budgets


def typed_targets(options: PruneOptions) -> dict[Metric, tuple[Target, ...]]:
    """Targets as the user typed them, which needs no network. Raises: UsageError."""
    typed = {
        Metric.MACS: options.target_macs,
        Metric.PARAMS: options.target_params,
        Metric.LATENCY: options.target_latency,
    }
    targets = {metric: parse_targets(text, metric) for metric, text in typed.items() if text}
    if not targets:
        raise UsageError(
            "no target", hint="give --target-macs, --target-params or --target-latency, or several"
        )
    if options.raw and Metric.LATENCY in targets:
        raise UsageError(
            "raw strategies keep to no latency",
            hint="give --target-macs, or leave --raw-strategy out",
        )
    return targets


def labels(budgets: Sequence[Budget]) -> tuple[str, ...]:
    """Name of each of several budgets, for directories: short where that tells them apart."""
    short = [spell(budget) for budget in budgets]
    return tuple(
        spell(budget, exact=True) if short.count(word) > 1 else word
        for budget, word in zip(budgets, short, strict=True)
    )
