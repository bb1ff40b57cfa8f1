"""OpenAI's chat completions, which many servers speak, by way of its SDK."""

from typing import Annotated, TypeVar

import openai
from openai.types.chat import ChatCompletionMessageParam
from openai.types.shared_params import ResponseFormatJSONSchema
from pydantic import BaseModel, Field, field_validator

from ap_core.contracts import LlmReply, LlmSettings
from ap_llm.question import Limit, Part, Question
from ap_llm.replies import Tokens
from ap_llm.wire import NO_KEY, GuardedClient, line_error, status_error

T = TypeVar("T")

STOPS = {"length": "length", "content_filter": "refusal"}


class ChatDialect:
    """Asks and reads as OpenAI's chat completions want it."""

    parts = frozenset(Part)

    def __init__(self, settings: LlmSettings) -> None:
        self._client = openai.OpenAI(
            api_key=settings.key or NO_KEY,
            base_url=settings.url,
            timeout=settings.timeout,
            max_retries=settings.retries,
            http_client=GuardedClient(key=settings.key, timeout=settings.timeout),
        )

    def ask(self, question: Question) -> bytes:
        """Answer as it came. Raises: StatusError, LineError."""
        limit = question.max_tokens
        try:
            answer = self._client.chat.completions.with_raw_response.create(
                model=question.model,
                messages=_messages(question),
                max_tokens=limit if question.limit is Limit.OLD else openai.omit,
                max_completion_tokens=limit if question.limit is Limit.NEW else openai.omit,
                response_format=_given(_response_format(question)),
                temperature=_given(question.temperature),
                seed=_given(question.seed),
            )
        except openai.APIStatusError as error:
            raise status_error(error.response) from error
        except openai.OpenAIError as error:
            raise line_error(error) from error
        return answer.http_response.content

    def read(self, body: bytes, *, asked: str) -> LlmReply:
        """Reply that the answer holds. Raises: ValidationError."""
        completion = _Completion.model_validate_json(body)
        choice = completion.choices[0]
        refusal = choice.message.refusal
        usage = completion.usage or _Usage()
        return LlmReply(
            text=choice.message.content or refusal or "",
            model=completion.model or asked,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            stop="refusal" if refusal else STOPS.get(choice.finish_reason or "", ""),
        )


def _given(value: T | None) -> T | openai.Omit:
    return openai.omit if value is None else value


def _messages(question: Question) -> list[ChatCompletionMessageParam]:
    prompt: ChatCompletionMessageParam = {"role": "user", "content": question.prompt}
    if not question.system:
        return [prompt]
    return [{"role": "system", "content": question.system}, prompt]


def _response_format(question: Question) -> ResponseFormatJSONSchema | None:
    if question.schema is None:
        return None
    schema = question.schema
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": True},
    }


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None

    @field_validator("finish_reason")
    @classmethod
    def _is_whole(cls, reason: str | None) -> str | None:
        # OpenRouter's word for a model that failed while it answered.
        if reason == "error":
            raise ValueError("the model failed while it answered")
        return reason


class _Usage(BaseModel):
    prompt_tokens: Tokens = 0
    completion_tokens: Tokens = 0


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None
    usage: _Usage | None = None
