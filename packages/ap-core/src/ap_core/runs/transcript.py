"""Lines of transcript.jsonl: what was sent to an LLM and what it answered."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ap_core.contracts import LlmReply

Count = Annotated[int, Field(ge=0)]


class ReplyRecord(BaseModel):
    """What the LLM answered, and what it took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    model: str
    input_tokens: Count = 0
    output_tokens: Count = 0
    stop: str = ""
    notes: tuple[str, ...] = ()

    def to_reply(self) -> LlmReply:
        """Reply that this is the record of."""
        return LlmReply(
            text=self.text,
            model=self.model,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            stop=self.stop,
            notes=self.notes,
        )


class ExchangeRecord(BaseModel):
    """One request and its reply.

    role: which agent asked. request: digest of what was asked; None where any request will do
    (transcripts written by hand). system, prompt: what was asked. seconds: until the reply.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["exchange"] = "exchange"
    role: str = ""
    request: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    system: str = ""
    prompt: str = ""
    reply: ReplyRecord
    seconds: float = 0.0


def digest_request(*, system: str, prompt: str, schema: Mapping[str, object]) -> str:
    """SHA-256 of a request's canonical JSON."""
    document = {"prompt": prompt, "schema": schema, "system": system}
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
