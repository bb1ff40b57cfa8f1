"""What proposes strategies, and the LLM that it may ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ap_core.search.trial import Evidence
    from ap_core.strategy import Strategy


class Strategist(Protocol):
    """Proposes strategies, learning from the trials so far."""

    def propose(self, evidence: Evidence) -> Strategy | None:
        """Next strategy to try; None where there is nothing left to try.

        Depends on the evidence alone, so that a search that was killed goes on as if it had not.
        """


@dataclass(frozen=True, kw_only=True)
class LlmSettings:
    """Which LLM to ask, and how.

    model: the service's name for it, or what else the backend is opened with ("replay:FILE"); ""
        for the offer's own.
    url: base URL of the service; "" for the backend's own.
    key: what the environment holds under the name that the offer gives; "" for none.
    timeout: seconds that one attempt of a call may take. retries: attempts after the first.
    max_tokens: of one reply. temperature, seed: None for the service's own.
    """

    model: str = ""
    url: str = ""
    key: str = field(default="", repr=False)
    timeout: float = 120.0
    retries: int = 2
    max_tokens: int = 4096
    temperature: float | None = None
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class LlmReply:
    """What an LLM answered, and what it took.

    text: may be empty, where the LLM said nothing.
    stop: why the text is not whole: "length", "refusal"; "" where it is.
    notes: what the user must be told: a setting that the service did not take, ...
    """

    text: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    stop: str = ""
    notes: tuple[str, ...] = ()


class LlmBackend(Protocol):
    """Carries a prompt to an LLM and its answer back; knows nothing of pruning."""

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Answer as text; JSON for the schema where the service can. Raises: LlmError."""


class Desk(Protocol):
    """Where a strategist asks an LLM, and writes down what it decides.

    Allowances are kept, every exchange is on disk before it is answered, and what was asked before
    a kill is answered again without asking: the same requests must come from the same evidence.
    """

    def ask(self, role: str, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Reply of the LLM. role: who asks, for the transcript.

        Raises: LlmError where the service failed, or where no more may be asked.
        """

    def decide(self, trial: int, move: str, reason: str) -> None:
        """Keep a decision, made before the trial of this number."""
