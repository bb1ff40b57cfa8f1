"""Conformance of LLM backends."""

from collections.abc import Callable

from ap_core.contracts import LlmBackend, LlmReply
from ap_core.testing.requirement import require

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def check_llm_backend(connect: Callable[[], LlmBackend]) -> None:
    """Demand of an LLM backend that it answers twice, and says who answered and what it took.

    connect: makes the backend; the service behind it must answer two requests.
    """
    backend = connect()
    for number in (1, 2):
        reply = backend.complete(
            system="You answer with JSON.", prompt=f"What is {number}?", schema=SCHEMA
        )
        require(isinstance(reply, LlmReply), f"complete returned {reply!r}, which is no LlmReply")
        require(isinstance(reply.text, str) and reply.text, "the reply holds no text")
        require(isinstance(reply.model, str) and reply.model, "the reply names no model")
        for tokens in (reply.input_tokens, reply.output_tokens):
            require(type(tokens) is int and tokens >= 0, f"{tokens!r} is no count of tokens")
