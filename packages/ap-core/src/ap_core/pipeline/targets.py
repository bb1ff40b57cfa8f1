"""From the targets that the user typed to budgets in integers."""

from itertools import product

from ap_core.budget import Budget, Target, parse_targets
from ap_core.cost import CostModel
from ap_core.errors import UsageError
from ap_core.network import Metric, Network
from ap_core.pipeline.options import PruneOptions
from ap_core.runs.directory import spell


def budgets_of(options: PruneOptions, network: Network) -> tuple[Budget, ...]:
    """Every budget that the options name, in their order; caps on both metrics hold at once.

    Raises: UsageError where there is no target; OutOfReachError where one is not below the network.
    """
    model = CostModel(network)
    choices = [
        [target.cap(model.cost(metric, network.whole)) for target in targets]
        for metric, targets in typed_targets(options).items()
    ]
    return tuple(Budget(caps=tuple(caps), band=options.band) for caps in product(*choices))


def typed_targets(options: PruneOptions) -> dict[Metric, tuple[Target, ...]]:
    """Targets as the user typed them, which needs no network. Raises: UsageError."""
    typed = {Metric.MACS: options.target_macs, Metric.PARAMS: options.target_params}
    targets = {metric: parse_targets(text, metric) for metric, text in typed.items() if text}
    if not targets:
        raise UsageError("no target", hint="give --target-macs, --target-params, or both")
    return targets


def label(budget: Budget) -> str:
    """Short name of a budget, for a directory."""
    return spell(budget)
