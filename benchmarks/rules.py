"""Which rule suits which importance: accuracy after the cut, without fine-tuning.

A rule says how the scores of a group's layers become one, how they are ranked and normalised, and
how strongly widths are evened out.

Five small networks are trained on scikit-learn's digits, then cut to 75, 50 and 35 % of their
MACs by each rule; statistics of batch norms are re-estimated, nothing is trained again. Mean top-1
on the held-out split, over networks and targets; a target that a rule cannot reach counts as
chance, 10 %, and is listed as missed.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import save_model

from ap_core.contracts import DataRequest, ModelRequest, WeightsPolicy
from ap_core.errors import OutOfReachError
from ap_core.pipeline.opening.session import Session, open_session
from ap_core.pipeline.opening.subject import load_subject
from ap_core.pipeline.opening.targets import budgets_of
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import WarningsOnly
from ap_core.pipeline.quality import measure_with, recover
from ap_core.plugins.registry import Registry
from ap_core.solver import solve
from ap_core.strategy import Reduction, Strategy
from ap_train.data.digits import open_digits
from ap_train.demo import FIRST
from ap_train.training.loop import fit
from ap_train.training.presets import options_of
from benchmarks.output import Row, show

NETWORKS = {
    "test_resnet": 10,
    "resnet10t": 12,
    "test_efficientnet": 12,
    "test_convnext": 30,
    "test_vit": 30,
}
"""Epochs of training by network."""

SIZE = (3, 32, 32)
IMPORTANCES = ("taylor", "fisher", "l2")
REDUCTIONS = (Reduction.SUM, Reduction.MEAN)
RULES = (
    ("global", "none"),
    ("isomorphic", "none"),
    ("isomorphic", "mean"),
    ("uniform", "mean"),
)
MISSED = 0.1
"""Accuracy of chance, for a target that is not reached; no measured one is exactly that."""

SMOOTHINGS = (0.0, 0.25, 0.5, 1.0)


def trained(registry: Registry, name: str, epochs: int, place: Path) -> Path:
    """Checkpoint of a network, trained on digits."""
    subject = load_subject(
        registry,
        ModelRequest(name=name, num_classes=10, input_size=SIZE, weights=WeightsPolicy.RANDOM),
    )
    images = DataRequest(name="digits", root=None, architecture=subject.loaded.architecture)
    torch.manual_seed(0)
    training = options_of("short", {**FIRST, "epochs": epochs})
    architecture = subject.loaded.architecture
    fit(subject.loaded.module, open_digits(images), architecture, training)
    save_model(subject.loaded.module, str(place / f"{name}.safetensors"))
    return place / f"{name}.safetensors"


def accuracies(registry: Registry, name: str, checkpoint: Path) -> Iterator[tuple[str, float]]:
    """Rule and accuracy, for every rule and target."""
    options = PruneOptions(
        model=name,
        num_classes=10,
        input_size=SIZE,
        checkpoint=checkpoint,
        data="digits",
        target_macs="75%,50%,35%",
    )
    session = open_session(registry, options, WarningsOnly())
    for importance, reduction, (ranking, normalisation), smoothing in product(
        IMPORTANCES, REDUCTIONS, RULES, SMOOTHINGS
    ):
        strategy = Strategy.model_validate(
            {
                "importance": importance,
                "reduction": reduction,
                "ranking": ranking,
                "normalisation": normalisation,
                "smoothing": smoothing,
            }
        )
        for found in _accuracies(session, strategy):
            yield f"{importance}, {reduction}, {ranking}, {normalisation}, {smoothing:g}", found


def _accuracies(session: Session, strategy: Strategy) -> Iterator[float]:
    if session.data is None:
        raise RuntimeError("no images")
    measure = measure_with(session.registry, session.data, SIZE, report=False)
    scores = session.book.scores(strategy.importance, strategy.reduction)
    for budget in budgets_of(session.options, session.network):
        try:
            plan = solve(session.network, scores, strategy, budget)
        except OutOfReachError:
            yield MISSED
            continue
        cut = session.subject.adapter.copy(session.subject.loaded.module)
        session.subject.adapter.cut(cut, session.tracing, plan)
        recover(session.registry, None, cut, session.data, None)
        yield measure(cut).top1


def main() -> None:
    """All networks, all rules, best first."""
    registry = Registry.from_entry_points()
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as place:
        for name, epochs in NETWORKS.items():
            checkpoint = trained(registry, name, epochs, Path(place))
            for rule, accuracy in accuracies(registry, name, checkpoint):
                found[rule][name].append(accuracy)
    rows: list[Row] = [_row(rule, by_name) for rule, by_name in found.items()]
    rows.sort(key=lambda row: -float(str(row["mean %"])))
    show("rules", rows, about=__doc__ or "")


def _row(rule: str, by_name: dict[str, list[float]]) -> Row:
    means = {name: 100 * sum(v) / len(v) for name, v in by_name.items()}
    importance, reduction, ranking, normalisation, smoothing = rule.split(", ")
    return {
        "importance": importance,
        "reduction": reduction,
        "ranking": ranking,
        "normalisation": normalisation,
        "smoothing": smoothing,
        "missed": sum(each == MISSED for v in by_name.values() for each in v),
        "mean %": sum(means.values()) / len(means),
        **{f"{name} %": mean for name, mean in means.items()},
    }


if __name__ == "__main__":
    main()
