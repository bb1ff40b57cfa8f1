"""What can go wrong between a question and its answer."""

from pydantic_core import from_json


class StatusError(Exception):
    """An answer that is no success.

    text: all of it. message: what it has for people to read; "" where it has nothing.
    wait: seconds that the service asks to wait. location: where it redirects to.
    """

    def __init__(
        self, *, status: int, body: bytes, wait: float | None = None, location: str = ""
    ) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.text = body.decode(errors="replace").strip()
        self.message = message_in(body)
        self.wait = wait
        self.location = location


class LineError(Exception):
    """A call that got no answer."""


class LateError(LineError):
    """A call that got none in time."""


class UnreachableError(LineError):
    """A call that found nobody."""


def message_in(body: bytes) -> str:
    """What an answer says is wrong, in the words it has for people; "" where it has none."""
    try:
        return _message_of(from_json(body))
    except ValueError:
        text = body.decode(errors="replace").strip()
        return "" if is_page(text) else text


def is_page(text: str) -> bool:
    """Whether this is a page for browsers, made by something that stands before the service."""
    return text.startswith("<")


def _message_of(document: object) -> str:
    match document:
        case (
            {"error": {"message": str(message)}}
            | {"error": str(message)}
            | {"message": str(message)}
            | {"detail": str(message)}
        ):
            return message
        case _:
            return ""
