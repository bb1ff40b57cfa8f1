"""The LLM of a run: which one, with which key, and where its exchanges are kept."""

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ap_core.agents.asking import Allowance, Llm
from ap_core.contracts import LlmBackend, LlmReply, LlmSettings
from ap_core.errors import UsageError
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import DRIVEN, DecisionRecord, LlmRecord

NOBODY = "none"
AUTO = "auto"

SPELLING = re.compile(r"(?P<name>[^:@]+)(?::(?P<model>.*?))?(?:@(?P<url>https?://\S+))?")
HOW = "write it like anthropic, openai:MODEL or openai:MODEL@http://localhost:8000/v1"

CALLS = 4
"""Calls that every trial may cost where no number is given: one, two repairs, and one to spare."""


@dataclass(frozen=True, kw_only=True)
class OpenLlm:
    """A backend that was opened. secret: its key, which must not be kept anywhere."""

    backend: LlmBackend
    secret: str = field(default="", repr=False)


def settled(options: PruneOptions, registry: Registry, progress: Progress) -> PruneOptions:
    """Options that name the LLM and the strategist, where "auto" and defaults left them open.

    Raises: UsageError where they do not go together.
    """
    if options.strategist == DRIVEN:
        return options
    llm = options.llm
    if llm == AUTO:
        llm = _found(registry, os.environ)
        progress.note(f"--llm auto: {llm}" if llm != NOBODY else "--llm auto: no key is set")
    strategist = options.strategist or ("solver" if llm == NOBODY else "agents")
    registry.strategists.require(strategist)
    asks = registry.strategists[strategist].asks
    if asks and llm == NOBODY and options.llm == AUTO:
        strategist, asks = "solver", False
    if asks and llm == NOBODY:
        raise UsageError(
            f"the strategist {strategist!r} asks an LLM", hint=f"name one: --llm; {HOW}"
        )
    if not asks and llm != NOBODY:
        raise UsageError(
            f"the strategist {strategist!r} asks no LLM", hint="leave --llm or --strategist out"
        )
    return options.model_copy(update={"llm": llm, "strategist": strategist})


def open_llm(options: PruneOptions, registry: Registry) -> OpenLlm | None:
    """Backend of the LLM that the options name; None where they name none.

    Raises: UsageError for a spelling of no sense and a key that is missing; UnknownNameError;
    what the backend raises.
    """
    if options.llm == NOBODY:
        return None
    name, model, url = _parts(options.llm)
    offer = registry.llm_backends[name]
    key = os.environ.get(offer.key, "") if offer.key else ""
    if offer.key and not key and not url:
        raise UsageError(
            f"--llm {options.llm} needs a key: {offer.key} is not set",
            hint=f"export {offer.key}=...; --llm none searches without an LLM",
        )
    settings = LlmSettings(
        model=model or offer.model,
        url=url,
        key=key,
        timeout=options.llm_timeout,
        temperature=options.llm_temperature,
        seed=options.seed,
    )
    return OpenLlm(backend=offer.make()(settings), secret=key)


@dataclass(frozen=True, kw_only=True)
class RunDesk:
    """A desk that keeps in a run what passes over it; nowhere where there is no run.

    decided: numbers of the trials that a decision was kept for.
    """

    llm: Llm
    run: RunDirectory | None
    decided: set[int]

    def ask(self, role: str, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Reply of the LLM. Raises: LlmError."""
        return self.llm.ask(role, system=system, prompt=prompt, schema=schema)

    def decide(self, trial: int, move: str, reason: str) -> None:
        """Keep a decision, once for every trial."""
        if self.run is not None and trial not in self.decided:
            self.run.append_decision(DecisionRecord(trial=trial, move=move, reason=reason))
        self.decided.add(trial)


def open_desk(
    opened: OpenLlm,
    options: PruneOptions,
    run: RunDirectory | None,
    *,
    trials: int,
    warn: Callable[[str], None],
) -> RunDesk:
    """Desk where a search asks. trials: its allowance. warn: tells the user.

    Raises: RunError for a damaged transcript.
    """
    calls = CALLS * trials if options.llm_max_calls is None else options.llm_max_calls
    llm = Llm(
        opened.backend,
        before=run.exchanges() if run else (),
        keep=run.append_exchange if run else lambda _exchange: None,
        tell=warn,
        allowance=Allowance(calls=calls, tokens=options.llm_max_tokens),
        clock=time.perf_counter,
        secret=opened.secret,
    )
    decided = {decision.trial for decision in run.decisions()} if run else set()
    return RunDesk(llm=llm, run=run, decided=decided)


def asked(options: PruneOptions, desk: RunDesk | None) -> LlmRecord | None:
    """What asking took; None where no LLM was there to be asked."""
    if desk is None:
        return None
    usage = desk.llm.usage
    return LlmRecord(
        llm=options.llm,
        model=usage.model,
        calls=usage.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        seconds=usage.seconds,
    )


def _parts(spelt: str) -> tuple[str, str, str]:
    """Backend, model and URL of "BACKEND:MODEL@URL"; the last two may be empty."""
    match = SPELLING.fullmatch(spelt)
    if not match:
        raise UsageError(f"--llm {spelt!r} makes no sense", hint=HOW)
    return match["name"], match["model"] or "", match["url"] or ""


def _found(registry: Registry, environment: Mapping[str, str]) -> str:
    """First backend, by name, whose key is set and that has a model of its own."""
    for name in sorted(registry.llm_backends):
        offer = registry.llm_backends[name]
        if offer.model and offer.key and environment.get(offer.key):
            return name
    return NOBODY
