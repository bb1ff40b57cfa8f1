"""Failures of services are errors that say what, where, and what to do; never the key."""

import re
import time

import pytest
from formats import CHAT, KEY, MESSAGES, as_json, completion, message
from loopback import (
    Answer,
    closed_port,
    cut_before_the_answer,
    cut_in_the_body,
    drip,
    hang,
    hang_after_headers,
    reset,
    speak_no_http,
)

from ap_core.contracts import LlmSettings
from ap_core.errors import ExitCode, LlmError
from ap_llm.opening import open_service
from ap_llm.services import OLLAMA

SOON = {"retry-after": "0.01"}


@pytest.fixture
def failure(ask, format_):
    """Function that asks the server, and gives the error that comes of it."""

    def failure(**settings):
        with pytest.raises(LlmError) as caught:
            ask(format_, **settings)
        return caught.value

    return failure


def where(format_, server):
    return f"{format_.service.name} at {server.host}"


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "check the name of the model, {model}, and what is asked of it"),
        (401, "check the key in {key}"),
        (402, "the account has no credit left: top it up, or choose another service"),
        (403, "check the key in {key}, and that it may ask {model}"),
        (404, "check the name of the model, {model}, and the URL, {url}"),
        (413, "the question is too long for {model}: choose a model that takes more"),
        (418, "check the name of the model, {model}, and what is asked of it"),
        (429, "calls come too fast, or the quota is used up: wait, or choose another model"),
        (500, "the service failed: wait and try again, or choose another"),
        (503, "the service is overloaded or down: wait and try again, or choose another model"),
        (529, "the service is overloaded: wait and try again, or choose another model"),
        (799, "check the URL, {url}"),
    ],
)
def test_a_status_that_is_no_success_is_told(server, failure, format_, status, hint):
    server.answer(format_.fails(status, "things\nwent wrong"))
    error = failure()
    assert error.message == f"{where(format_, server)} answered {status}: things went wrong"
    service = format_.service
    url = f"http://{server.host}"
    assert error.hint == hint.format(model=service.model, key=service.key, url=url)
    assert error.exit_code is ExitCode.LLM


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Unauthorized"),
        (b"no entry", "no entry"),
        (b"<!DOCTYPE html><html>sign in</html>", "Unauthorized"),
        (b'{"error": "no entry"}', "no entry"),
        (b'{"error": {"message": "no entry", "code": 7}}', "no entry"),
        (b'{"message": "no entry"}', "no entry"),
        (b'{"detail": "no entry"}', "no entry"),
        (b'{"detail": [{"msg": "no entry"}]}', '{"detail": [{"msg": "no entry"}]}'),
        (b'{"error": {"message": ["no", "entry"]}}', '{"error": {"message": ["no", "entry"]}}'),
        (b'{"error": null}', '{"error": null}'),
        (b"[1]", "[1]"),
        (b"null", "null"),
        (b'"x"', '"x"'),
        (b"[" * 100_000, "[" * 300 + "..."),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
        (b"\x1b[31mred\x00", "[31mred"),
        (b"long " * 1000, "long " * 59 + "long ..."),
    ],
)
def test_a_service_is_quoted_in_one_line_that_a_terminal_can_show(server, failure, body, said):
    server.answer(Answer(status=401, body=body))
    assert failure().message.partition(" answered 401: ")[2] == said


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server, failure, format_, status):
    location = f"http://{server.host}/elsewhere"
    server.answer(Answer(status=status, headers={"location": location}), format_.says())
    error = failure(retries=2)
    assert error.message == f"{where(format_, server)} answered {status}: go to {location}"
    assert error.hint == "give the URL that the service has moved to"
    assert len(server.requests) == 1


def test_a_key_that_is_wanted_by_a_server_that_needs_none_is_asked_for_as_openais(server):
    server.answer(CHAT.fails(401, "no key"))
    backend = open_service(
        OLLAMA, LlmSettings(model="qwen", url=f"http://{server.host}", retries=0)
    )
    with pytest.raises(LlmError, match=r"ollama at .* answered 401: no key") as caught:
        backend.complete(system="", prompt="how much?", schema={})
    assert caught.value.hint == (
        "the server wants a key: ask it as openai, with its URL, and set OPENAI_API_KEY"
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=401, body=f"who is {KEY}?".encode()),
        as_json({"error": {"message": f"who is {KEY}?"}}, status=401),
        as_json({"odd": [f"who is {KEY}?"]}, status=401),
        Answer(status=302, headers={"location": f"http://127.0.0.1/?key={KEY}"}),
        Answer(body=f"who is {KEY}?".encode()),
        as_json({"error": {"message": f"who is {KEY}?"}}),
        # The key begins within what is quoted and ends behind it.
        Answer(status=401, body=b"x" * 290 + KEY.encode()),
    ],
)
def test_a_key_that_the_service_repeats_is_hidden(server, failure, answer):
    server.answer(answer)
    error = failure()
    assert "***" in error.message
    assert KEY[:6] not in error.message + error.hint


def test_a_call_that_was_too_fast_is_made_again(server, ask, format_):
    server.answer(format_.fails(429, "slow down", retry_after="0.01"), format_.says())
    assert ask(format_, retries=1).text == "hello"
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_a_service_that_fails_for_ever_is_asked_as_often_as_allowed(server, failure, status):
    server.answer(Answer(status=status, headers=SOON))
    assert f"answered {status}: " in failure(retries=2).message
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_will_not_get_better_is_not_asked_again(server, failure, format_, status):
    server.answer(format_.fails(status, "no"))
    assert f"answered {status}: no" in failure(retries=2).message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "header",
    [
        {"retry-after": "3600"},
        {"retry-after-ms": "3600000"},
        {"retry-after": "Fri, 31 Dec 2300 23:59:59 GMT"},
    ],
)
def test_nobody_waits_for_longer_than_a_call_may_take(server, failure, header):
    server.answer(Answer(status=429, headers=header))
    error = failure(retries=2)
    assert re.search(r"wait, or choose another model; it asks to wait \d{4,} s$", error.hint)
    assert len(server.requests) == 1


@pytest.mark.parametrize("misbehave", [hang, hang_after_headers, drip])
def test_a_service_that_takes_too_long_is_given_up(server, failure, format_, misbehave):
    server.answer(Answer(misbehave=misbehave))
    start = time.monotonic()
    error = failure(timeout=0.3)
    assert time.monotonic() - start < 5
    assert error.message == f"{where(format_, server)} gave no answer within 0.3 s (attempts: 1)"
    assert error.hint == "allow more seconds or fewer tokens, or choose a faster model"


def test_a_service_that_took_too_long_is_asked_again(server, ask, format_):
    server.answer(Answer(misbehave=hang), format_.says())
    assert ask(format_, timeout=0.5, retries=1).text == "hello"


@pytest.mark.parametrize(
    ("misbehave", "words"),
    [
        (cut_in_the_body, "peer closed connection without sending complete message body"),
        (cut_before_the_answer, "Server disconnected without sending a response"),
        (reset, "Connection reset by peer"),
        (speak_no_http, "illegal status line"),
    ],
)
def test_a_connection_that_is_cut_is_told(server, failure, format_, misbehave, words):
    server.answer(Answer(misbehave=misbehave))
    error = failure()
    assert error.message.startswith(f"{where(format_, server)} broke off: ")
    assert words in error.message
    assert error.hint == "try again; if it stays so, check the URL and the network"


def test_a_connection_that_was_cut_is_made_again(server, ask, format_):
    server.answer(Answer(misbehave=cut_in_the_body), format_.says())
    assert ask(format_, retries=1).text == "hello"


def test_an_answer_that_cannot_be_unpacked_is_told(server, failure, format_):
    server.answer(Answer(body=b"{}", headers={"content-encoding": "gzip"}))
    assert failure().message.startswith(f"{where(format_, server)} broke off: ")


def test_a_server_that_does_not_run_is_told(server, failure, format_):
    port = closed_port()
    error = failure(url=f"http://127.0.0.1:{port}")
    assert error.message.startswith(f"cannot reach {format_.service.name} at 127.0.0.1:{port}: ")
    assert "refused" in error.message
    assert error.hint == "start the server, or check its URL"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "nothing"),
        (b"hello", "hello"),
        (b"<html>sign in</html>", "<html>sign in</html>"),
        (b'{"choices": [', '{"choices": ['),
        (b"\xff", "\N{REPLACEMENT CHARACTER}"),
        (b"[" * 100_000, "[" * 300 + "..."),
        (b'data: {"choices": []}', 'data: {"choices": []}'),
    ],
)
def test_an_answer_that_is_no_json_is_told(server, failure, format_, body, said):
    server.answer(Answer(body=body))
    error = failure(retries=2)
    assert error.message == f"{where(format_, server)} answered with what is no JSON: {said}"
    assert error.hint == f"check the URL, http://{server.host}"


@pytest.mark.parametrize(
    ("format_", "document", "field"),
    [
        (MESSAGES, None, "all of it: Input should be an object"),
        (MESSAGES, [], "all of it: Input should be an object"),
        (MESSAGES, {}, "content: Field required"),
        (MESSAGES, message(content=None), "content: Input should be a valid "),
        (MESSAGES, message(content="hello"), "content: Input should be a valid "),
        (MESSAGES, message(content=[None]), "content.0: Input should be an object"),
        (MESSAGES, message(content=[{"text": "x"}]), "content.0.type: Field required"),
        (MESSAGES, message(content=[{"type": "text", "text": 1}]), "content.0.text: "),
        (MESSAGES, message(stop=3), "stop_reason: Input should be a valid string"),
        (MESSAGES, message(model=["m"]), "model: Input should be a valid string"),
        (MESSAGES, message(usage=[]), "usage: Input should be an object"),
        (MESSAGES, message(usage={"input_tokens": -1}), "usage.input_tokens: "),
        (MESSAGES, message(usage={"output_tokens": "many"}), "usage.output_tokens: "),
        (CHAT, None, "all of it: Input should be an object"),
        (CHAT, "hello", "all of it: Input should be an object"),
        (CHAT, {}, "choices: Field required"),
        (CHAT, completion(choices=None), "choices: Input should be a valid "),
        (CHAT, completion(choices=[]), "choices: List should have at least 1 item"),
        (CHAT, completion(choices={}), "choices: Input should be a valid "),
        (CHAT, completion(choices=[None]), "choices.0: Input should be an object"),
        (CHAT, completion(choices=[{}]), "choices.0.message: Field required"),
        (CHAT, completion(choices=[{"message": None}]), "choices.0.message: Input should be an"),
        (CHAT, completion(["part"]), "choices.0.message.content: Input should be a valid string"),
        (CHAT, completion(stop=3), "choices.0.finish_reason: Input should be a valid string"),
        (CHAT, completion(stop="error"), "choices.0.finish_reason: .*failed while it answered"),
        (CHAT, completion(usage={"prompt_tokens": 1.5}), "usage.prompt_tokens: "),
    ],
)
def test_an_answer_of_another_shape_is_told(server, ask, format_, document, field):
    server.answer(as_json(document))
    words = f"{where(format_, server)} answered with JSON of another shape: {field}"
    with pytest.raises(LlmError, match=words) as caught:
        ask(format_, retries=2)
    sdk = format_.service.sdk
    assert caught.value.hint == f"check that http://{server.host} speaks as {sdk} does"
    assert len(server.requests) == 1


def test_an_error_in_place_of_an_answer_is_told(server, failure, format_):
    server.answer(as_json({"error": {"code": 502, "message": "Provider returned error"}}))
    error = failure()
    words = "answered with an error: Provider returned error"
    assert error.message == f"{where(format_, server)} {words}"
    assert error.hint == "the service failed: wait and try again, or choose another"


def test_a_backend_that_failed_can_be_asked_again(server, connect, format_):
    backend = connect(format_)
    server.answer(Answer(misbehave=cut_in_the_body), format_.says())
    with pytest.raises(LlmError, match="broke off"):
        backend.complete(system="", prompt="how much?", schema={})
    assert backend.complete(system="", prompt="how much?", schema={}).text == "hello"
