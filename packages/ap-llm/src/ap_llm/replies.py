"""What holds for the replies of all services: how they count tokens, how long they may be."""

from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field

from ap_core.contracts import LlmReply

# Bytes of a reply's text; a strategy has some hundred.
MAX_TEXT = 1_000_000
# Bytes of what carries it: JSON may write a byte of text as six.
MAX_BODY = 16 * MAX_TEXT


def _known(count: object) -> object:
    return 0 if count is None else count


Tokens = Annotated[int, Field(ge=0), BeforeValidator(_known)]


def bound_text(reply: LlmReply) -> LlmReply:
    """The reply, cut to MAX_TEXT bytes where it is longer."""
    text = reply.text.encode()
    if len(text) <= MAX_TEXT:
        return reply
    # The cut may go through a character, whose first bytes are dropped.
    whole = text[:MAX_TEXT].decode(errors="ignore")
    return replace(reply, text=whole, stop=reply.stop or "length")
