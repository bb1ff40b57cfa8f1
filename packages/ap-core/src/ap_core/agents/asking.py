"""Asking an LLM: within allowances, and every exchange is kept before it is used."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ap_core.contracts import LlmBackend, LlmReply
from ap_core.errors import LlmError
from ap_core.runs.transcript import ExchangeRecord, ReplyRecord, digest_request

HIDDEN = "***"


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How often an LLM may be asked, and for how many tokens, prompts and replies together."""

    calls: int
    tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What asking took: calls that were answered, their tokens, and the seconds waited."""

    model: str = ""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


class Llm:
    """An LLM that is asked in several roles, each reply paid for once.

    Exchanges of an earlier process answer the same requests again: a search that goes on after a
    kill asks nothing twice.
    """

    def __init__(
        self,
        backend: LlmBackend,
        *,
        before: Iterable[ExchangeRecord] = (),
        keep: Callable[[ExchangeRecord], None] = lambda _exchange: None,
        tell: Callable[[str], None] = lambda _note: None,
        allowance: Allowance,
        clock: Callable[[], float],
        secret: str = "",
    ) -> None:
        """Begin with what was exchanged before.

        keep: puts an exchange on disk. tell: is told what the user must know, once.
        clock: seconds, for the record alone.
        secret: what must not be in any text that is kept, should the service repeat it.
        """
        self._backend = backend
        self._left = list(before)
        self._keep = keep
        self._tell = tell
        self._told: set[str] = set()
        self._allowance = allowance
        self._clock = clock
        self._secret = secret
        self._usage = Usage()
        for exchange in self._left:
            self._count(exchange)

    @property
    def usage(self) -> Usage:
        """What all exchanges took, those of earlier processes with them."""
        return self._usage

    def ask(self, role: str, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Reply of the LLM. role: which agent asks.

        Raises: LlmError where the service failed, or where no more may be asked.
        """
        request = digest_request(system=system, prompt=prompt, schema=schema)
        for exchange in self._left:
            if exchange.request == request:
                self._left.remove(exchange)
                return exchange.reply.to_reply()
        self._check()
        exchange = self._fresh(role, request, system, prompt, schema)
        self._count(exchange)
        self._keep(exchange)
        for note in exchange.reply.notes:
            if note not in self._told:
                self._tell(note)
                self._told.add(note)
        return exchange.reply.to_reply()

    def _check(self) -> None:
        used, most = self._usage, self._allowance
        if used.calls >= most.calls:
            raise LlmError(f"the LLM was asked {used.calls} times, all that is allowed")
        tokens = used.input_tokens + used.output_tokens
        if most.tokens is not None and tokens >= most.tokens:
            raise LlmError(f"the LLM has used {tokens} tokens, all that is allowed")

    def _fresh(
        self, role: str, request: str, system: str, prompt: str, schema: Mapping[str, object]
    ) -> ExchangeRecord:
        start = self._clock()
        try:
            reply = self._backend.complete(system=system, prompt=prompt, schema=schema)
        except LlmError as error:
            raise LlmError(self._hidden(error.message), hint=self._hidden(error.hint)) from None
        if not isinstance(reply, LlmReply) or not isinstance(reply.text, str):
            raise LlmError(f"the LLM backend returned {type(reply).__name__}, not an LlmReply")
        return ExchangeRecord(
            role=role,
            request=request,
            system=self._hidden(system),
            prompt=self._hidden(prompt),
            reply=ReplyRecord(
                text=self._hidden(reply.text),
                model=self._hidden(reply.model),
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                stop=reply.stop,
                notes=tuple(self._hidden(note) for note in reply.notes),
            ),
            seconds=self._clock() - start,
        )

    def _hidden(self, text: str) -> str:
        """Text without the secret, and without what UTF-8 cannot hold."""
        whole = text.encode(errors="replace").decode()
        return whole.replace(self._secret, HIDDEN) if self._secret else whole

    def _count(self, exchange: ExchangeRecord) -> None:
        reply, used = exchange.reply, self._usage
        self._usage = Usage(
            model=reply.model,
            calls=used.calls + 1,
            input_tokens=used.input_tokens + reply.input_tokens,
            output_tokens=used.output_tokens + reply.output_tokens,
            seconds=used.seconds + exchange.seconds,
        )
