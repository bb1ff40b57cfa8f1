"""The replay backend, against real transcript files."""

import json
from pathlib import Path

import pytest

from ap_core.contracts import LlmSettings
from ap_core.errors import LlmError, UsageError
from ap_core.plugins.registry import Registry
from ap_core.runs.documents import one_line
from ap_core.runs.transcript import digest_request
from ap_core.testing import check_llm_backend
from ap_llm.replay import open_replay as open_settings

SCHEMA = {"type": "object"}


def open_replay(file):
    return open_settings(LlmSettings(model=file))


def ask(backend, prompt):
    return backend.complete(system="be brief", prompt=prompt, schema=SCHEMA)


def exchange(text, *, prompt=None):
    digest = digest_request(system="be brief", prompt=prompt, schema=SCHEMA) if prompt else None
    reply = {"text": text, "model": "m1", "input_tokens": 7, "output_tokens": 2}
    return {"kind": "exchange", "role": "analysis", "request": digest, "reply": reply}


@pytest.fixture
def transcript(tmp_path):
    path = tmp_path / "transcript.jsonl"

    def write(*records):
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
        return str(path)

    return write


def test_replies_come_back_whole_and_in_order(transcript):
    backend = open_replay(transcript(exchange("one"), exchange("two")))
    first, second = ask(backend, "a"), ask(backend, "a")
    assert (first.text, second.text) == ("one", "two")
    assert (first.model, first.input_tokens, first.output_tokens) == ("m1", 7, 2)


def test_a_request_gets_the_reply_that_was_recorded_for_it(transcript):
    backend = open_replay(transcript(exchange("to a", prompt="a"), exchange("to b", prompt="b")))
    assert ask(backend, "b").text == "to b"
    assert ask(backend, "a").text == "to a"


def test_one_request_asked_twice_gets_both_replies(transcript):
    backend = open_replay(transcript(exchange("1st", prompt="a"), exchange("2nd", prompt="a")))
    assert [ask(backend, "a").text for _ in range(2)] == ["1st", "2nd"]


def test_a_request_that_was_never_recorded_is_an_error(transcript):
    backend = open_replay(transcript(exchange("to a", prompt="a")))
    digest = digest_request(system="be brief", prompt="b", schema=SCHEMA)
    with pytest.raises(LlmError, match=f"holds no reply to request {digest[:12]}") as caught:
        ask(backend, "b")
    assert "other options" in caught.value.hint


def test_an_exhausted_transcript_is_an_error(transcript):
    backend = open_replay(transcript(exchange("one")))
    ask(backend, "a")
    with pytest.raises(LlmError, match="holds 1 exchanges, and all have been played back"):
        ask(backend, "a")


def test_records_of_other_kinds_and_empty_lines_are_skipped(transcript):
    path = transcript({"kind": "note", "text": "hello"}, exchange("one"))
    Path(path).write_text(Path(path).read_text("utf-8") + "\n\n", "utf-8")
    assert ask(open_replay(path), "a").text == "one"


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x1c", "\x0c"])
def test_a_reply_may_hold_what_other_texts_break_lines_at(tmp_path, separator):
    path = tmp_path / "transcript.jsonl"
    text = f"one{separator}line"
    path.write_bytes(one_line(exchange(text), where="here") + b"\n")
    assert ask(open_replay(str(path)), "a").text == text


def test_a_missing_transcript_is_named(tmp_path):
    with pytest.raises(LlmError, match=r"cannot read the transcript .*gone.jsonl"):
        open_replay(str(tmp_path / "gone.jsonl"))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "t.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LlmError, match="cannot read the transcript"):
        open_replay(str(tmp_path / "t.jsonl"))


def test_an_empty_transcript_is_refused(transcript):
    with pytest.raises(LlmError, match="holds no exchange"):
        open_replay(transcript())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"kind": "exch', r"transcript.jsonl:1 is no JSON"),
        ("[1]", r"transcript.jsonl:1 is no record of a transcript"),
        ('{"kind": "exchange"}', r"transcript.jsonl:1 is damaged: reply: Field required"),
        (
            '{"kind": "exchange", "reply": {"text": "x", "model": "m", "input_tokens": -1}}',
            r"is damaged: reply.input_tokens: .*greater than or equal to 0",
        ),
        ('{"kind": "exchange", "request": "xyz", "reply": {}}', r"is damaged: request"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, line, message):
    path = tmp_path / "transcript.jsonl"
    path.write_text(line, "utf-8")
    with pytest.raises(LlmError, match=message):
        open_replay(str(path))


def test_no_file_name_is_a_usage_error():
    with pytest.raises(UsageError, match="needs a file"):
        open_replay("")


def test_the_registry_offers_it_and_it_conforms(transcript):
    path = transcript(*(exchange('{"answer": 1}') for _ in range(4)))
    connect = Registry.from_entry_points().llm_backends["replay"].make()
    check_llm_backend(lambda: connect(LlmSettings(model=path)))
