"""How failures are told to the user: what, where, and what to do."""

from http import HTTPStatus
from urllib.parse import urlsplit

from pydantic import ValidationError

from ap_core.contracts import LlmSettings
from ap_core.errors import LlmError
from ap_llm.failures import LateError, LineError, StatusError, UnreachableError, is_page, message_in
from ap_llm.services import OPENAI, Service

# Characters of a service's own words that are passed on.
MAX_WORDS = 300

HINTS = {
    401: "check the key in {key}",
    402: "the account has no credit left: top it up, or choose another service",
    403: "check the key in {key}, and that it may ask {model}",
    404: "check the name of the model, {model}, and the URL, {url}",
    413: "the question is too long for {model}: choose a model that takes more",
    429: "calls come too fast, or the quota is used up: wait, or choose another model",
    503: "the service is overloaded or down: wait and try again, or choose another model",
    529: "the service is overloaded: wait and try again, or choose another model",
}
HINTS_OF_HUNDREDS = {
    3: "give the URL that the service has moved to",
    4: "check the name of the model, {model}, and what is asked of it",
    5: "the service failed: wait and try again, or choose another",
}
HINT = "check the URL, {url}"
HINT_WITHOUT_KEY = (
    f"the server wants a key: ask it as {OPENAI.name}, with its URL, and set {OPENAI.key}"
)


class Explainer:
    """Says what went wrong with a service; its words are passed on, but never the key."""

    def __init__(self, service: Service, settings: LlmSettings) -> None:
        self._service = service
        self._settings = settings
        self._where = f"{service.name} at {urlsplit(settings.url).netloc}"

    def status(self, failure: StatusError) -> LlmError:
        """Error for an answer that is no success."""
        said = self._quote(failure.message or ("" if is_page(failure.text) else failure.text))
        if failure.location:
            said = f"go to {self._quote(failure.location)}"
        return LlmError(
            f"{self._where} answered {failure.status}: {said or _phrase(failure.status)}",
            hint=self._hint(failure),
        )

    def line(self, failure: LineError) -> LlmError:
        """Error for a call that got no answer."""
        settings = self._settings
        match failure:
            case LateError():
                return LlmError(
                    f"{self._where} gave no answer within {settings.timeout:g} s "
                    f"(attempts: {settings.retries + 1})",
                    hint="allow more seconds or fewer tokens, or choose a faster model",
                )
            case UnreachableError():
                known = settings.url == self._service.url and self._service.key
                return LlmError(
                    f"cannot reach {self._where}: {self._quote(str(failure))}",
                    hint="check the network" if known else "start the server, or check its URL",
                )
            case _:
                return LlmError(
                    f"{self._where} broke off: {self._quote(str(failure))}",
                    hint="try again; if it stays so, check the URL and the network",
                )

    def shape(self, failure: ValidationError, body: bytes) -> LlmError:
        """Error for an answer that is not one of an LLM."""
        first = failure.errors(include_url=False, include_input=False)[0]
        url = self._settings.url
        if first["type"] == "json_invalid":
            said = self._quote(body.decode(errors="replace")) or "nothing"
            return LlmError(
                f"{self._where} answered with what is no JSON: {said}",
                hint=f"check the URL, {url}",
            )
        if message := message_in(body):
            return LlmError(
                f"{self._where} answered with an error: {self._quote(message)}",
                hint=HINTS_OF_HUNDREDS[5],
            )
        field = ".".join(map(str, first["loc"])) or "all of it"
        return LlmError(
            f"{self._where} answered with JSON of another shape: {field}: {first['msg']}",
            hint=f"check that {url} speaks as {self._service.sdk} does",
        )

    def size(self, limit: int) -> LlmError:
        """Error for an answer that was not read to its end."""
        return LlmError(
            f"{self._where} answered with more than {limit} bytes", hint="choose another model"
        )

    def _hint(self, failure: StatusError) -> str:
        if failure.status == HTTPStatus.UNAUTHORIZED and not self._service.key:
            return HINT_WITHOUT_KEY
        hundreds = HINTS_OF_HUNDREDS.get(failure.status // 100, HINT)
        hint = HINTS.get(failure.status, hundreds).format(
            key=self._service.key or "its settings",
            model=self._settings.model,
            url=self._settings.url,
        )
        return f"{hint}; it asks to wait {failure.wait:.0f} s" if failure.wait else hint

    def _quote(self, text: str) -> str:
        """One line of the text that a terminal can show, without the key."""
        if self._settings.key:
            text = text.replace(self._settings.key, "***")
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= MAX_WORDS else f"{line[:MAX_WORDS]}..."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no words"
