"""The strategist that is made of the three agents."""

from pydantic import BaseModel, ConfigDict, ValidationError

from ap_core.agents.briefing import Briefing, analysis_briefing, profiling_briefing
from ap_core.agents.master import Decision, Move, decide
from ap_core.agents.profiling import Names
from ap_core.agents.reply import ReplyError, parse, printable, schema_of, strategy_of
from ap_core.contracts import Desk
from ap_core.errors import LlmError
from ap_core.search.proposals import UnusableError, bind, fixed_by_user
from ap_core.search.trial import Evidence
from ap_core.strategy import Strategy

REPAIRS = 2
"""How often an LLM may mend a reply that was refused."""

READING_SCHEMA = {
    "type": "object",
    "properties": {"reading": {"type": "string"}},
    "required": ["reading"],
    "additionalProperties": False,
}
READING = 1200
"""Characters of a reading that are kept."""


class AgentStrategist:
    """Proposes what the analysis agent makes of the evidence, as the master agent directs.

    The base strategy comes first, and costs no call. A reply that is of no use is complained of,
    twice at the most; then, and where the LLM may not be asked any more, the proposal fails, and
    the search has another strategist stand in.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._readings: dict[str, str] = {}

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Next strategy; None where the master, or the LLM, ends the search.

        Raises: UnusableError where the LLM is of no use for this trial.
        """
        decision = decide(evidence.trials)
        self._desk.decide(decision.trial, decision.move.value, decision.reason)
        if decision.move is Move.BEGIN:
            return evidence.base
        if decision.move is Move.STOP:
            return None
        try:
            return self._analysed(evidence, decision, self._reading(evidence))
        except LlmError as error:
            raise UnusableError(f"got no answer: {error.message}") from error

    def _reading(self, evidence: Evidence) -> str:
        """What the profiling agent makes of the tables; "" where that is of no use."""
        briefing = profiling_briefing(evidence)
        known = self._readings.get(briefing.prompt)
        if known is not None:
            return known
        reply = self._desk.ask(
            "profiling", system=briefing.system, prompt=briefing.prompt, schema=READING_SCHEMA
        )
        reading = self._readings[briefing.prompt] = _reading(reply.text)
        return reading

    def _analysed(self, evidence: Evidence, decision: Decision, reading: str) -> Strategy | None:
        complaint = ""
        for _ in range(1 + REPAIRS):
            briefing = analysis_briefing(evidence, decision, reading=reading, complaint=complaint)
            try:
                return self._asked(evidence, briefing)
            except ReplyError as error:
                complaint = error.message
        raise UnusableError(f"gave {1 + REPAIRS} replies of no use; the last: {complaint}")

    def _asked(self, evidence: Evidence, briefing: Briefing) -> Strategy | None:
        schema = schema_of(evidence.importances)
        reply = self._desk.ask(
            "analysis", system=briefing.system, prompt=briefing.prompt, schema=schema
        )
        if reply.stop == "refusal":
            raise ReplyError("you refused to answer")
        if reply.stop == "length":
            raise ReplyError("the reply was cut off; be brief")
        return proposed(reply.text, evidence, briefing.names)


def proposed(text: str, evidence: Evidence, names: Names) -> Strategy | None:
    """Strategy that a reply proposes; None where it says to stop. Raises: ReplyError.

    names: those that a reply can use.
    """
    proposal = parse(text)
    if proposal.stop:
        return None
    strategy = strategy_of(proposal, evidence.base, names)
    if strategy.importance not in evidence.importances:
        known = ", ".join(evidence.importances)
        raise ReplyError(f"importance is none of {known}")
    _check_new(strategy, evidence)
    return strategy


def _reading(text: str) -> str:
    try:
        return printable(_Reading.model_validate_json(text).reading)[:READING]
    except ValidationError:
        return ""


class _Reading(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reading: str


def _check_new(strategy: Strategy, evidence: Evidence) -> None:
    """Refuse what was tried. Raises: ReplyError."""
    bound = bind(strategy, fixed_by_user(evidence)).model_dump(exclude={"rationale"})
    for trial in evidence.trials:
        if trial.strategy.model_dump(exclude={"rationale"}) == bound:
            raise ReplyError(f"that is the strategy of trial {trial.number}; propose another")
