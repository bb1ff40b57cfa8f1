"""Time against torch-pruning, in one process, in turns; and what the command line costs.

The blind cut is torch-pruning's shortest way: make the network, build the graph, one step of a
magnitude pruner at a fixed ratio, count. It misses any budget; finding one by bisecting the ratio
takes several such cuts.
"""

import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import timm
import torch
import torch_pruning
from torch import nn

from ap_core.budget import Budget, parse_targets
from ap_core.cli.main import GARBAGE
from ap_core.cost import CostModel
from ap_core.network import GroupKind, Metric
from ap_core.pipeline.opening.session import open_session
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import WarningsOnly
from ap_core.pipeline.prune import prune
from ap_core.plugins.registry import Registry
from ap_core.solver import solve
from ap_core.strategy import Strategy
from benchmarks.output import Row, show

MODEL, TARGET = "convnext_small", 8.48e9
ROUNDS = 3
BAND = 0.005
CUTS = 12


def blind_cut(ratio: float) -> int:
    """MACs, by torch-pruning's counter, after one unadorned cut."""
    model = timm.create_model(MODEL).eval()
    image = torch.zeros(1, 3, 224, 224)
    pruner = torch_pruning.pruner.MetaPruner(
        model,
        image,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=ratio,
        pruning_ratio_dict={},
        ignored_layers=[m for m in model.modules() if isinstance(m, nn.Linear) and
                        m.out_features == 1000],
        isomorphic=True,
        global_pruning=True,
        round_to=8,
        customized_pruners={},
        channel_groups={},
        in_channel_groups={},
        out_channel_groups={},
        num_heads={},
        unwrapped_parameters=None,
    )  # fmt: skip
    pruner.step()
    macs, _ = torch_pruning.utils.count_ops_and_params(model, image)
    return int(macs)


def bisect_ratio() -> int:
    """Cuts until torch-pruning's ratio lands in the band below the target, at most CUTS."""
    low, high = 0.0, 0.5
    for cuts in range(1, CUTS + 1):
        ratio = (low + high) / 2
        macs = blind_cut(ratio)
        if TARGET * (1 - BAND) <= macs <= TARGET:
            return cuts
        low, high = (low, ratio) if macs < TARGET else (ratio, high)
    return CUTS


def whole_prune() -> None:
    """The main command, as a function: load, trace, score, solve, cut, verify, save, report."""
    options = PruneOptions.model_validate(
        {"model": MODEL, "target_macs": f"{TARGET / 1e9}", "weights": "random"}
    )
    with tempfile.TemporaryDirectory() as place:
        prune(options, output=Path(place) / "run")


def solving() -> list[Row]:
    """One solve with free residual widths, and one with the strategy's."""
    registry = Registry.from_entry_points()
    options = PruneOptions.model_validate({"model": MODEL, "weights": "random"})
    session = open_session(registry, options, WarningsOnly())
    scores = session.book.scores("l2")
    network = session.network
    cap = parse_targets(f"{TARGET / 2e9}", Metric.MACS)[0].cap(
        CostModel(network).macs(network.whole)
    )
    budget = Budget(caps=(cap,))
    fixed = Strategy(widths={g.name: 0.75 for g in network.groups if g.kind is GroupKind.RESIDUAL})
    found = []
    for name, strategy in (("free residual widths", Strategy()), ("given ones", fixed)):
        seconds = [timed(lambda s=strategy: solve(network, scores, s, budget)) for _ in range(7)]
        found.append({"what": f"solve, {name}", "seconds": statistics.median(seconds)})
    return found


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def command_line() -> list[Row]:
    """`ap --help` in seconds, and the peak memory of profiling vit_giant in its own process."""
    ap = Path(sys.executable).with_name("ap")
    helps = [
        timed(lambda: subprocess.run([ap, "--help"], check=True, capture_output=True))
        for _ in range(7)
    ]
    # The peak that getrusage tells is inherited from this process.
    code = (
        "from pathlib import Path; from ap_core import profile; profile('vit_giant_patch14_224'); "
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    peak = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    return [
        {"what": "ap --help", "seconds": statistics.median(helps)},
        {"what": "profile vit_giant_patch14_224, peak GB", "seconds": int(peak) / 2**20},
    ]


def main() -> None:
    """Ours and torch-pruning's in turns, then the parts."""
    warnings.filterwarnings("ignore", module="torch_pruning")
    gc.set_threshold(*GARBAGE)
    whole_prune()
    ours, blind = [], []
    for _ in range(ROUNDS):
        blind.append(timed(lambda: blind_cut(0.02)))
        ours.append(timed(whole_prune))
    cuts = 0
    start = time.perf_counter()
    cuts = bisect_ratio()
    bisected = time.perf_counter() - start
    us, them = statistics.median(ours), statistics.median(blind)
    rows: list[Row] = [
        {"what": f"ap prune {MODEL} at {TARGET / 1e9} G, whole", "seconds": us},
        {"what": "torch-pruning, one blind cut", "seconds": them},
        {"what": f"torch-pruning, ratio bisected to the band ({cuts} cuts)", "seconds": bisected},
        {"what": "ratio: ours / blind cut", "seconds": us / them},
        {"what": "ratio: ours / bisection", "seconds": us / bisected},
        *solving(),
        *command_line(),
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    show(
        "speed",
        rows,
        about=__doc__ or "",
        note=f"median of {ROUNDS}; peak memory of this process {peak:.1f} GB",
    )


if __name__ == "__main__":
    main()
