"""Anthropic's Messages API, by way of its SDK."""

import anthropic
from pydantic import BaseModel

from ap_core.contracts import LlmReply, LlmSettings
from ap_llm.question import Part, Question
from ap_llm.replies import Tokens
from ap_llm.wire import NO_KEY, GuardedClient, line_error, status_error

STOPS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


class MessagesDialect:
    """Asks and reads as Anthropic's Messages API wants it. It knows no seed."""

    parts = frozenset({Part.TEMPERATURE, Part.SCHEMA})

    def __init__(self, settings: LlmSettings) -> None:
        self._client = anthropic.Anthropic(
            api_key=settings.key or NO_KEY,
            base_url=settings.url,
            timeout=settings.timeout,
            max_retries=settings.retries,
            open_telemetry=False,
            http_client=GuardedClient(key=settings.key, timeout=settings.timeout),
        )

    def ask(self, question: Question) -> bytes:
        """Answer as it came. Raises: StatusError, LineError."""
        try:
            answer = self._client.messages.with_raw_response.create(
                model=question.model,
                max_tokens=question.max_tokens,
                system=question.system or anthropic.omit,
                messages=[{"role": "user", "content": question.prompt}],
                output_config=anthropic.omit
                if question.schema is None
                else {"format": {"type": "json_schema", "schema": question.schema}},
                # The SDK has dropped the parameter, since the newest models refuse it.
                extra_body=None
                if question.temperature is None
                else {"temperature": question.temperature},
            )
        except anthropic.APIStatusError as error:
            raise status_error(error.response) from error
        except anthropic.AnthropicError as error:
            raise line_error(error) from error
        return answer.http_response.content

    def read(self, body: bytes, *, asked: str) -> LlmReply:
        """Reply that the answer holds. Raises: ValidationError."""
        message = _Message.model_validate_json(body)
        usage = message.usage or _Usage()
        return LlmReply(
            text="".join(block.text for block in message.content if block.type == "text"),
            model=message.model or asked,
            input_tokens=usage.input_tokens
            + usage.cache_creation_input_tokens
            + usage.cache_read_input_tokens,
            output_tokens=usage.output_tokens,
            stop=STOPS.get(message.stop_reason or "", ""),
        )


class _Block(BaseModel):
    """Piece of an answer; those of other types than "text" hold the LLM's thinking."""

    type: str
    text: str = ""


class _Usage(BaseModel):
    input_tokens: Tokens = 0
    cache_creation_input_tokens: Tokens = 0
    cache_read_input_tokens: Tokens = 0
    output_tokens: Tokens = 0


class _Message(BaseModel):
    content: list[_Block]
    model: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
