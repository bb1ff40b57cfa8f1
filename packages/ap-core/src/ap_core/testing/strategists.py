"""Conformance of strategists, on a small invented network; needs no torch."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

from ap_core.budget import Budget, Cap
from ap_core.contracts import Strategist
from ap_core.cost import CostModel
from ap_core.network import Group, GroupKind, LayerCost, Metric, Network, Term
from ap_core.search.trial import Evidence, Trial
from ap_core.strategy import Strategy
from ap_core.testing.requirement import require


def small_network() -> Network:
    """Invented network of two stages: in each a residual width with two hidden widths."""
    groups: list[Group] = []
    layers: list[LayerCost] = []
    for stage, width in (("stage1", 16), ("stage2", 32)):
        residual = f"{stage}.residual"
        groups.append(
            Group(
                name=residual,
                kind=GroupKind.RESIDUAL,
                scope=residual,
                stage=stage,
                width=width,
                producers=tuple(f"{stage}.{block}.fc2" for block in (0, 1)),
                consumers=tuple(f"{stage}.{block}.fc1" for block in (0, 1)),
            )
        )
        for block in (0, 1):
            hidden = f"{stage}.{block}.hidden"
            first, second = f"{stage}.{block}.fc1", f"{stage}.{block}.fc2"
            groups.append(
                Group(
                    name=hidden,
                    kind=GroupKind.HIDDEN,
                    scope=f"{stage}.hidden",
                    stage=stage,
                    width=4 * width,
                    producers=(first,),
                    consumers=(second,),
                )
            )
            for layer in (first, second):
                product = (Term(coefficient=1, groups=tuple(sorted((hidden, residual)))),)
                layers.append(
                    LayerCost(layer=layer, kind="linear", stage=stage, macs=product, params=product)
                )
    return Network(
        model="invented", input_size=(3, 8, 8), groups=tuple(groups), layers=tuple(layers)
    )


def check_strategist(make: Callable[[], Strategist], *, proposals: int = 5, seed: int = 0) -> None:
    """Demand of a strategist that its proposals depend on the evidence alone.

    make: makes a fresh one. proposals: how many are asked for, unless it ends earlier.
    """
    network = small_network()
    half = CostModel(network).macs(network.whole) // 2
    evidence = Evidence(
        network=network,
        budget=Budget(caps=(Cap(metric=Metric.MACS, limit=half),)),
        base=Strategy(importance="l2"),
        importances=("l2", "l1"),
        trials=(),
        seed=seed,
    )
    lasting = make()
    for number in range(proposals):
        strategy = lasting.propose(evidence)
        again = make().propose(evidence)
        require(
            strategy == again,
            f"proposal {number} of a fresh strategist is {again}, of a lasting one {strategy}",
        )
        if strategy is None:
            require(number > 0, "it proposed nothing at all")
            return
        require(isinstance(strategy, Strategy), f"propose returned {strategy!r}, no Strategy")
        require(
            strategy.importance in evidence.importances,
            f"it proposed the importance {strategy.importance!r}, whose scores are not at hand",
        )
        trial = _invented_trial(number, strategy)
        evidence = replace(evidence, trials=(*evidence.trials, trial))


def _invented_trial(number: int, strategy: Strategy) -> Trial:
    plan = hashlib.sha256(strategy.model_dump_json().encode()).hexdigest()
    return Trial(
        number=number,
        strategist="checked",
        strategy=strategy,
        plan=plan,
        macs=1000,
        params=1000,
        value=int(plan[:8], 16) / 0xFFFFFFFF,
        bound=None,
    )
