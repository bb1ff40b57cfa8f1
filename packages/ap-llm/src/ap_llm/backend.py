"""The backend that all services share: what differs between them is a dialect."""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Protocol

from pydantic import ValidationError

from ap_core.contracts import LlmReply, LlmSettings
from ap_llm.concessions import refused_part
from ap_llm.explanations import Explainer
from ap_llm.failures import LineError, StatusError
from ap_llm.question import Limit, Part, Question
from ap_llm.replies import MAX_BODY, bound_text
from ap_llm.services import Service


class Dialect(Protocol):
    """How an SDK asks, and how its service answers."""

    @property
    def parts(self) -> Set[Part]:
        """Parts of a question that it can do without."""

    def ask(self, question: Question) -> bytes:
        """Answer as it came. Raises: StatusError, LineError."""

    def read(self, body: bytes, *, asked: str) -> LlmReply:
        """Reply that the answer holds. Raises: ValidationError.

        asked: model that was asked; the answer may name another.
        """


class ServiceBackend:
    """Carries questions to a service by way of its SDK.

    What the service refuses once, and answers without, it is not sent again.
    """

    def __init__(self, service: Service, settings: LlmSettings, dialect: Dialect) -> None:
        self._name = f"{service.name}:{settings.model}"
        self._settings = settings
        self._dialect = dialect
        self._explain = Explainer(service, settings)
        self._limit = service.limit if settings.url == service.url else Limit.OLD
        self._refused: tuple[Part, ...] = ()

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Answer of the service. Raises: LlmError."""
        body = self._ask(
            Question(
                model=self._settings.model,
                system=system,
                prompt=prompt,
                max_tokens=self._settings.max_tokens,
                schema=dict(schema) or None,
                temperature=self._settings.temperature,
                seed=self._settings.seed,
                limit=self._limit,
            )
        )
        if len(body) > MAX_BODY:
            raise self._explain.size(MAX_BODY)
        try:
            reply = self._dialect.read(body, asked=self._settings.model)
        except ValidationError as error:
            raise self._explain.shape(error, body) from error
        return bound_text(replace(reply, notes=self._notes()))

    def _notes(self) -> tuple[str, ...]:
        """What the service did not take; the name of the limit is nobody's concern."""
        parts = [part for part in self._refused if part is not Part.LIMIT]
        return tuple(f"{self._name} takes no {part} from us: it is asked without" for part in parts)

    def _ask(self, question: Question) -> bytes:
        refused = self._refused
        while True:
            asked = question.without(refused)
            try:
                body = self._dialect.ask(asked)
            except StatusError as error:
                part = refused_part(error, asked, of=self._dialect.parts)
                if part is None:
                    raise self._explain.status(error) from error
                refused = (*refused, part)
            except LineError as error:
                raise self._explain.line(error) from error
            else:
                self._refused = refused
                return body
