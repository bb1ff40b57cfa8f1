"""Who proposes strategies, and what comes of it: solver, grid, random, TPE, LLMs by script.

Small networks are trained on digits and on glyphs, one for every seed, and cut to 50 and 30 % of
their MACs with equal allowances of trials. "rules" is an analysis agent that follows the evidence
by simple rules (benchmarks/scripted.py); "fickle" proposes at random; twelve more reply nothing of
use. How many runs end within the band of the budget (of raw strategies: within the paper's
tolerance), after how many trials; held-out top-1 of the best trial, and its mean rank among those
of equal allowance.
"""

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import product
from multiprocessing import get_context

from torch import nn

from ap_core.errors import OutOfReachError
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Silent
from ap_core.pipeline.prune import prune
from ap_core.plugins.hooks import PROJECT
from ap_core.plugins.loading import Plugin, load
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.search.trial import Trial, best_of
from benchmarks import scripted
from benchmarks.output import Row, show
from benchmarks.recovery import KINDS, SIZE, Kind, trained

TARGETS = ("50%", "30%")
SEEDS: Mapping[str, Sequence[int]] = {"digits": (0, 1), "glyphs": (0,)}
"""Seeds by data set; networks take far longer to train on glyphs."""

TRIALS = 12
FEW = 4
"""Trials of contenders that are there for their malice alone."""

HONEST: Mapping[str, Mapping[str, object]] = {
    "solver": {"strategist": "solver"},
    "grid": {"strategist": "grid"},
    "random": {"strategist": "random"},
    "tpe": {"strategist": "tpe"},
    "rules": {"llm": "script-rules"},
}
USELESS: Mapping[str, Mapping[str, object]] = {
    "fickle": {"llm": "script-fickle"},
    **{name: {"llm": f"script-{name}"} for name in scripted.OF_NO_USE},
}
RAW = ("grid", "random", "tpe", "rules")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run. trials: none where a raw search did not converge."""

    contender: str
    network: str
    target: str
    seed: int
    raw: bool
    limit: int
    band: float
    trials: tuple[Trial, ...]

    @property
    def within(self) -> bool:
        """Whether it ended within the band, or the tolerance."""
        return bool(self.trials) and self._fits(best_of(self.trials))

    @property
    def until(self) -> int | None:
        """How many trials there were until the first within."""
        return next((t.number + 1 for t in self.trials if self._fits(t)), None)

    @property
    def accuracy(self) -> float | None:
        """Held-out top-1 of the best trial."""
        return best_of(self.trials).accuracy if self.trials else None

    def _fits(self, trial: Trial) -> bool:
        if self.raw:
            return not trial.missed
        return (1 - self.band) * self.limit <= trial.macs <= self.limit


def main(words: Sequence[str] = ()) -> None:
    """All contenders on all networks, targets and seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(SEEDS), choices=list(SEEDS))
    parser.add_argument("--jobs", type=int, default=1, help="processes, one a network and seed")
    given = parser.parse_args(words)
    for data in given.data:
        places = [(kind, data, seed) for kind, seed in product(KINDS, SEEDS[data])]
        # The largest first: no process is left with it alone at the end.
        places.sort(key=lambda place: -place[0].epochs)
        with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
            cells = [cell for found in pool.map(_all_of, places) for cell in found]
        seeds = len(SEEDS[data])
        runs = f"{len(cells)} runs: {len(KINDS)} networks, {len(TARGETS)} targets, {seeds} seeds"
        show(f"agents-{data}", list(_rows(cells)), about=__doc__ or "", note=runs)


def _all_of(place: tuple[Kind, str, int]) -> list[Cell]:
    """Every run of one network, data set and seed."""
    kind, data, seed = place
    owner = Owner(distribution="benchmarks", version="0", plugin="scripted")
    plugins, problems = load(entry_points(group=PROJECT))
    plugins.append(Plugin(owner=owner, implementation=scripted))
    registry = Registry.from_plugins(plugins, problems=problems)
    network, _, _ = trained(registry, kind, data, seed)
    cells = list(measured(registry, kind, data, seed, network))
    print(data, kind.name, seed, len(cells), "runs", flush=True)
    return cells


def measured(
    registry: Registry, kind: Kind, data: str, seed: int, network: nn.Module
) -> Iterator[Cell]:
    """Every contender at every target; on the harder images, those that are compared only."""
    contenders = [(name, given, False, TRIALS) for name, given in HONEST.items()]
    if data == "digits":
        contenders += [(name, given, False, FEW) for name, given in USELESS.items()]
        contenders += [(name, HONEST[name], True, TRIALS) for name in RAW]
    for target, (name, given, raw, trials) in product(TARGETS, contenders):
        options = PruneOptions.parse(
            {
                "model": kind.name,
                "input_size": SIZE,
                "data": data,
                "target_macs": target,
                "seed": seed,
                "trials": trials,
                "raw": ("paper-vit" if "vit" in kind.name else "paper") if raw else "",
                **given,
            }
        )
        found: tuple[Trial, ...] = ()
        limit, band = 1, options.band
        try:
            (pruned,) = prune(
                options, module=network, dry_run=True, registry=registry, progress=Silent()
            )
        except OutOfReachError:
            if not raw:
                raise
        else:
            found, limit = pruned.trials, pruned.budget.caps[0].limit
        yield Cell(
            contender=name,
            network=kind.name,
            target=target,
            seed=seed,
            raw=raw,
            limit=limit,
            band=band,
            trials=found,
        )


def _rows(cells: Sequence[Cell]) -> Iterator[Row]:
    """One row for every contender, projected and raw."""
    groups: dict[tuple[bool, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.raw, cell.contender].append(cell)
    ranks = _ranks([cell for cell in cells if cell.contender in HONEST and not cell.raw])
    for (raw, contender), mine in sorted(groups.items(), key=lambda item: item[0][0]):
        until = [cell.until for cell in mine if cell.until is not None]
        row: dict[str, object] = {
            "contender": contender,
            "strategies": "raw" if raw else "projected",
            "runs": len(mine),
            "within %": 100 * sum(cell.within for cell in mine) / len(mine),
            "trials until": statistics.mean(until) if until else "-",
        }
        for kind, target in product(KINDS, TARGETS):
            found = [
                100 * cell.accuracy
                for cell in mine
                if (cell.network, cell.target) == (kind.name, target) and cell.accuracy is not None
            ]
            row[f"{kind.name} {target}"] = f"{statistics.mean(found):.1f}" if found else "-"
        row["rank"] = f"{ranks[contender]:.2f}" if not raw and contender in ranks else "-"
        yield row


def _ranks(cells: Sequence[Cell]) -> dict[str, float]:
    """Mean rank by held-out loss among the contenders of equal allowance; equal ones share it."""
    by_place: dict[tuple[str, str, int], dict[str, float]] = defaultdict(dict)
    for cell in cells:
        loss = best_of(cell.trials).loss
        if loss is not None:
            by_place[cell.network, cell.target, cell.seed][cell.contender] = loss
    found: dict[str, list[float]] = defaultdict(list)
    for losses in by_place.values():
        for name, loss in losses.items():
            better = sum(other < loss for other in losses.values())
            equal = sum(other == loss for other in losses.values())
            found[name].append(better + (equal + 1) / 2)
    return {name: statistics.mean(ranks) for name, ranks in found.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
