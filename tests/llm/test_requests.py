"""What the backends send: the real SDKs against a server on loopback."""

from dataclasses import replace

import pytest
from formats import CHAT, KEY, MESSAGES, SCHEMA

from ap_core.contracts import LlmSettings
from ap_llm.opening import open_service
from ap_llm.services import DEEPSEEK, LLAMACPP, OLLAMA, OPENAI, OPENROUTER, VLLM

ENVIRONMENT = {
    "ANTHROPIC_API_KEY": "env-1",
    "ANTHROPIC_AUTH_TOKEN": "env-2",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/elsewhere",
    "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer env-3\nX-Api-Key: env-4\nX-Mine: env-5",
    "OPENAI_API_KEY": "env-6",
    "OPENAI_ADMIN_KEY": "env-7",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/elsewhere",
    "OPENAI_ORG_ID": "env-8",
    "OPENAI_PROJECT_ID": "env-9",
    "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer env-10\nX-Mine: env-11",
    "DEEPSEEK_API_KEY": "env-12",
}


def test_a_question_to_anthropic_is_a_message_with_an_output_format(server, ask):
    server.answer(MESSAGES.says())
    ask(MESSAGES, model="claude-x", temperature=0.25, max_tokens=77)
    (request,) = server.requests
    assert request.path == "/v1/messages"
    assert request.body == {
        "model": "claude-x",
        "max_tokens": 77,
        "temperature": 0.25,
        "system": "be brief",
        "messages": [{"role": "user", "content": "how much?"}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


def test_a_question_to_openai_is_a_chat_with_a_response_format(server, ask):
    server.answer(CHAT.says())
    ask(CHAT, model="gpt-x", temperature=0.25, max_tokens=77, seed=5)
    (request,) = server.requests
    assert request.path == "/chat/completions"
    assert request.body == {
        "model": "gpt-x",
        "max_tokens": 77,
        "temperature": 0.25,
        "seed": 5,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "how much?"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
    }


def test_what_the_user_leaves_open_is_left_to_the_service(server, ask, format_):
    server.answer(format_.says())
    ask(format_)
    (request,) = server.requests
    assert request.body["model"] == format_.service.model
    assert request.body["max_tokens"] == LlmSettings().max_tokens
    assert not {"temperature", "seed", "top_p"} & set(request.body)


def test_anthropic_is_sent_no_seed(server, ask):
    server.answer(MESSAGES.says())
    ask(MESSAGES, seed=5)
    assert "seed" not in server.requests[0].body


def test_nothing_is_demanded_where_there_is_no_schema_and_no_system(server, connect, format_):
    server.answer(format_.says())
    connect(format_).complete(system="", prompt="how much?", schema={})
    (request,) = server.requests
    assert format_.schema_in(request.body) is None
    assert "system" not in request.body
    assert request.body["messages"] == [{"role": "user", "content": "how much?"}]


def test_the_schema_may_be_any_mapping_and_stays_as_it_was(server, connect, format_):
    server.answer(format_.says())
    schema = {"type": "object", "properties": {}}
    connect(format_).complete(system="", prompt="how much?", schema=schema)
    assert format_.schema_in(server.requests[0].body) == schema
    assert schema == {"type": "object", "properties": {}}


def test_the_key_is_sent_and_nothing_about_the_machine(server, ask, format_):
    server.answer(format_.says())
    ask(format_)
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["content-type"] == "application/json"
    assert not [name for name in headers if name.startswith("x-")]


def test_a_line_end_behind_the_key_is_not_sent(server, ask, format_):
    server.answer(format_.says())
    ask(format_, key=f"{KEY}\n")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_environment_adds_nothing(server, ask, format_, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    server.answer(format_.says())
    ask(format_)
    (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "env-" not in str(request)


@pytest.mark.parametrize("service", [MESSAGES.service, OPENAI, DEEPSEEK, OPENROUTER, OLLAMA])
def test_no_key_of_the_environment_goes_to_a_url_of_the_user(server, service, monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    says = MESSAGES if service is MESSAGES.service else CHAT
    server.answer(says.says())
    backend = open_service(service, LlmSettings(model="m", url=f"http://{server.host}"))
    backend.complete(system="be brief", prompt="how much?", schema=SCHEMA)
    (request,) = server.requests
    assert "authorization" not in request.headers
    assert "x-api-key" not in request.headers
    assert "env-" not in str(request)


@pytest.mark.parametrize("service", [OLLAMA, VLLM, LLAMACPP])
def test_a_local_server_is_asked_like_openai_and_without_a_key(server, service):
    server.answer(CHAT.says())
    backend = open_service(service, LlmSettings(model="qwen", url=f"http://{server.host}/v1"))
    assert backend.complete(system="", prompt="how much?", schema=SCHEMA).text == "hello"
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body["model"] == "qwen"
    assert "authorization" not in request.headers


def test_a_url_may_end_with_a_slash(server, ask, format_):
    server.answer(format_.says())
    ask(format_, url=f"http://{server.host}/deep/")
    assert server.requests[0].path in ("/deep/v1/messages", "/deep/chat/completions")


def test_cookies_of_the_service_are_not_kept(server, connect, format_):
    backend = connect(format_)
    said = format_.says()
    said.headers["set-cookie"] = "who=me"
    server.answer(said)
    for _ in range(2):
        backend.complete(system="", prompt="how much?", schema=SCHEMA)
    assert all("cookie" not in request.headers for request in server.requests)


def test_openai_itself_has_another_name_for_the_limit(server):
    """A server that is OpenAI's own as far as the backend knows."""
    server.answer(CHAT.says())
    service = replace(OPENAI, url=f"http://{server.host}")
    backend = open_service(service, LlmSettings(key=KEY, max_tokens=77))
    backend.complete(system="", prompt="how much?", schema=SCHEMA)
    (request,) = server.requests
    assert request.body["max_completion_tokens"] == 77
    assert "max_tokens" not in request.body
