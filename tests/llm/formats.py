"""The two formats in which services are asked and answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from loopback import Answer

from ap_llm.opening import open_service
from ap_llm.services import ANTHROPIC, OPENAI, Service

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
KEY = "sk-secret-1234567890"


def as_json(document, *, status=200, **headers) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(document).encode()
    return Answer(status=status, body=body, headers={"content-type": "application/json", **named})


def message(text="hello", *, stop="end_turn", **more) -> dict:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5-5-20260901",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 7},
        **more,
    }


def completion(text="hello", *, stop="stop", refusal=None, **more) -> dict:
    said = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": "gpt-5.5-2026-04-23",
        "choices": [{"index": 0, "message": said, "finish_reason": stop, "logprobs": None}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one of the SDKs asks, and how a service answers it.

    path: of a question, behind the URL. model: that answers. reply: document of an answer.
    length: word for a reply that was cut off. schema: where the request holds the schema.
    """

    service: Service
    connect: Callable
    path: str
    model: str
    reply: Callable[..., dict]
    length: str
    schema: tuple[str, ...]

    def says(self, text="hello", **more) -> Answer:
        return as_json(self.reply(text, **more))

    def fails(self, status, words, **headers) -> Answer:
        error = {"type": "error", "error": {"type": "some_error", "message": words}}
        return as_json(error, status=status, **headers)

    def schema_in(self, body):
        """Schema that the request demands; None where it demands none."""
        for name in self.schema:
            body = body.get(name, {})
        return body or None

    def prompt_in(self, body):
        return body["messages"][-1]["content"]


MESSAGES = Format(
    service=ANTHROPIC,
    connect=partial(open_service, ANTHROPIC),
    path="/v1/messages",
    model="claude-opus-5-5-20260901",
    reply=message,
    length="max_tokens",
    schema=("output_config", "format", "schema"),
)
CHAT = Format(
    service=OPENAI,
    connect=partial(open_service, OPENAI),
    path="/chat/completions",
    model="gpt-5.5-2026-04-23",
    reply=completion,
    length="length",
    schema=("response_format", "json_schema", "schema"),
)
