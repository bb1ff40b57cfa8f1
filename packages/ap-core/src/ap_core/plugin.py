"""What ap_core itself offers, through the same hooks as everybody else."""

from ap_core.contracts import Desk, Strategist
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import CommandOffer, StrategistOffer


@hookimpl
def ap_strategists() -> list[StrategistOffer]:
    """Offer the built-in strategists."""
    home = "ap_core.search.strategists"
    return [
        StrategistOffer(
            name="solver",
            summary="one good strategy at once, by rules",
            load=f"{home}.solver:SolverStrategist",
            trials=1,
        ),
        StrategistOffer(
            name="grid",
            summary="a fixed grid of strategies round the first",
            load=f"{home}.grid:GridStrategist",
            trials=12,
        ),
        StrategistOffer(
            name="random",
            summary="strategies drawn by seed",
            load=f"{home}.random:RandomStrategist",
            trials=16,
        ),
        StrategistOffer(
            name="tpe",
            summary="tree-structured Parzen estimator (optuna), learns from the trials",
            load=f"{home}.tpe:TpeStrategist",
            trials=16,
        ),
        StrategistOffer(
            name="agents",
            summary="an LLM that learns from the trials: --llm",
            load=lambda: _agents,
            trials=12,
            asks=True,
        ),
    ]


def _agents(desk: Desk) -> Strategist:
    from ap_core.agents.strategist import AgentStrategist

    return AgentStrategist(desk)


@hookimpl
def ap_commands() -> list[CommandOffer]:
    """Offer the built-in commands."""
    summaries = {
        "prune": "Cut a network down to a budget.",
        "drive": "Search step by step, with proposals from outside.",
        "profile": "Show what a network is made of and where its cost is.",
        "runs": "List runs, or show one.",
        "report": "Write the report of a run as one HTML file.",
        "models": "List the networks that can be named.",
        "plugins": "List plugins, what they offer, and what is wrong with them.",
    }
    return [
        CommandOffer(name=name, summary=summary, load=f"ap_core.cli.{name}:{name}")
        for name, summary in summaries.items()
    ]
