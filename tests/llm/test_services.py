"""The offers, and what keeps a backend from opening."""

import subprocess
import sys

import pytest
from formats import CHAT, MESSAGES

from ap_core.contracts import LlmSettings
from ap_core.errors import UsageError
from ap_core.plugins.registry import Registry
from ap_llm.opening import open_service
from ap_llm.services import OLLAMA, OPENAI, OPENROUTER, VLLM

OFFERS = {
    "anthropic": ("ANTHROPIC_API_KEY", "claude-opus-5-5"),
    "openai": ("OPENAI_API_KEY", "gpt-5.5"),
    "openrouter": ("OPENROUTER_API_KEY", "openrouter/auto"),
    "deepseek": ("DEEPSEEK_API_KEY", "deepseek-flash"),
    "ollama": ("", ""),
    "vllm": ("", ""),
    "llamacpp": ("", "default"),
    "replay": ("", ""),
}


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_offers_name_their_keys_and_models():
    offers = Registry.from_entry_points().llm_backends
    ours = {name: (offers[name].key, offers[name].model) for name in OFFERS}
    assert ours == OFFERS


@pytest.mark.parametrize("name", [name for name in OFFERS if name != "replay"])
def test_every_offer_opens_and_answers(server, name):
    says = MESSAGES if name == "anthropic" else CHAT
    server.answer(says.says("hello"))
    connect = Registry.from_entry_points().llm_backends[name].make()
    backend = connect(LlmSettings(model="m", url=f"http://{server.host}", key="k"))
    assert backend.complete(system="", prompt="how much?", schema={}).text == "hello"


def test_a_missing_key_is_a_usage_error_that_names_its_variable(format_):
    key = format_.service.key
    with pytest.raises(UsageError, match=f"needs a key, and {key} is not set") as caught:
        format_.connect(LlmSettings())
    assert caught.value.hint == f"export {key}=..., or give the URL of a server that needs none"


@pytest.mark.parametrize("service", [OLLAMA, VLLM])
def test_a_missing_model_is_a_usage_error(service):
    with pytest.raises(UsageError, match=r"(ollama|vllm) needs a model") as caught:
        open_service(service, LlmSettings())
    assert caught.value.hint.endswith(":MODEL")


@pytest.mark.parametrize("key", ["two words", "sk-ä", "sk-\x00", "sk-1\nsk-2", "“sk-1”"])
def test_a_key_that_cannot_be_one_is_refused_but_not_shown(key):
    with pytest.raises(UsageError) as caught:
        open_service(OPENROUTER, LlmSettings(key=key))
    assert caught.value.message == "the key of openrouter holds characters that no key has"
    assert caught.value.hint == "check what OPENROUTER_API_KEY is set to"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000", "'localhost:8000' is no URL of a service"),
        ("ftp://localhost", "is no URL of a service"),
        ("http://", "is no URL of a service"),
        ("/v1", "is no URL of a service"),
        ("http://[::1", "is no URL: "),
        ("http://localhost:port", "is no URL: "),
        ("http://localhost:99999", "is no URL of a service"),
        ("http://ho\x00st", "is no URL: "),
        ("http://localhost/v1?version=1", "goes on after its path"),
        ("http://localhost/v1#here", "goes on after its path"),
    ],
)
def test_a_url_that_cannot_be_one_is_refused(url, words):
    with pytest.raises(UsageError, match=words):
        open_service(OPENAI, LlmSettings(url=url))


@pytest.mark.parametrize("user", ["me:secret", "secret", ":secret"])
@pytest.mark.parametrize("host", ["localhost", "localhost:port", "localhost:99999"])
def test_a_url_with_a_password_is_refused_but_the_password_not_shown(user, host):
    with pytest.raises(UsageError, match=r"//\*\*\*@localhost") as caught:
        open_service(OPENAI, LlmSettings(url=f"http://{user}@{host}/v1"))
    assert "secret" not in caught.value.message + caught.value.hint


def test_a_missing_sdk_is_an_error_that_names_the_extra(format_):
    sdk = format_.service.sdk
    lines = run(
        f"import sys; sys.modules['{sdk}'] = None\n"
        "from ap_core.contracts import LlmSettings\n"
        "from ap_core.errors import LlmError\n"
        "from ap_llm.opening import open_service\n"
        f"from ap_llm.services import {format_.service.name.upper()} as service\n"
        "try: open_service(service, LlmSettings(key='k'))\n"
        "except LlmError as error: print(error.message); print(error.hint)"
    )
    assert lines[0].startswith(f"{format_.service.name} needs the package {sdk}: ")
    assert lines[1] == f"pip install 'ap-llm[{sdk}]'"


def test_the_plugin_and_its_offers_import_nothing_heavy():
    lines = run(
        "import sys, ap_llm.plugin\n"
        "ap_llm.plugin.ap_llm_backends()\n"
        "print(sorted({'anthropic', 'openai', 'httpx2', 'pydantic'} & set(sys.modules)))"
    )
    assert lines == ["[]"]


def test_opening_imports_only_the_sdk_that_is_used():
    lines = run(
        "import sys\n"
        "from ap_core.contracts import LlmSettings\n"
        "from ap_llm.opening import open_service\n"
        "from ap_llm.services import OPENAI\n"
        "open_service(OPENAI, LlmSettings(key='k'))\n"
        "print(sorted({'anthropic', 'openai'} & set(sys.modules)))"
    )
    assert lines == ["['openai']"]
