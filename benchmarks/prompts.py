"""What asking costs: tokens of a prompt, and the share of a search that the agents themselves take.

Tokens are estimated from above, three bytes each, with all that is sent: system text, prompt,
schema; before the first proposal, and after 30 trials. The share is that of the master, the
briefings, and the parsing of replies in the time of a search on a small network, where it is
largest; the LLM is by script and answers at once.
"""

import json
import tempfile
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from ap_core.agents.briefing import analysis_briefing
from ap_core.agents.master import decide
from ap_core.agents.profiling import cheapest_blocks, costliest
from ap_core.agents.prompts import tokens_of
from ap_core.agents.reply import schema_of
from ap_core.budget import Budget, Cap
from ap_core.contracts import ModelRequest
from ap_core.cost import CostModel
from ap_core.network import Metric, Network
from ap_core.pipeline.opening.subject import skeleton_subject
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Silent
from ap_core.pipeline.prune import prune
from ap_core.pipeline.searching.evidence import BLOCKS, SCOPES
from ap_core.plan import kept_shares
from ap_core.plugins.hooks import PROJECT
from ap_core.plugins.loading import Plugin, load
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry
from ap_core.scores import Scores
from ap_core.search.trial import Evidence, Trial
from ap_core.strategy import Strategy
from benchmarks import scripted
from benchmarks.output import Row, show

MODELS = ("resnet50", "convnext_base", "vit_giant_patch14_224")
IMPORTANCES = ("fisher", "l1", "l2", "taylor")
TRIALS = 30


def main() -> None:
    """Prompts, then the share of the agents."""
    registry = Registry.from_entry_points()
    rows: list[Row] = [
        {"what": f"{name}, tokens, {trials} trials", "value": float(tokens(registry, name, trials))}
        for name in MODELS
        for trials in (1, TRIALS)
    ]
    rows.append({"what": "agents' share of a search, %", "value": 100 * share()})
    show("prompts", rows, about=__doc__ or "")


def tokens(registry: Registry, name: str, trials: int) -> int:
    """Tokens of one request of the analysis agent."""
    subject = skeleton_subject(registry, ModelRequest(name=name))
    architecture = subject.loaded.architecture
    network = subject.adapter.trace(subject.loaded.module, architecture).network
    evidence = _evidence(network, trials)
    briefing = analysis_briefing(evidence, decide(evidence.trials), reading="x" * 600)
    return tokens_of(briefing.system + briefing.prompt + json.dumps(schema_of(IMPORTANCES)))


def _evidence(network: Network, trials: int) -> Evidence:
    """All that there can be to tell."""
    generator = np.random.default_rng(0)
    values = {
        group.name: generator.random((group.lanes, group.width))
        for group in network.free
        if group.kind != "heads"
    }
    limit = CostModel(network).macs(network.whole) // 2
    trial = Trial(
        number=0,
        strategist="agents",
        strategy=Strategy(importance="taylor"),
        plan="",
        macs=limit,
        params=10**7,
        value=0.9,
        bound=None,
        retained=0.9,
        loss=1.0,
        accuracy=0.8,
        kept=kept_shares(network, network.whole),
    )
    pressure = {group.name: 1.4 for group in network.free[:8]}
    tried = Strategy(importance="fisher", smoothing=1.0, pressure=pressure)
    scopes = costliest(network, Metric.MACS, SCOPES)
    return Evidence(
        network=network,
        budget=Budget(caps=(Cap(metric=Metric.MACS, limit=limit),)),
        base=Strategy(importance="taylor"),
        importances=IMPORTANCES,
        trials=(
            trial,
            *(
                replace(trial, number=number, strategy=tried, loss=1.0 + number / 100)
                for number in range(1, trials)
            ),
        ),
        seed=0,
        scores=Scores(importance="taylor", reduction="sum", values=values, additive=True),
        uncut=0.5,
        sensitivity=dict.fromkeys(scopes, 1.5),
        without=dict.fromkeys(cheapest_blocks(network, Metric.MACS, None, BLOCKS), 1.5),
        left=7,
    )


def share() -> float:
    """Part of a search's time that is neither scoring, solving nor judging."""
    plugins, problems = load(entry_points(group=PROJECT))
    owner = Owner(distribution="benchmarks", version="0", plugin="scripted")
    registry = Registry.from_plugins(
        [*plugins, Plugin(owner=owner, implementation=scripted)], problems=problems
    )
    options = PruneOptions.parse(
        {
            "model": "test_vit", "num_classes": 10, "input_size": (3, 32, 32), "weights": "random",
            "data": "digits", "target_macs": "50%", "trials": 8, "llm": "script-rules",
        }
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        (pruned,) = prune(options, output=Path(place) / "run", registry=registry, progress=Silent())
    seconds = pruned.seconds
    search = sum(seconds[stage] for stage in ("score", "sensitivity", "propose", "solve", "judge"))
    return seconds["propose"] / search


if __name__ == "__main__":
    main()
