"""How cost grows: profile, score, solve, cut, for networks of 5 million to 1 billion parameters."""

import gc
import time
from collections.abc import Iterator

import torch
from timm.models.resnet import Bottleneck, ResNet
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.network import Metric
from ap_core.pipeline.opening.subject import live_subject
from ap_core.plugins.registry import Registry
from ap_core.solver import solve
from ap_core.strategy import Reduction, Strategy
from benchmarks.output import RESULTS, Row, show

VITS = ((192, 12, 3), (384, 12, 6), (768, 12, 12), (1024, 24, 16), (1280, 32, 16), (1536, 36, 24))
RESNETS = ((1, 64), (2, 64), (4, 64), (8, 64), (8, 128), (14, 160))


def networks() -> Iterator[tuple[str, nn.Module]]:
    """Families and networks on the meta device, made one by one: whoever measures one gives it
    memory, and drops it before the next.
    """
    for width, depth, heads in VITS:
        yield "vit", vit(width, depth, heads)
    for times, width in RESNETS:
        yield "resnet", resnet(times, width)


def vit(width: int, depth: int, heads: int) -> nn.Module:
    """Vision transformer for images of 224 pixels."""
    with torch.device("meta"):
        return VisionTransformer(
            img_size=224, patch_size=16, embed_dim=width, depth=depth, num_heads=heads
        )


def resnet(times: int, width: int) -> nn.Module:
    """ResNet-50 with so many times its blocks, and this base width."""
    layers = [3 * times, 4 * times, 6 * times, 3 * times]
    with torch.device("meta"):
        return ResNet(Bottleneck, layers, base_width=width)


def measure(family: str, blank: nn.Module) -> Row:
    """Seconds of every stage for one network."""
    module = blank.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.05, 0.05, generator=generator)
        for buffer in module.buffers():
            buffer.fill_(1)
    registry = Registry.from_entry_points()
    subject = live_subject(registry, module, (3, 224, 224))
    start = time.perf_counter()
    tracing = subject.adapter.trace(module, subject.loaded.architecture)
    traced = time.perf_counter()
    offer = registry.importances["l2"]
    scores = subject.adapter.score(
        module, tracing, offer, reduction=Reduction.MEAN, batches=(), seed=0
    )
    scored = time.perf_counter()
    network = tracing.network
    whole = CostModel(network).macs(network.whole)
    budget = Budget(caps=(Cap(metric=Metric.MACS, limit=whole // 2),))
    plan = solve(network, scores, Strategy(), budget)
    solved = time.perf_counter()
    subject.adapter.cut(module, tracing, plan)
    cut = time.perf_counter()
    return {
        "family": family,
        "params M": CostModel(network).params(network.whole) / 1e6,
        "layers": sum(1 for layer in network.layers if layer.macs),
        "groups": len(network.groups),
        "profile s": traced - start,
        "score s": scored - traced,
        "solve s": solved - scored,
        "cut s": cut - solved,
        "below %": 100 * (1 - plan.macs / (whole // 2)),
    }


def draw(rows: list[Row]) -> None:
    """Seconds against layers, one line a stage, one panel a family."""
    import matplotlib.pyplot as plt

    stages = ("profile s", "score s", "solve s", "cut s")
    figure, panels = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for panel, family in zip(panels, ("vit", "resnet"), strict=True):
        mine = [row for row in rows if row["family"] == family]
        for stage in stages:
            panel.plot(
                [r["layers"] for r in mine], [r[stage] for r in mine], "o-", label=stage[:-2]
            )
        panel.set(title=family, xlabel="layers", xscale="log", yscale="log")
        panel.grid(visible=True, which="both", alpha=0.3)
        for row in mine:
            panel.annotate(f"{row['params M']:.0f} M", (row["layers"], 1e-2), fontsize=7)
    panels[0].set_ylabel("seconds")
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(RESULTS / "scaling.png", dpi=120)


def main() -> None:
    """All networks, smallest first."""
    rows = []
    for family, blank in networks():
        rows.append(measure(family, blank))
        del blank
        gc.collect()
    show("scaling", rows, about=__doc__ or "")
    draw(rows)


if __name__ == "__main__":
    main()
