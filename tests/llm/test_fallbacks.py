"""What a service refuses is left out, and the question is asked again."""

import json

import pytest
from formats import CHAT, MESSAGES, SCHEMA, as_json
from loopback import Answer

from ap_core.errors import LlmError

NO_SCHEMA = [
    (MESSAGES, 400, "output_config.format: structured outputs are not supported by claude-x"),
    (MESSAGES, 400, "output_format: Extra inputs are not permitted"),
    (CHAT, 400, "This response_format type is unavailable now"),
    (CHAT, 404, "No endpoints found that support response_format"),
    (CHAT, 422, "response_format.type `json_schema` is unavailable now"),
    (CHAT, 400, "Failed to initialize samplers: failed to parse grammar"),
]
NO_TEMPERATURE = [
    (MESSAGES, "`temperature` is deprecated for this model."),
    (MESSAGES, "`temperature` may only be set to 1 when thinking is enabled."),
    (CHAT, "Unsupported value: 'temperature' does not support 0.2 with this model."),
    (CHAT, "Unrecognized request argument supplied: temperature"),
]


@pytest.mark.parametrize(("format_", "status", "words"), NO_SCHEMA)
def test_a_schema_that_is_not_supported_goes_into_the_prompt(server, ask, format_, status, words):
    server.answer(format_.fails(status, words), format_.says('{"answer": 1}'))
    reply = ask(format_)
    assert reply.text == '{"answer": 1}'
    (note,) = reply.notes
    assert note.endswith(" takes no schema from us: it is asked without")
    first, second = server.requests
    assert format_.schema_in(first.body) == SCHEMA
    assert format_.schema_in(second.body) is None
    prompt = format_.prompt_in(second.body)
    assert prompt.startswith("how much?\n\nAnswer with one JSON object and nothing else.")
    assert json.loads(prompt.rsplit("\n", 1)[1]) == SCHEMA
    assert format_.prompt_in(first.body) == "how much?"


def test_a_schema_that_is_not_supported_is_not_tried_again(server, connect, format_):
    server.answer(format_.fails(400, "no json_schema here"), format_.says())
    backend = connect(format_)
    for _ in range(3):
        backend.complete(system="", prompt="how much?", schema=SCHEMA)
    sent = [format_.schema_in(request.body) is not None for request in server.requests]
    assert sent == [True, False, False, False]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=400),
        Answer(status=422, body=b"Unprocessable Entity"),
        Answer(status=400, body=b"<html>Bad Request</html>"),
        Answer(status=400, body=b"[1]"),
        as_json({}, status=400),
        as_json({"error": None}, status=400),
        as_json({"error": {"message": "Bad Request."}}, status=400),
    ],
)
def test_a_refusal_without_a_word_is_put_down_to_the_schema(server, ask, format_, answer):
    server.answer(answer, format_.says())
    assert ask(format_).text == "hello"
    assert format_.schema_in(server.requests[1].body) is None


def test_a_guess_that_did_not_help_is_forgotten(server, connect, format_):
    backend = connect(format_)
    server.answer(Answer(status=400))
    for _ in range(2):
        with pytest.raises(LlmError, match="answered 400"):
            backend.complete(system="", prompt="how much?", schema=SCHEMA)
    sent = [format_.schema_in(request.body) is not None for request in server.requests]
    assert sent == [True, False, True, False]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "prompt is too long"),
        (400, "the model is not loaded"),
        (404, ""),
        (401, "no response_format without a key"),
        (500, "json_schema"),
    ],
)
def test_other_refusals_are_not_put_down_to_the_schema(server, ask, format_, status, words):
    server.answer(format_.fails(status, words))
    with pytest.raises(LlmError, match=f"answered {status}: "):
        ask(format_)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("format_", "words"), NO_TEMPERATURE)
def test_a_temperature_that_is_not_supported_is_left_out(server, connect, format_, words):
    server.answer(format_.fails(400, words), format_.says())
    backend = connect(format_, temperature=0.2)
    for _ in range(2):
        assert backend.complete(system="", prompt="how much?", schema=SCHEMA).text == "hello"
    assert [request.body.get("temperature") for request in server.requests] == [0.2, None, None]
    assert all(format_.schema_in(request.body) == SCHEMA for request in server.requests)


@pytest.mark.parametrize(
    "words",
    [
        "temperature: Input should be less than or equal to 1",
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 5.",
    ],
)
def test_a_temperature_out_of_range_is_for_the_user_to_correct(server, ask, format_, words):
    server.answer(format_.fails(400, words))
    with pytest.raises(LlmError, match=r"answered 400: .*temperature"):
        ask(format_, temperature=5.0)
    assert len(server.requests) == 1


def test_a_seed_that_is_not_supported_is_left_out(server, ask):
    server.answer(CHAT.fails(400, "Unsupported parameter: 'seed'"), CHAT.says())
    assert ask(CHAT, seed=3).text == "hello"
    assert [request.body.get("seed") for request in server.requests] == [3, None]


def test_a_limit_of_another_name_is_sent_under_that_name(server, ask):
    words = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    server.answer(CHAT.fails(400, f"Unsupported parameter: {words}"), CHAT.says())
    assert ask(CHAT, max_tokens=50).text == "hello"
    first, second = (request.body for request in server.requests)
    assert (first["max_tokens"], "max_completion_tokens" in first) == (50, False)
    assert (second["max_completion_tokens"], "max_tokens" in second) == (50, False)


def test_several_parts_are_left_out_one_after_the_other(server, ask):
    server.answer(
        CHAT.fails(400, "'max_tokens' is unsupported, use 'max_completion_tokens' instead"),
        CHAT.fails(400, "unsupported: temperature"),
        CHAT.fails(400, "unknown field seed"),
        CHAT.fails(400, "response_format"),
        CHAT.says(),
    )
    assert ask(CHAT, temperature=0.1, seed=1).text == "hello"
    assert set(server.requests[-1].body) == {"model", "messages", "max_completion_tokens"}


def test_a_service_that_refuses_whatever_is_asked_is_not_asked_for_ever(server, ask, format_):
    words = "unsupported: max_tokens, temperature, seed, response_format, output_format"
    server.answer(format_.fails(400, words))
    with pytest.raises(LlmError, match="answered 400: unsupported"):
        ask(format_, temperature=0.1, seed=1)
    assert len(server.requests) == {"anthropic": 3, "openai": 5}[format_.service.name]


def test_nothing_is_left_out_that_was_not_sent(server, connect, format_):
    server.answer(format_.fails(400, "unsupported: temperature, seed, response_format"))
    with pytest.raises(LlmError, match="answered 400"):
        connect(format_).complete(system="", prompt="how much?", schema={})
    assert len(server.requests) == 1
