"""Asking a strategist, who is not trusted: what is proposed is checked and bound to the options."""

from dataclasses import replace

from pydantic import ValidationError

from ap_core.contracts import Strategist
from ap_core.errors import ApError, UsageError, unknown_name
from ap_core.search.trial import Evidence
from ap_core.strategy import Strategy


class UnusableError(UsageError):
    """A proposal that cannot be tried; the message goes on after the strategist's name."""


def propose(strategist: Strategist, evidence: Evidence) -> Strategy | None:
    """Next strategy, valid and bound by the user's options; None where there is nothing to try.

    Raises: UnusableError, whatever was wrong with the proposal or the strategist.
    """
    try:
        proposal = strategist.propose(_shown(evidence))
    except UnusableError:
        raise
    except ApError as error:
        raise UnusableError(f"failed: {error.message}") from error
    # What a foreign strategist raises may cost quality, but must not end the run.
    except Exception as error:
        raise UnusableError(f"raised {type(error).__name__}: {error}") from error
    return None if proposal is None else accepted(proposal, evidence)


def accepted(proposal: object, evidence: Evidence) -> Strategy:
    """Strategy that was proposed, valid and bound by the user's options. Raises: UnusableError."""
    return bind(_checked(proposal, evidence), fixed_by_user(evidence))


def bind(strategy: Strategy, base: Strategy) -> Strategy:
    """Same strategy, but what the user's options protect or fix stays so.

    Of globs that match, the last one wins: hence the base strategy's stand last.
    """
    floors = {
        name: max(share, base.floor)
        for name, share in strategy.floors.items()
        if name not in base.floors
    }
    widths = {name: share for name, share in strategy.widths.items() if name not in base.widths}
    return strategy.model_copy(
        update={
            "reduction": strategy.reduction if base.reduction is None else base.reduction,
            "floor": max(strategy.floor, base.floor),
            "floors": floors | base.floors,
            "widths": widths | base.widths,
            "keep": tuple(dict.fromkeys((*strategy.keep, *base.keep))),
            "drop": tuple(dict.fromkeys((*strategy.drop, *base.drop))),
            "grain": base.grain,
            "round_to": strategy.round_to if base.round_to is None else base.round_to,
        }
    )


def fixed_by_user(evidence: Evidence) -> Strategy:
    """Base strategy without what it merely begins with."""
    base = evidence.base
    widths = {n: share for n, share in base.widths.items() if n not in evidence.guessed}
    return base.model_copy(update={"widths": widths})


def _shown(evidence: Evidence) -> Evidence:
    """Evidence without wall-clock times, and in copies that may be changed without harm."""
    return replace(
        evidence,
        base=evidence.base.model_copy(deep=True),
        trials=tuple(
            replace(trial, strategy=trial.strategy.model_copy(deep=True), seconds=0.0)
            for trial in evidence.trials
        ),
    )


def _checked(proposal: object, evidence: Evidence) -> Strategy:
    if not isinstance(proposal, Strategy):
        raise UnusableError(f"proposed a {type(proposal).__name__}, not a Strategy")
    try:
        # model_copy and model_construct check nothing.
        strategy = Strategy.model_validate(dict(proposal))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnusableError(f"proposed a wrong {place}: {first['msg']}") from error
    if strategy.importance not in evidence.importances:
        unknown = unknown_name("importance", strategy.importance, evidence.importances)
        raise UnusableError(f"proposed an {unknown.message} ({unknown.hint})")
    return strategy
