"""Small invented values that the tests of runs share."""

from ap_core.budget import Budget, Cap
from ap_core.network import Group, GroupKind, LayerCost, Metric, Network, Term
from ap_core.plan import Plan
from ap_core.runs.records import (
    ArchitectureRecord,
    BudgetRecord,
    CapRecord,
    QualityRecord,
    ResultRecord,
    RunRecord,
    WeightsRecord,
)
from ap_core.search.trial import Trial
from ap_core.strategy import Strategy

BUDGET = Budget(caps=(Cap(metric=Metric.MACS, limit=8_480_000_000),))

NETWORK = Network(
    model="toy",
    input_size=(3, 8, 8),
    groups=(
        Group(name="a", kind=GroupKind.HIDDEN, scope="mlp", stage="1", width=4, producers=("x",)),
        Group(name="é", kind=GroupKind.RESIDUAL, scope="s", stage="", width=8, locked="the input"),
    ),
    layers=(
        LayerCost(
            layer="x",
            kind="linear",
            stage="1",
            macs=(Term(coefficient=3, groups=("a", "é")),),
            params=(Term(coefficient=2, groups=("a",)), Term(coefficient=1)),
        ),
    ),
    uncounted=("einsum",),
)

PLAN = Plan(
    widths={"é": 8, "a": 2}, kept={"a": (0, 3)}, macs=48, params=5, value=0.1 + 0.2, bound=1 / 3
)


def record(**changes):
    return RunRecord(
        **{
            "status": "running",
            "version": "0.1.0",
            "created": "2026-01-02T03:04:05+00:00",
            "command": ("prune", "--model", "toy"),
            "options": {"model": "toy", "seed": 0, "pressure": {"z": 2.0, "a": 0.5}},
            "model": "toy",
            "architecture": ArchitectureRecord(
                adapter="generic", name="toy.v1", num_classes=10, input_size=(3, 8, 8)
            ),
            "weights": WeightsRecord(origin="pretrained", sha256="ab"),
            "budget": BudgetRecord(caps=(CapRecord(metric="macs", limit=48),), band=0.005),
            "seed": 0,
        }
        | changes
    )


def result(**changes):
    return ResultRecord(
        **{
            "macs": 48,
            "params": 5,
            "base_macs": 96,
            "base_params": 9,
            "strategist": "solver",
            "importance": "l2",
            "trials": 1,
            "best_trial": 0,
            "value": 0.75,
            "bound": 0.8,
            "difference": 0.0,
            "baseline": QualityRecord(images=10, loss=0.1, top1=0.9, top5=1.0),
            "quality": QualityRecord(images=10, loss=0.2, top1=0.8, top5=1.0),
            "seconds": {"load": 1.25},
        }
        | changes
    )


def trial(number, **changes):
    return Trial(
        **{
            "number": number,
            "strategist": "solver",
            "strategy": Strategy(pressure={"z": 2.0, "a": 0.5}, rationale="why not"),
            "plan": "ab",
            "macs": 48,
            "params": 5,
            "value": 0.1 + 0.2,
            "bound": None,
            "retained": 0.5,
            "loss": 1 / 3,
            "accuracy": 0.5,
            "seconds": 0.25,
        }
        | changes
    )
