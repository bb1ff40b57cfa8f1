"""What a cut costs, and what training wins back; beside torch-pruning's cut at the same MACs.

Networks are trained, then cut to 50 and 30 % of their MACs with Taylor scores, and fine-tuned for
a few epochs, with and without the uncut network as the teacher. The peer is torch-pruning's
isomorphic Taylor cut, its ratio bisected to the same MACs (by ap's counter, never above),
fine-tuned alike. Top-1 on images that nothing was chosen on; mean and spread (largest less
smallest) over the seeds. Networks that --networks leaves out keep the rows that they have: each
says of how many seeds it is, and on what it was measured.
"""

import argparse
import copy
import statistics
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torch_pruning
from torch import nn
from torch.nn.functional import cross_entropy

from ap_core.contracts import Architecture, DataRequest
from ap_core.pipeline.opening.data import open_source
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.prune import prune
from ap_core.plugins.registry import Registry
from ap_core.strategy import Strategy
from ap_models.counters import count_macs
from ap_train.batchnorm import reestimate
from ap_train.data.source import IndexedSource
from ap_train.measuring.answers import answers_of
from ap_train.training.criterion import Teacher
from ap_train.training.loop import fit
from ap_train.training.presets import options_of
from benchmarks.output import Row, measured_on, results, show

SIZE = (3, 32, 32)
SHARES = (0.5, 0.3)
GENTLE = {"batch_size": 32, "min_scale": 0.8, "weight_decay": 0.02}
TUNING = {"epochs": 3, "warmup_epochs": 0, "lr": 5e-4}
RATIOS = 14
"""Bisections of the peer's ratio."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A network of timm's, how to make it, and how to train it."""

    name: str
    epochs: int
    warmup: int
    lr: float
    made_with: Mapping[str, int]


KINDS = (
    Kind(name="test_resnet", epochs=12, warmup=1, lr=2e-3, made_with={}),
    Kind(name="test_convnext", epochs=20, warmup=2, lr=1e-3, made_with={}),
    Kind(
        name="test_vit",
        epochs=40,
        warmup=5,
        lr=1e-3,
        made_with={"img_size": 32, "patch_size": 4},
    ),
)


def main(words: Sequence[str] = ()) -> None:
    """Every network, data set, share and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["digits", "glyphs"])
    parser.add_argument("--networks", nargs="+", default=[kind.name for kind in KINDS])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(words)
    warnings.filterwarnings("ignore", module="torch_pruning")
    for data in given.data:
        fresh: dict[str, list[Row]] = {}
        for kind in (kind for kind in KINDS if kind.name in given.networks):
            found = [measured(kind, data, seed) for seed in range(given.seeds)]
            fresh[kind.name] = [_row(kind, data, share, found) for share in SHARES]
            print(fresh[kind.name], flush=True)
        before = results(f"recovery-{data}")
        rows: list[Row] = []
        for kind in KINDS:
            kept = [row for row in before if row["network"] == kind.name]
            rows += fresh.get(kind.name, kept)
        note = f"{TUNING['epochs']} epochs of training"
        show(f"recovery-{data}", rows, about=__doc__ or "", note=note)


def measured(kind: Kind, data: str, seed: int) -> dict[str, float]:
    """Top-1 in per cent at every point, for one seed."""
    network, source, architecture = trained(Registry.from_entry_points(), kind, data, seed)
    found = {"baseline": top1(network, source)}
    taught = {"tuned": None, "taught": Teacher(module=network, architecture=architecture)}
    for share in SHARES:
        cuts = {
            "ap": cut_by_ap(network, data, share, seed),
            "tp": cut_by_torch_pruning(network, source, share),
        }
        for who, cut in cuts.items():
            for point, accuracy in stages(cut, source, architecture, taught, seed).items():
                found[f"{who} {share:g} {point}"] = accuracy
    return found


def trained(
    registry: Registry, kind: Kind, data: str, seed: int
) -> tuple[nn.Module, IndexedSource, Architecture]:
    """A network that was trained on a data set, and what it was trained on."""
    torch.manual_seed(seed)
    classes = {"digits": 10, "glyphs": 32}[data]
    network = timm.create_model(kind.name, num_classes=classes, **kind.made_with)
    adapter = registry.model_adapters["generic"].make()
    architecture = adapter.describe(network, name=f"live:{kind.name}", input_size=SIZE)
    source = open_source(
        registry, DataRequest(name=data, root=None, architecture=architecture, seed=seed)
    )
    assert isinstance(source, IndexedSource)
    whole = {"epochs": kind.epochs, "warmup_epochs": kind.warmup, "lr": kind.lr, "seed": seed}
    train(network, source, architecture, whole)
    return network, source, architecture


def stages(
    cut: nn.Module,
    source: IndexedSource,
    architecture: Architecture,
    teachers: Mapping[str, Teacher | None],
    seed: int,
) -> dict[str, float]:
    """Top-1 right after the cut, after statistics were re-estimated, after training by teachers."""
    found = {"cut": top1(cut, source)}
    reestimate(cut, source)
    found["batchnorm"] = top1(cut, source)
    for name, teacher in teachers.items():
        tuned = copy.deepcopy(cut)
        train(tuned, source, architecture, TUNING | {"seed": seed}, teacher)
        found[name] = top1(tuned, source)
    return found


def train(
    network: nn.Module,
    source: IndexedSource,
    architecture: Architecture,
    given: Mapping[str, object],
    teacher: Teacher | None = None,
) -> None:
    """Train in place."""
    learnt = {"distillation": "none" if teacher is None else "soft"}
    options = options_of("short", {**GENTLE, **given, **learnt})
    fit(network, source, architecture, options, teacher=teacher)


def top1(network: nn.Module, source: IndexedSource) -> float:
    """Top-1 in per cent on the report split."""
    return 100 * float(answers_of(network, source.report()).summary()["top1"])


def cut_by_ap(
    network: nn.Module, data: str, share: float, seed: int, *, depth: bool = False
) -> nn.Module:
    """Our cut, before any recovery."""
    with tempfile.TemporaryDirectory() as place:
        options = PruneOptions(
            model=type(network).__name__, input_size=SIZE, target_macs=f"{100 * share}%",
            data=data, seed=seed, recoveries=(), strategy=Strategy(depth=depth),
        )  # fmt: skip
        (pruned,) = prune(options, module=network, output=Path(place) / "run")
    assert pruned.module is not None
    return pruned.module


def cut_by_torch_pruning(network: nn.Module, source: IndexedSource, share: float) -> nn.Module:
    """The peer's cut: the largest network that it makes within the same MACs."""
    target = share * count_macs(network, SIZE)
    low, high, best = 0.0, 1.0, None
    for _ in range(RATIOS):
        ratio = (low + high) / 2
        candidate = _peer(network, source, ratio)
        macs = count_macs(candidate, SIZE)
        if macs <= target:
            best, high = candidate, ratio
        else:
            low = ratio
    assert best is not None
    return best


def _peer(network: nn.Module, source: IndexedSource, ratio: float) -> nn.Module:
    twin = copy.deepcopy(network).eval()
    importance = torch_pruning.importance.GroupTaylorImportance()
    attentions = [m for m in twin.modules() if hasattr(m, "qkv") and hasattr(m, "num_heads")]
    pruner = torch_pruning.pruner.MetaPruner(
        twin,
        torch.zeros(1, *SIZE),
        importance=importance,
        pruning_ratio=ratio,
        pruning_ratio_dict={},
        ignored_layers=[twin.get_classifier()],
        isomorphic=True,
        global_pruning=True,
        customized_pruners={},
        channel_groups={},
        in_channel_groups={},
        out_channel_groups={},
        num_heads={attention.qkv: attention.num_heads for attention in attentions},
        unwrapped_parameters=None,
    )
    for images, labels in source.calibration():
        cross_entropy(twin(images), labels).backward()
    pruner.step()
    for attention in attentions:
        attention.num_heads = pruner.num_heads[attention.qkv]
        attention.head_dim = attention.qkv.out_features // (3 * attention.num_heads)
        attention.attn_dim = attention.num_heads * attention.head_dim
    twin.zero_grad()
    return twin


def _row(kind: Kind, data: str, share: float, found: list[dict[str, float]]) -> Row:
    points = ("cut", "batchnorm", "tuned", "taught")
    keys = [f"{who} {share:g} {point}" for who in ("ap", "tp") for point in points]
    names = [f"{who} {point}" for who in ("ap", "tp") for point in points]
    row: dict[str, object] = {
        "data": data, "network": kind.name, "MACs %": 100 * share, "seeds": len(found),
        "on": measured_on(),
        "baseline": _spread([each["baseline"] for each in found]),
    }  # fmt: skip
    return row | {
        name: _spread([each[key] for each in found]) for name, key in zip(names, keys, strict=True)
    }


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ({max(values) - min(values):.1f})"


if __name__ == "__main__":
    main(sys.argv[1:])
