"""Latency budgets: what was asked for, what was measured, and what a cut to MACs keeps in its time.

Networks are cut to 70 and 50 % of their latency, as `ap prune --target-latency` does it. Beside
each stands the cut to MACs of the same importance whose measured latency is nearest to the same: up
to eight budgets of MACs are tried until they are 1 % apart. Every cut is measured beside
the whole network, in 18 to 90 rounds that alternate, until the 95 % interval is 2 % wide. "lost" is
the share of all scores that the channels that go have: norms of random weights where there are no
images, else by a Taylor expansion.
"""

import argparse
from collections.abc import Iterator, Sequence

from torch import nn

from ap_core.budget import Budget, Cap
from ap_core.contracts import Precision, Stack
from ap_core.errors import OutOfReachError
from ap_core.estimates import Estimate
from ap_core.network import Metric
from ap_core.pipeline.beginning import new_session
from ap_core.pipeline.opening.session import Session
from ap_core.pipeline.opening.targets import budgets_of
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Silent
from ap_core.pipeline.searching.trying import judge_of, scores_of, solver_of
from ap_core.plan import Plan
from ap_core.plugins.registry import Registry
from ap_core.search.attempts import Quality
from ap_core.solver import solve
from benchmarks.output import Row, show
from benchmarks.recovery import KINDS, SIZE, trained

LARGE = ("resnet50", "convnext_tiny", "deit_small_patch16_224")
SHARES = ("70%", "50%")
STEPS = 8
"""Budgets of MACs that are tried for one latency."""

ALIKE = 0.01
"""How far apart two latencies that count as the same may be."""

SMALL_STACK = Stack(batch_size=64, threads=1)
"""Of small networks: one image is done before its layers are called."""

OF_TRAINED = """
These networks were trained on digits: top-1 is of held-out images, after batch-norm statistics were
re-estimated.
"""


def main(words: Sequence[str] = ()) -> None:
    """Large networks of random weights, whose accuracy is none; small ones that were trained."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency_budgets")
    parser.add_argument("--networks", default=",".join(LARGE))
    parser.add_argument("--small", default=",".join(kind.name for kind in KINDS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", type=Precision, default=Precision.FP32)
    parser.add_argument("--suffix", default="", help="of the large ones' results, such as gpu")
    given = parser.parse_args(list(words))
    registry = Registry.from_entry_points()
    stack = Stack(device=given.device, precision=given.dtype, batch_size=given.batch)
    found: list[Row | str] = []
    for large in filter(None, given.networks.split(",")):
        options = {"model": large, "weights": "random", "stack": stack}
        found += rows_of(registry, large, options, None)
    tell("latency-budgets", found, stack, about=__doc__ or "", suffix=given.suffix)
    found = []
    for kind in (kind for kind in KINDS if kind.name in given.small.split(",")):
        network, _, _ = trained(registry, kind, "digits", 0)
        options = {"model": kind.name, "input_size": SIZE, "data": "digits", "stack": SMALL_STACK}
        found += rows_of(registry, kind.name, options, network)
    tell("latency-budgets-small", found, SMALL_STACK, about=f"{__doc__ or ''}{OF_TRAINED}")


def tell(
    name: str, found: Sequence[Row | str], stack: Stack, *, about: str, suffix: str = ""
) -> None:
    """Show the rows, and below them what was out of reach."""
    rows = [each for each in found if not isinstance(each, str)]
    missed = [each for each in found if isinstance(each, str)]
    if rows:
        note = "; ".join((f"{stack}", "ms: of the whole network", *missed))
        show(name, rows, about=about, note=note, suffix=suffix)


def rows_of(
    registry: Registry, name: str, options: dict[str, object], module: nn.Module | None
) -> Iterator[Row | str]:
    """A row for each share of the latency, or why there is none.

    module: a trained network, which is judged.
    """
    for share in SHARES:
        asked = PruneOptions.parse({**options, "target_latency": share})
        try:
            session = new_session(registry, asked, Silent(), module=module)
            (budget,) = budgets_of(asked, session.network)
            yield row_of(session, name, share, budget, judged=module is not None)
        except OutOfReachError as error:
            print(name, share, error.message, error.hint, flush=True)
            yield f"{name} at {share} is out of reach: {error.message}"


def row_of(session: Session, name: str, share: str, budget: Budget, *, judged: bool) -> Row:
    """A cut to a latency beside the cut to MACs that is as fast."""
    timed = session.timed
    assert timed is not None
    for_time = solver_of(session, budget, None)(session.base)
    wanted = timed.faster(timed.cut(for_time))
    for_macs, found = as_fast(session, wanted.value)
    whole = session.cost.macs(session.network.whole)
    row: dict[str, object] = {
        "network": name,
        "batch": timed.stack.batch_size,
        "ms": 1e3 * timed.seconds,
        "asked": share,
        "measured %": 100 / wanted.value,
        "95 %": f"{100 / wanted.high:.1f} to {100 / wanted.low:.1f}",
        "MACs %": 100 * for_time.macs / whole,
        "cut to MACs: measured %": 100 / found.value,
        "its MACs %": 100 * for_macs.macs / whole,
    }
    judge = judge_of(session, None)
    for whose, plan in (("", for_time), ("its ", for_macs)):
        row |= kept(judge(plan), whose, judged=judged)
    print(row, flush=True)
    return row


def kept(quality: Quality, whose: str, *, judged: bool) -> dict[str, object]:
    """What is left of a network. judged: whether its accuracy means anything."""
    assert quality.retained is not None
    lost: dict[str, object] = {f"{whose}lost %": 100 * (1 - quality.retained)}
    if not judged:
        return lost
    assert quality.accuracy is not None
    return lost | {f"{whose}top-1 %": 100 * quality.accuracy}


def as_fast(session: Session, faster: float) -> tuple[Plan, Estimate]:
    """Cut to MACs that is as many times faster, the nearest of those that were tried."""
    timed = session.timed
    assert timed is not None
    whole = session.cost.macs(session.network.whole)
    scores = scores_of(session, session.base, None)
    low, macs, high = 0.0, 1 / faster, 1.0
    tried = []
    for _ in range(STEPS):
        cap = Cap(metric=Metric.MACS, limit=int(macs * whole))
        plan = solve(session.tracing.network, scores, session.base, Budget(caps=(cap,)))
        found = timed.faster(timed.cut(plan))
        tried.append((abs(faster / found.value - 1), plan, found))
        if tried[-1][0] <= ALIKE:
            break
        # As many MACs less as it is too slow, but within what was found too slow, and too fast.
        low, high = (macs, high) if found.value > faster else (low, macs)
        guess = macs * found.value / faster
        macs = guess if low < guess < high else (low + high) / 2
    _, best, found = min(tried, key=lambda each: each[0])
    return best, found


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
