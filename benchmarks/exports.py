"""What is exported, where there is no ap: five networks, cut to half their MACs, in two formats.

Each file is run by a Python that sees the standard library and a few packages: for ONNX onnxruntime
and numpy; for torch.export's archives all that is installed but ap and timm. The differences are
the largest between its outputs and those of the torch network that was saved, on random images in
batches of 1 and of 7, as shares of the largest output. Full size, fp32, random weights.
"""

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from torch.nn import Module

from ap_bench.exporting.checking import answers
from ap_bench.exporting.export import Exported, export
from ap_core import prune
from ap_core.exported import batches_for, difference
from ap_core.pipeline.progress import Silent
from ap_core.plugins.registry import Registry
from benchmarks.output import Row, show

NETWORKS = (
    "resnet50", "convnext_tiny", "deit_tiny_distilled_patch16_224", "vit_small_patch16_224",
    "efficientnet_b0",
)  # fmt: skip
SHARE = "50%"
ONNX = ("onnxruntime", "numpy", "numpy.libs")
"""What the Python that runs an ONNX file sees besides the standard library."""
OURS = ("ap_", "_ap_", "agentic", "__editable__", "timm")
"""Beginnings of what the Python that runs an archive does not see."""


def main() -> None:
    """Every network in every format."""
    registry = Registry.from_entry_points()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        sites = {
            "onnx": site(home / "onnx", lambda name: name in ONNX),
            "torch-export": site(home / "torch", lambda name: not name.startswith(OURS)),
        }
        rows = [row for name in NETWORKS for row in rows_of(registry, name, home, sites)]
    show("exports", rows, about=__doc__ or "", note=f"cut to {SHARE} of the MACs")


def site(folder: Path, wanted: Callable[[str], bool]) -> Path:
    """Directory with links to the packages that are wanted."""
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if wanted(path.name):
            (folder / path.name).symlink_to(path)
    return folder


def rows_of(registry: Registry, name: str, home: Path, sites: dict[str, Path]) -> Iterator[Row]:
    """One network, cut, in every format."""
    run = home / name
    network = prune(
        name, weights="random", target_macs=SHARE, output=run, registry=registry, progress=Silent()
    ).module
    assert network is not None
    for to, packages in sites.items():
        done = export(run, to=to, registry=registry, progress=Silent())
        reader = registry.exporters[to].reader
        one, seven = apart(network, done, reader, packages)
        yield {
            "network": name,
            "format": to,
            "GMACs": int(str(done.about["macs"])) / 1e9,
            "M parameters": int(str(done.about["params"])) / 1e6,
            "MB": done.bytes / 1e6,
            "difference, batch 1": one,
            "difference, batch 7": seven,
        }


def apart(network: Module, done: Exported, reader: str, packages: Path) -> tuple[float, float]:
    """Largest differences of outputs in batches of 1 and of 7, in a Python without ap."""
    batches = batches_for(done.request)
    program = find_spec(reader)
    assert program is not None
    asked, answered = done.path.with_name("images.npz"), done.path.with_name("outputs.npz")
    np.savez(asked, *batches)
    code = (
        f"import sys, runpy; sys.path.append({str(packages)!r})\n"
        "for name in ('ap_core', 'timm'):\n"
        "    try: __import__(name)\n"
        "    except ModuleNotFoundError: continue\n"
        "    sys.exit(f'{name} is there')\n"
        "program, *sys.argv[1:] = sys.argv[1:]\n"
        "runpy.run_path(program, run_name='__main__')"
    )
    paths = (program.origin, done.path, asked, answered)
    subprocess.run([sys.executable, "-I", "-S", "-c", code, *map(str, paths)], check=True)
    expected = answers(network, batches)
    with np.load(answered) as found:
        one, seven = (
            difference([batch], [found[name]]) for batch, name in zip(expected, found, strict=True)
        )
    return one, seven


if __name__ == "__main__":
    main()
