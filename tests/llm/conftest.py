"""What the tests of backends share: a server, and backends that ask it."""

from pathlib import Path

import pytest
from formats import CHAT, KEY, MESSAGES, SCHEMA
from loopback import serving

from ap_core.contracts import LlmSettings


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """No proxy of the environment, and no certificates: reading them takes longer than a test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_DIR", str(Path(__file__).parent))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture(params=[MESSAGES, CHAT], ids=["anthropic", "openai"])
def format_(request):
    return request.param


@pytest.fixture
def connect(server):
    """Function that opens a backend of a format, which asks the server once, and not for long."""

    def connect(format_, **more):
        settings = {"url": f"http://{server.host}", "key": KEY, "timeout": 5.0, "retries": 0}
        return format_.connect(LlmSettings(**{**settings, **more}))

    return connect


@pytest.fixture
def ask(connect):
    """Function that asks the server one question, in a format."""

    def ask(format_, **more):
        backend = connect(format_, **more)
        return backend.complete(system="be brief", prompt="how much?", schema=SCHEMA)

    return ask
