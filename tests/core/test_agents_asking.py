"""Asking an LLM: allowances, what is kept, and that nothing is paid for twice."""

import pytest

from ap_core.agents.asking import HIDDEN, Allowance, Llm, Usage
from ap_core.contracts import LlmReply
from ap_core.errors import LlmError

SECRET = "sk-very-secret"


class Backend:
    """Answers by number, and counts."""

    def __init__(self, *texts, fails=()):
        self.texts, self.fails, self.asked = texts, fails, []

    def complete(self, *, system, prompt, schema):
        self.asked.append(prompt)
        number = len(self.asked) - 1
        if number in self.fails:
            raise LlmError("the service is down")
        text = self.texts[number] if number < len(self.texts) else f"answer {number}"
        return LlmReply(text=text, model="m1", input_tokens=10, output_tokens=2, notes=("a note",))


class Bench:
    def __init__(self, backend, **more):
        self.kept, self.told, self.time = [], [], 0.0
        allowance = more.pop("allowance", Allowance(calls=100))
        self.llm = Llm(
            backend,
            keep=self.kept.append,
            tell=self.told.append,
            clock=self._clock,
            allowance=allowance,
            **more,
        )

    def ask(self, prompt, role="analysis"):
        return self.llm.ask(role, system="be brief", prompt=prompt, schema={"type": "object"})

    def _clock(self):
        self.time += 1.5
        return self.time


def test_an_exchange_is_kept_whole():
    bench = Bench(Backend("hello"))
    assert bench.ask("how much?").text == "hello"
    (kept,) = bench.kept
    assert (kept.role, kept.system, kept.prompt) == ("analysis", "be brief", "how much?")
    assert (kept.reply.text, kept.reply.model, kept.seconds) == ("hello", "m1", 1.5)


def test_what_was_exchanged_before_is_not_asked_again():
    first = Bench(Backend("one", "two"))
    assert [first.ask(prompt).text for prompt in ("a", "b")] == ["one", "two"]
    backend = Backend("three")
    again = Bench(backend, before=first.kept)
    assert [again.ask(prompt).text for prompt in ("b", "a", "c")] == ["two", "one", "three"]
    assert backend.asked == ["c"]
    assert [exchange.prompt for exchange in again.kept] == ["c"]
    assert again.llm.usage.calls == 3


def test_a_request_that_was_made_twice_gets_both_replies_again():
    first = Bench(Backend("one", "two"))
    assert [first.ask("a").text for _ in range(2)] == ["one", "two"]
    again = Bench(Backend("three"), before=first.kept)
    assert [again.ask("a").text for _ in range(3)] == ["one", "two", "three"]


def test_calls_are_counted_those_of_before_with_them():
    backend = Backend()
    bench = Bench(backend, allowance=Allowance(calls=2))
    bench.ask("a")
    bench.ask("b")
    with pytest.raises(LlmError, match="was asked 2 times, all that is allowed"):
        bench.ask("c")
    again = Bench(backend, before=bench.kept, allowance=Allowance(calls=2))
    assert again.ask("a").text == "answer 0"
    with pytest.raises(LlmError, match="all that is allowed"):
        again.ask("c")
    assert len(backend.asked) == 2


def test_tokens_are_counted():
    bench = Bench(Backend(), allowance=Allowance(calls=100, tokens=24))
    bench.ask("a")
    bench.ask("b")
    with pytest.raises(LlmError, match="has used 24 tokens, all that is allowed"):
        bench.ask("c")
    used = Usage(model="m1", calls=2, input_tokens=20, output_tokens=4, seconds=3.0)
    assert bench.llm.usage == used


def test_a_failure_is_neither_kept_nor_counted():
    bench = Bench(Backend(fails=(0,)))
    with pytest.raises(LlmError, match="the service is down"):
        bench.ask("a")
    assert bench.kept == []
    assert bench.llm.usage.calls == 0
    assert bench.ask("a").text == "answer 1"


def test_a_key_that_the_service_repeats_is_kept_nowhere():
    bench = Bench(Backend(f"your key is {SECRET}"), secret=SECRET)
    assert bench.ask(f"is it {SECRET}?").text == f"your key is {HIDDEN}"
    assert SECRET not in bench.kept[0].model_dump_json()


def test_a_key_that_a_failure_repeats_is_told_to_nobody():
    class Leaky:
        def complete(self, *, system, prompt, schema):
            raise LlmError(f"{SECRET} is wrong", hint=f"not {SECRET}")

    with pytest.raises(LlmError, match=r"^\*\*\* is wrong$") as caught:
        Bench(Leaky(), secret=SECRET).ask("a")
    assert caught.value.hint == f"not {HIDDEN}"
    assert caught.value.__suppress_context__


def test_what_utf_8_cannot_hold_is_replaced():
    bench = Bench(Backend("half a \ud83d pair"))
    assert bench.ask("a").text == "half a ? pair"


def test_a_note_is_told_once():
    bench = Bench(Backend())
    bench.ask("a")
    bench.ask("b")
    assert bench.told == ["a note"]


def test_a_backend_that_returns_something_else_is_named():
    class Wrong:
        def complete(self, *, system, prompt, schema):
            return "text"

    with pytest.raises(LlmError, match="the LLM backend returned str, not an LlmReply"):
        Bench(Wrong()).ask("a")
