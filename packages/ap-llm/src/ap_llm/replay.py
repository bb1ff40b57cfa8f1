"""The replay backend: answers from a transcript, so that a run repeats without a service."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ap_core.contracts import LlmReply, LlmSettings
from ap_core.errors import LlmError, UsageError
from ap_core.runs.transcript import ExchangeRecord, digest_request


class ReplayBackend:
    """Plays back recorded exchanges.

    A request gets the first reply, not yet given, that was recorded for the same request; failing
    that, the first that was recorded for no request in particular.
    """

    def __init__(self, exchanges: tuple[ExchangeRecord, ...], *, source: Path) -> None:
        self._left = list(exchanges)
        self._source = source
        self._given = 0

    def complete(self, *, system: str, prompt: str, schema: Mapping[str, object]) -> LlmReply:
        """Recorded answer. Raises: LlmError where none is left, or none is for this request."""
        if not self._left:
            raise LlmError(
                f"{self._source} holds {self._given} exchanges, and all have been played back",
                hint="allow fewer calls, or record a longer transcript",
            )
        digest = digest_request(system=system, prompt=prompt, schema=schema)
        for wanted in (digest, None):
            for exchange in self._left:
                if exchange.request == wanted:
                    return self._give(exchange)
        raise LlmError(
            f"{self._source} holds no reply to request {digest[:12]}",
            hint="the transcript was recorded with other options, data or versions",
        )

    def _give(self, exchange: ExchangeRecord) -> LlmReply:
        self._left.remove(exchange)
        self._given += 1
        return exchange.reply.to_reply()


def open_replay(settings: LlmSettings) -> ReplayBackend:
    """Backend that plays back the transcript that the settings name as the model.

    Raises: UsageError without a file name; LlmError where the file is missing or damaged.
    """
    if not settings.model:
        raise UsageError(
            "the replay backend needs a file", hint="replay:runs/NAME/transcript.jsonl"
        )
    path = Path(settings.model)
    return ReplayBackend(_read(path), source=path)


def _read(path: Path) -> tuple[ExchangeRecord, ...]:
    try:
        # Text inside JSON may hold other separators that str.splitlines would cut at.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LlmError(f"cannot read the transcript {path}: {error}") from error
    found = (_parse(line, f"{path}:{n}") for n, line in enumerate(lines, start=1) if line.strip())
    exchanges = tuple(exchange for exchange in found if exchange is not None)
    if not exchanges:
        raise LlmError(f"the transcript {path} holds no exchange")
    return exchanges


def _parse(line: str, where: str) -> ExchangeRecord | None:
    """Exchange on this line; None for records of other kinds."""
    hint = "restore the file, or cut off the damaged lines"
    try:
        document = json.loads(line)
    except json.JSONDecodeError as error:
        raise LlmError(f"{where} is no JSON: {error}", hint=hint) from error
    if not isinstance(document, dict) or "kind" not in document:
        raise LlmError(f"{where} is no record of a transcript", hint=hint)
    if document["kind"] != "exchange":
        return None
    try:
        return ExchangeRecord.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise LlmError(f"{where} is damaged: {field}: {first['msg']}", hint=hint) from error
