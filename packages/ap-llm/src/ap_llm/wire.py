"""The HTTP client under the SDKs: nothing unasked goes out, nothing unbounded comes in."""

import math
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import httpx2

from ap_llm.failures import LateError, LineError, StatusError, UnreachableError
from ap_llm.replies import MAX_BODY

# The SDKs want a key; this one stands for none and is never sent.
NO_KEY = "none"
HEADERS_OUT = (
    "accept",
    "accept-encoding",
    "anthropic-version",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
)
HEADERS_IN = ("location", "x-should-retry")


class GuardedClient(httpx2.Client):
    """HTTP client that neither the environment nor the service leads astray.

    The SDKs take keys, organisations and whole headers from the environment, so the headers that
    go out are chosen here, and of keys only the one given. Redirects are not followed: they would
    take the key and the prompt elsewhere. An answer comes within the timeout as a whole, because
    a service may keep a line alive with blank lines for half an hour
    (https://api-docs.deepseek.com/quick_start/rate_limit), and has some MAX_BODY bytes at most.
    A service that asks to wait for longer than the timeout is not asked again.
    """

    def __init__(self, *, key: str, timeout: float) -> None:
        # Without connections that are kept there is nothing to close, and none that has gone
        # stale in the minutes between two questions.
        limits = httpx2.Limits(max_keepalive_connections=0)
        super().__init__(timeout=timeout, follow_redirects=False, limits=limits)
        self._key = key
        self._seconds = timeout

    def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: object
    ) -> httpx2.Response:
        """Answer, read whole; what the SDK would have it do otherwise is of no account."""
        del stream, options
        deadline = time.monotonic() + self._seconds
        response = super().send(self._outgoing(request), stream=True)
        try:
            body = b"".join(_bounded(response, deadline))
        finally:
            response.close()
        headers = self._incoming(response.headers)
        # The SDKs keep notes for themselves in the headers of their request.
        return httpx2.Response(response.status_code, headers=headers, content=body, request=request)

    def _outgoing(self, request: httpx2.Request) -> httpx2.Request:
        headers = {name: request.headers[name] for name in HEADERS_OUT if name in request.headers}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        return httpx2.Request(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def _incoming(self, headers: httpx2.Headers) -> httpx2.Headers:
        # What is not ASCII in a header is an error in some SDKs.
        chosen = {name: ascii(headers[name])[1:-1] for name in HEADERS_IN if name in headers}
        wait = _seconds_to_wait(headers)
        if wait is not None:
            chosen["retry-after"] = f"{wait:.3f}"
            if wait > self._seconds:
                chosen["x-should-retry"] = "false"
        return httpx2.Headers(chosen)


def _bounded(response: httpx2.Response, deadline: float) -> Iterator[bytes]:
    size = 0
    for piece in response.iter_bytes():
        yield piece
        size += len(piece)
        if size > MAX_BODY:
            return
        if time.monotonic() > deadline:
            raise httpx2.ReadTimeout("the answer took too long", request=response.request)


def _seconds_to_wait(headers: httpx2.Headers) -> float | None:
    """Seconds that the service asks to wait; None where it does not, or not in a way we know."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return max(seconds, 0.0) if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(moment - time.time(), 0.0)


def status_error(response: httpx2.Response) -> StatusError:
    """Failure of an answer that is no success."""
    headers = response.headers
    return StatusError(
        status=response.status_code,
        body=response.content,
        wait=float(headers["retry-after"]) if "retry-after" in headers else None,
        location=headers.get("location", ""),
    )


def line_error(error: Exception) -> LineError:
    """Failure of a call that got no answer, from what an SDK raised."""
    cause = error.__cause__ or error
    match cause:
        case httpx2.TimeoutException():
            return LateError(str(cause))
        case httpx2.ConnectError():
            return UnreachableError(str(cause))
        case _:
            return LineError(str(cause) or type(cause).__name__)
