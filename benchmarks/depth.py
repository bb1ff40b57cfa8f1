"""Narrower, or narrower and shorter: what it does to let the solver drop blocks whole (`--depth`).

Networks are trained on digits, then cut to 50 and 30 % of their MACs with Taylor scores, with and
without --depth, and fine-tuned for a few epochs with the uncut network as the teacher. Top-1 on
images that nothing was chosen on; how many layers (convolutions and linear ones) went with their
blocks; how many times faster than the uncut network a batch of 8 is (the uncut and both cut ones
in turn, in every round). Means over the seeds.
"""

import statistics

from torch import nn

from ap_bench.measuring.meter import compare_modules
from ap_bench.measuring.options import ROUNDS
from ap_bench.measuring.settings import Settings
from ap_core.estimates import paired_ratio
from ap_core.plugins.registry import Registry
from ap_train.training.criterion import Teacher
from benchmarks.output import Row, show
from benchmarks.recovery import (
    KINDS,
    SHARES,
    SIZE,
    Kind,
    cut_by_ap,
    stages,
    trained,
)

SEEDS = (0, 1)


def main() -> None:
    """Every network, share and seed."""
    registry = Registry.from_entry_points()
    rows: list[Row] = []
    for kind in KINDS:
        found = [measured(registry, kind, seed) for seed in SEEDS]
        for share in SHARES:
            mine = [each[share] for each in found]
            means = {name: statistics.mean(each[name] for each in mine) for name in mine[0]}
            rows.append({"network": kind.name, "MACs %": 100 * share, **means})
    show("depth", rows, about=__doc__ or "", note=f"{len(SEEDS)} seeds")


def measured(registry: Registry, kind: Kind, seed: int) -> dict[float, dict[str, float]]:
    """Figures of one network by the share that is left."""
    network, source, architecture = trained(registry, kind, "digits", seed)
    teacher = Teacher(module=network, architecture=architecture)
    found = {}
    for share in SHARES:
        cuts = [
            cut_by_ap(network, "digits", share, seed, depth=depth).eval() for depth in (False, True)
        ]
        whole, *others = compare_modules(
            [network.eval(), *cuts], SIZE, Settings(batch_size=8, threads=1), rounds=ROUNDS
        )
        row: dict[str, float] = {}
        for name, cut, other in zip(("", "depth "), cuts, others, strict=True):
            points = stages(cut, source, architecture, {"taught": teacher}, seed)
            row |= {f"{name}{point}": value for point, value in points.items()}
            row[f"{name}faster"] = paired_ratio(whole.rounds, other.rounds).value
        row["layers gone"] = float(layers(cuts[0]) - layers(cuts[1]))
        found[share] = row
    return found


def layers(network: nn.Module) -> int:
    """Convolutions and linear layers."""
    return sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules())


if __name__ == "__main__":
    main()
