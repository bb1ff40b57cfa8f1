"""The HTTP client under the SDKs, by itself."""

import pytest
from formats import KEY
from loopback import Answer

from ap_llm.wire import GuardedClient


@pytest.fixture
def post(server):
    """Function that asks the server through the client, with these headers."""

    def post(**headers):
        with GuardedClient(key=KEY, timeout=5.0) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.post(f"http://{server.host}/", json={}, headers=named)

    return post


def test_headers_that_nobody_asked_for_do_not_go_out(server, post):
    server.answer(Answer())
    post(authorization="Bearer other", x_api_key="other", openai_organization="o", cookie="c=1")
    assert set(server.requests[0].headers) == {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_request_of_the_sdk_is_left_as_it_was(server, post):
    server.answer(Answer())
    assert post(x_note="mine").request.headers["x-note"] == "mine"


def test_headers_that_mean_nothing_do_not_come_in(server, post):
    headers = {"server": "s", "set-cookie": "c=1", "location": "/there", "x-should-retry": "true"}
    server.answer(Answer(headers=headers))
    assert set(post().headers) == {"location", "x-should-retry"}


def test_a_header_comes_in_as_ascii(server, post):
    server.answer(Answer(status=302, headers={"location": "/größer"}))
    assert post().headers["location"] == r"/gr\xf6\xdfer"


@pytest.mark.parametrize(
    ("asked", "wait", "again"),
    [
        ({"retry-after": "3"}, "3.000", None),
        ({"retry-after": "0.25"}, "0.250", None),
        ({"retry-after-ms": "250", "retry-after": "3"}, "0.250", None),
        ({"retry-after-ms": "soon", "retry-after": "3"}, "3.000", None),
        ({"retry-after": "-5"}, "0.000", None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, "0.000", None),
        ({"retry-after": "5.1"}, "5.100", "false"),
        ({"retry-after": "5.1", "x-should-retry": "true"}, "5.100", "false"),
        ({"retry-after": "nan"}, None, None),
        ({"retry-after": "inf"}, None, None),
        ({"retry-after": "soon"}, None, None),
        ({"retry-after": ""}, None, None),
        ({"retry-after": "Fri, 31 Dec 9999 99:99:99 GMT"}, None, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}, "0.000", None),
        ({}, None, None),
    ],
)
def test_a_wait_is_told_where_it_makes_sense(server, post, asked, wait, again):
    server.answer(Answer(status=429, headers=asked))
    headers = post().headers
    assert (headers.get("retry-after"), headers.get("x-should-retry")) == (wait, again)


def test_connections_are_not_kept(server):
    server.answer(Answer())
    client = GuardedClient(key="", timeout=5.0)
    for _ in range(2):
        client.post(f"http://{server.host}/", json={})
    assert len({request.client for request in server.requests}) == 2
