"""A question to an LLM, and the parts of it that a service may refuse."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Part(StrEnum):
    """Part of a question that not every service or model takes."""

    LIMIT = "limit"
    TEMPERATURE = "temperature"
    SEED = "seed"
    SCHEMA = "schema"


class Limit(StrEnum):
    """What a service that speaks like OpenAI's calls the most tokens of a reply."""

    OLD = "max_tokens"
    NEW = "max_completion_tokens"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and how.

    schema: of the answer; None where the prompt carries it, or where there is none.
    temperature, seed: None for the service's own. limit: name under which max_tokens is sent.
    """

    model: str
    system: str
    prompt: str
    max_tokens: int
    schema: dict[str, object] | None = None
    temperature: float | None = None
    seed: int | None = None
    limit: Limit = Limit.OLD

    def has(self, part: Part) -> bool:
        """Whether there is anything to leave out."""
        match part:
            case Part.LIMIT:
                return self.limit is Limit.OLD
            case Part.TEMPERATURE:
                return self.temperature is not None
            case Part.SEED:
                return self.seed is not None
            case Part.SCHEMA:
                return self.schema is not None

    def without(self, parts: Iterable[Part]) -> "Question":
        """The same question, put without these parts."""
        question = self
        for part in parts:
            question = question._without(part)
        return question

    def _without(self, part: Part) -> "Question":
        match part:
            case Part.LIMIT:
                return replace(self, limit=Limit.NEW)
            case Part.TEMPERATURE:
                return replace(self, temperature=None)
            case Part.SEED:
                return replace(self, seed=None)
            case Part.SCHEMA:
                return replace(self, schema=None, prompt=self._prompt_with_schema())

    def _prompt_with_schema(self) -> str:
        if self.schema is None:
            return self.prompt
        return (
            f"{self.prompt}\n\nAnswer with one JSON object and nothing else. "
            f"It must satisfy this JSON schema:\n{json.dumps(self.schema)}"
        )
