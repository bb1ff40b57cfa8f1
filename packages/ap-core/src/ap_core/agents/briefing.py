"""What an agent is told: the evidence in words and tables, true, in one unit, bounded in size."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape

from ap_core.agents.master import Decision, Move
from ap_core.agents.profiling import Names, Profile, profile_of
from ap_core.agents.prompts import filled
from ap_core.budget import NAMES, format_amount
from ap_core.cost import CostModel
from ap_core.network import Metric
from ap_core.search.trial import Evidence, Trial, best_of
from ap_core.strategy import Strategy

SHOWN = 8
"""Trials that are shown, besides the best: the last ones."""

LONGEST = 500
"""Characters of a strategy that are shown."""

TASKS: Mapping[Move, str] = {
    Move.BEGIN: "Propose the first strategy after the base strategy",
    Move.EXPLORE: "Try something that no trial has tried: another importance, ranking or "
    "smoothing, or pressure where cost and worth differ most",
    Move.REFINE: "Stay close to the best trial: go a step further in what it changed, or change "
    "one more thing",
    Move.WIDEN: "Small changes do not help any more: make a large one, of a kind not tried so far",
    Move.RETURN: "Go back to the best trial, and change it in another direction than the last "
    "trials did",
    Move.STOP: "Nothing speaks for going on; if you do, make a large change of a kind not tried",
}

RAW_TASK = "Spell out widths whose cost lands within the tolerance, by what earlier ones cost"
"""Task, whatever the move, where nothing keeps to the budget."""


@dataclass(frozen=True, kw_only=True)
class Briefing:
    """What is sent to an LLM, with what names in its reply stand for."""

    system: str
    prompt: str
    names: Names


def profiling_briefing(evidence: Evidence) -> Briefing:
    """For the profiling agent: the tables of the network."""
    tables, profile = _tables(evidence)
    return Briefing(
        system=filled("profiling_system", {}),
        prompt=filled("profiling", tables),
        names=profile.names,
    )


def analysis_briefing(
    evidence: Evidence,
    decision: Decision,
    *,
    reading: str = "",
    complaint: str = "",
) -> Briefing:
    """For the analysis agent: tables, trials, and what the next one is for.

    reading: what the profiling agent said.
    complaint: what was wrong with the last reply.
    """
    tables, profile = _tables(evidence)
    best = best_of(evidence.trials).number if evidence.trials else None
    shown = _shown(evidence.trials)
    names = {area.glob: area.name for area in profile.scopes}
    values = {
        **tables,
        "reading": reading,
        "base": _spelt(evidence.base, names),
        "trials": [_told(trial, evidence, names) for trial in shown],
        "earlier": len(evidence.trials) - len(shown),
        "best": best,
        "move": decision.move.value,
        "task": TASKS[decision.move] if evidence.tolerance is None else RAW_TASK,
        "reason": decision.reason,
        "left": evidence.left,
        "complaint": complaint,
    }
    return Briefing(
        system=_system(evidence),
        prompt=filled("analysis", values),
        names=profile.names,
    )


def _system(evidence: Evidence) -> str:
    values = {"importances": evidence.importances, "blocks": evidence.network.blocks}
    if evidence.tolerance is None:
        return filled("analysis_system", values)
    return filled("analysis_raw_system", values | {"tolerance": evidence.tolerance})


def _tables(evidence: Evidence) -> tuple[dict[str, object], Profile]:
    network, caps = evidence.network, evidence.budget.caps
    metric = caps[0].metric
    profile = profile_of(
        network,
        metric,
        evidence.base,
        evidence.scores,
        halves=evidence.sensitivity,
        without=evidence.without,
    )
    model = CostModel(network)
    costs = ((model.cost(each, network.whole), each) for each in network.metrics)
    whole = " and ".join(format_amount(cost, metric) for cost, metric in costs)
    budget = " and ".join(f"at most {format_amount(cap.limit, cap.metric)}" for cap in caps)
    return {
        "network": network,
        "profile": profile,
        "whole": whole,
        "budget": f"{budget}{_band(evidence)}",
        "metric": NAMES[metric],
        "importance": evidence.scores.importance if evidence.scores else "no importance",
        "uncut": evidence.uncut,
    }, profile


def _band(evidence: Evidence) -> str:
    """How far from the caps a plan may end, after these; a latency has no band."""
    if evidence.tolerance is not None:
        return f", within {evidence.tolerance}"
    if any(cap.metric is Metric.LATENCY for cap in evidence.budget.caps):
        return ""
    return f", and at most {100 * evidence.budget.band:g} % below"


def _shown(trials: Sequence[Trial]) -> list[Trial]:
    """The best, and the last ones, in order."""
    wanted = {trial.number for trial in trials[-SHOWN:]}
    if trials:
        wanted.add(best_of(trials).number)
    return [trial for trial in trials if trial.number in wanted]


def _told(trial: Trial, evidence: Evidence, names: Mapping[str, str]) -> dict[str, object]:
    """One trial, in words. names: of the scopes, by their globs."""
    odd = [trial.note] if trial.note else []
    if trial.missed:
        odd.append(f"outside the tolerance by {100 * trial.missed:.1f} % of the budget")
    if trial.same_as is not None:
        odd.append(f"its plan is that of trial {trial.same_as}")
    if trial.failure:
        odd.append(f"the built-in strategist stood in: {trial.failure}")
    kept = {names.get(escape(scope), ""): share for scope, share in trial.kept.items()}
    return {
        "number": trial.number,
        "strategy": _different(trial.strategy, evidence.base, names),
        "outcome": _outcome(trial),
        "kept": ", ".join(
            f"{kept_name} {100 * share:.0f}" for kept_name, share in kept.items() if kept_name
        ),
        "odd": "; ".join(odd),
    }


def _outcome(trial: Trial) -> str:
    found = [format_amount(trial.macs, Metric.MACS), format_amount(trial.params, Metric.PARAMS)]
    if trial.latency is not None:
        found.append(f"{format_amount(trial.latency, Metric.LATENCY)} measured")
    if trial.loss is not None:
        found.append(f"held-out loss {trial.loss:.4f}")
    if trial.accuracy is not None:
        found.append(f"held-out top-1 {100 * trial.accuracy:.2f} %")
    if trial.retained is not None:
        found.append(f"{100 * trial.retained:.2f} % of the base strategy's value kept")
    return ", ".join(found)


def _different(strategy: Strategy, base: Strategy, names: Mapping[str, str]) -> str:
    """What a strategy has that the base strategy has not."""
    theirs = base.model_dump(mode="json")
    mine = strategy.model_dump(mode="json", exclude={"rationale"})
    found = {field: value for field, value in mine.items() if value != theirs[field]}
    return _short(found, names) if found else "the base strategy"


def _spelt(strategy: Strategy, names: Mapping[str, str]) -> str:
    default = Strategy().model_dump(mode="json")
    mine = strategy.model_dump(mode="json", exclude={"rationale"})
    named = {"importance": strategy.importance}
    return _short(named | {n: v for n, v in mine.items() if v != default[n]}, names)


def _short(fields: Mapping[str, object], names: Mapping[str, str]) -> str:
    """Fields of a strategy as JSON, with the tables' names for scopes, and not too long."""
    shown = {
        field: {names.get(key, key): each for key, each in value.items()}
        if isinstance(value, dict)
        else value
        for field, value in fields.items()
    }
    text = json.dumps(shown)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text)} characters)"
