"""What the backends make of answers: the real SDKs against a server on loopback."""

import gzip

import pytest
from formats import CHAT, KEY, MESSAGES, as_json, completion, message
from loopback import Answer, pour

from ap_core.contracts import LlmReply
from ap_core.errors import LlmError
from ap_core.testing import check_llm_backend
from ap_llm.replies import MAX_BODY, MAX_TEXT


def test_a_reply_says_what_was_said_by_whom_and_what_it_took(server, ask, format_):
    server.answer(format_.says('{"answer": 42}'))
    assert ask(format_) == LlmReply(
        text='{"answer": 42}', model=format_.model, input_tokens=11, output_tokens=7
    )


def test_a_backend_conforms(server, connect, format_):
    server.answer(format_.says('{"answer": 1}'))
    check_llm_backend(lambda: connect(format_))


@pytest.mark.parametrize("text", ["", "täglich: Größe → klein 🙂", 'a "b"\n\\ \u2028', " \n "])
def test_a_text_comes_as_it_was_said(server, ask, format_, text):
    server.answer(format_.says(text))
    reply = ask(format_)
    assert (reply.text, reply.stop) == (text, "")


@pytest.mark.parametrize(
    ("format_", "document"),
    [
        (MESSAGES, message(content=[])),
        (MESSAGES, message(content=[{"type": "thinking", "thinking": "hm", "signature": "s"}])),
        (CHAT, completion(None)),
        (CHAT, completion(choices=[{"message": {"role": "assistant"}}])),
    ],
)
def test_an_answer_without_text_is_an_empty_reply(server, ask, format_, document):
    server.answer(as_json(document))
    reply = ask(format_)
    assert (reply.text, reply.stop) == ("", "")


def test_only_the_text_of_an_answer_counts_not_the_thinking(server, ask):
    blocks = [
        {"type": "thinking", "thinking": "let me see", "signature": "s"},
        {"type": "text", "text": "for"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "ty"},
    ]
    server.answer(as_json(message(content=blocks)))
    assert ask(MESSAGES).text == "forty"


def test_a_reply_that_was_cut_off_says_so(server, ask, format_):
    server.answer(format_.says('{"ans', stop=format_.length))
    reply = ask(format_)
    assert (reply.text, reply.stop) == ('{"ans', "length")


def test_a_full_context_cuts_off_too(server, ask):
    server.answer(MESSAGES.says("half", stop="model_context_window_exceeded"))
    assert ask(MESSAGES).stop == "length"


@pytest.mark.parametrize(
    ("format_", "document", "text"),
    [
        (MESSAGES, message("I would rather not", stop="refusal"), "I would rather not"),
        (MESSAGES, message(content=[], stop="refusal"), ""),
        (CHAT, completion(None, refusal="I would rather not"), "I would rather not"),
        (CHAT, completion("I would", stop="content_filter"), "I would"),
        (CHAT, completion(None, stop="content_filter"), ""),
    ],
)
def test_a_refusal_is_a_refusal(server, ask, format_, document, text):
    server.answer(as_json(document))
    reply = ask(format_)
    assert (reply.text, reply.stop) == (text, "refusal")


@pytest.mark.parametrize("stop", ["end_turn", "stop", "stop_sequence", "tool_calls", "new", None])
def test_other_reasons_to_stop_are_none_to_worry(server, ask, format_, stop):
    server.answer(format_.says(stop=stop))
    assert ask(format_).stop == ""


@pytest.mark.parametrize("usage", [None, {}, "absent"])
def test_tokens_that_are_not_told_are_0(server, ask, format_, usage):
    document = format_.reply(usage=usage)
    if usage == "absent":
        del document["usage"]
    server.answer(as_json(document))
    reply = ask(format_)
    assert (reply.input_tokens, reply.output_tokens) == (0, 0)


def test_a_count_of_null_is_0(server, ask):
    server.answer(as_json(completion(usage={"prompt_tokens": None, "completion_tokens": 3})))
    reply = ask(CHAT)
    assert (reply.input_tokens, reply.output_tokens) == (0, 3)


def test_tokens_read_from_a_cache_were_sent_as_well(server, ask):
    usage = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 300,
        "output_tokens": 7,
    }
    server.answer(as_json(message(usage=usage)))
    assert ask(MESSAGES).input_tokens == 321


@pytest.mark.parametrize("model", [None, ""])
def test_an_answer_that_names_no_model_is_of_the_one_that_was_asked(server, ask, format_, model):
    server.answer(format_.says(model=model))
    assert ask(format_, model="qwen").model == "qwen"


def test_a_reply_of_a_million_bytes_is_whole(server, ask, format_):
    server.answer(format_.says("x" * MAX_TEXT))
    reply = ask(format_)
    assert (len(reply.text), reply.stop) == (MAX_TEXT, "")


def test_a_longer_reply_is_cut(server, ask, format_):
    server.answer(format_.says("x" * 3 * MAX_TEXT))
    reply = ask(format_)
    assert (len(reply.text), reply.stop) == (MAX_TEXT, "length")


def test_the_cut_goes_through_no_character(server, ask, format_):
    server.answer(format_.says("x" + "ß" * MAX_TEXT))
    text = ask(format_).text
    assert len(text.encode()) == MAX_TEXT - 1
    assert text.endswith("ß")


def test_a_refusal_that_is_too_long_stays_one(server, ask):
    server.answer(as_json(completion(None, refusal="no " * MAX_TEXT)))
    assert ask(CHAT).stop == "refusal"


def test_an_endless_answer_is_not_read_to_its_end(server, ask, format_):
    server.answer(Answer(misbehave=pour))
    with pytest.raises(LlmError, match=f"127.0.0.1:.* answered with more than {MAX_BODY} bytes"):
        ask(format_)
    assert server.poured < 3 * MAX_BODY


def test_an_answer_may_come_packed(server, ask, format_):
    said = format_.says("packed")
    headers = {**said.headers, "content-encoding": "gzip"}
    server.answer(Answer(body=gzip.compress(said.body), headers=headers))
    assert ask(format_).text == "packed"


def test_an_answer_that_unpacks_to_an_endless_one_is_not_read_to_its_end(server, ask, format_):
    packed = gzip.compress(b" " * 4 * MAX_BODY)
    server.answer(Answer(body=packed, headers={"content-encoding": "gzip"}))
    with pytest.raises(LlmError, match="answered with more than"):
        ask(format_)


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/html; charset=hex"}])
def test_what_an_answer_is_called_does_not_matter(server, ask, format_, headers):
    server.answer(Answer(body=format_.says("hello").body, headers=headers))
    assert ask(format_).text == "hello"


def test_blank_lines_before_an_answer_do_not_matter(server, ask, format_):
    server.answer(Answer(body=b"\n\n\n" + format_.says("hello").body + b"\n"))
    assert ask(format_).text == "hello"


def test_a_key_that_the_llm_repeats_is_a_word_like_others(server, ask, format_):
    server.answer(format_.says(f"your key is {KEY}"))
    assert ask(format_).text == f"your key is {KEY}"
