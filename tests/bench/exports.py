"""Networks to export, a format that costs nothing to write, and processes that lack ap."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from timm.models.deit import VisionTransformerDistilled
from torch import nn

from ap_bench import plugin as ap_bench_plugin
from ap_core import plugin as ap_core_plugin
from ap_core import prune
from ap_core.pipeline.progress import Silent
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import ExporterOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.strategy import Strategy
from ap_models import plugin as ap_models_plugin

SIZE = (3, 32, 32)
CLASSES = 10

NARROW = Strategy(drop=("blocks.[1-4].*",), widths={"*.attn.heads": 0.5})
"""Of a small ViT: four of its six blocks go, and one of its two heads."""


def distilled() -> nn.Module:
    """A DeiT with two heads to its body, of a size of our own."""
    torch.manual_seed(0)
    return VisionTransformerDistilled(
        img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=4, num_classes=CLASSES
    )


FAMILIES = ("resnet", "convnext", "vit", "distilled", "efficientnet")


def pruned(family: str, run: Path) -> nn.Module:
    """A small network of a family, cut; the run is in a directory."""
    network: str | nn.Module = distilled() if family == "distilled" else f"test_{family}"
    more: dict[str, object] = {"target_macs": "50%"}
    if family == "vit":
        more = {"target_macs": "20%", "strategy": NARROW}
    if family != "distilled":
        more |= {"weights": "random", "num_classes": CLASSES}
    module = prune(network, input_size=SIZE, output=run, progress=Silent(), **more).module
    assert module is not None
    return module


def factory_of(family: str) -> Callable[[], nn.Module] | None:
    """What makes the whole network again, where no name does."""
    return distilled if family == "distilled" else None


class Linear(nn.Module):
    """One layer: the smallest network that there is."""

    def __init__(self, after: Callable[[torch.Tensor], torch.Tensor] = torch.clone) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(3 * 4 * 4, 5)
        self.after = after

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.after(self.fc(images.flatten(1)))


SMALL = (3, 4, 4)

PLAIN_READER = """
import sys
import numpy as np

file, asked, answered = sys.argv[1:]
with open(file, "rb") as archive, np.load(archive) as net, np.load(asked) as batches:
    found = {n: batches[n].reshape(len(batches[n]), -1) @ net["w"].T + net["b"] for n in batches}
np.savez(answered, **found)
"""


def write_plainly(module, request, path):
    with path.open("wb") as file:
        np.savez(file, w=module.fc.weight.detach().numpy(), b=module.fc.bias.detach().numpy())


def registry_with(write: Callable[..., None], **settings: object) -> Registry:
    """Our plugins, and one whose exporter `plain` is this function."""

    class Third:
        @hookimpl
        def ap_exporters(self):
            offer = ExporterOffer(
                name="plain", summary="", load=lambda: write, suffix=".npz", **settings
            )
            return [offer]

    ours = {"ap-core": ap_core_plugin, "ap-models": ap_models_plugin, "ap-bench": ap_bench_plugin}
    plugins = [
        Plugin(owner=Owner(distribution=name, version="1.0", plugin=name), implementation=each)
        for name, each in (ours | {"ap-third": Third()}).items()
    ]
    return Registry.from_plugins(plugins)


def python_with(packages: tuple[str, ...], folder: Path, code: str, *arguments: object) -> str:
    """What code prints in a process that sees the standard library and these packages alone."""
    site = Path(sysconfig.get_path("purelib"))
    folder.mkdir(exist_ok=True)
    for package in packages:
        for path in (site / package, site / f"{package}.libs"):
            if path.exists() and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(folder)!r})\n{code}",
         *map(str, arguments)],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
