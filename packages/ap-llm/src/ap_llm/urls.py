"""URLs of services, as users give them."""

import re

import httpx2

from ap_core.errors import UsageError

MAX_PORT = 65_535
EXAMPLE = "http://localhost:8000/v1"


def check_url(text: str) -> None:
    """Raise UsageError for what is no URL of a service, or says more than where it is."""
    shown = re.sub("//[^/]*@", "//***@", text)
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise UsageError(f"{shown!r} is no URL: {error}", hint=EXAMPLE) from error
    if url.scheme not in ("http", "https") or not url.host or (url.port or 0) > MAX_PORT:
        raise UsageError(f"{shown!r} is no URL of a service", hint=EXAMPLE)
    if url.userinfo:
        raise UsageError(
            f"the URL {shown!r} holds a password", hint="leave it out: URLs are recorded"
        )
    if url.query or url.fragment:
        raise UsageError(f"the URL {shown!r} goes on after its path", hint=EXAMPLE)
