"""What was measured of a network on a stack, kept for the next time it is cut there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Self

from filelock import FileLock
from platformdirs import user_cache_path

from ap_core.contracts import Stack
from ap_core.errors import RunError, hinted
from ap_core.latency.fit import Sample
from ap_core.network import Network
from ap_core.runs.documents import canonical, decode, encode, one_line
from ap_core.runs.files import append, drop_torn_line, explained

PATIENCE = 10.0
"""Seconds to wait for another process that adds a line."""


@dataclass(frozen=True, kw_only=True)
class SampleLine:
    """A line of a table: one cut. widths: in the order of the network's groups and blocks."""

    cut: str
    widths: tuple[int, ...]
    share: float


@dataclass(frozen=True, kw_only=True)
class Header:
    """First line of a table: what it is of."""

    model: str
    stack: str
    about: dict[str, str]


class LatencyTable:
    """Cuts of one network that were timed on one stack, in a file that is added to line by line,
    by several processes at once if need be.

    The name of the file is a digest of all that the times depend on: on another machine, with
    another version, there is another file.
    """

    def __init__(self, path: Path, names: tuple[str, ...], header: Header) -> None:
        self.path = path
        self._names = names
        self._header = header

    @classmethod
    def of(cls, network: Network, stack: Stack, about: Mapping[str, str]) -> Self:
        """Table of a network on a stack. about: as the timer says."""
        header = Header(model=network.model, stack=str(stack), about=dict(about))
        key = encode(header, Header) | encode(_plain(network), Network)
        name = sha256(canonical(key, where="a table of latencies")).hexdigest()
        folder = user_cache_path("ap") / "latency"
        return cls(folder / f"{name}.jsonl", tuple(network.whole), header)

    def samples(self) -> dict[str, Sample]:
        """Cuts that were timed, by their names; none where the file cannot be read.

        Raises: RunError where it is damaged.
        """
        try:
            content = self.path.read_bytes()
        except OSError:
            return {}
        with hinted(RunError, lambda _hint: "delete it, and latencies are measured again"):
            # A last line without an end is being written, or was torn by a kill.
            return self._decoded(content[: content.rfind(b"\n") + 1])

    def _decoded(self, content: bytes) -> dict[str, Sample]:
        found: dict[str, Sample] = {}
        for number, line in enumerate(content.splitlines(), start=1):
            where = f"{self.path}, line {number}"
            if number == 1:
                decode(line, Header, where=where)
                continue
            entry = decode(line, SampleLine, where=where)
            if len(entry.widths) != len(self._names) or not entry.share > 0:
                raise RunError(f"{where} is damaged: it is of no cut of this network")
            widths = dict(zip(self._names, entry.widths, strict=True))
            found.setdefault(entry.cut, Sample(widths=widths, share=entry.share))
        return found

    def add(self, cut: str, sample: Sample) -> None:
        """Keep one cut; when this returns, it is on disk. Raises: RunError."""
        widths = tuple(sample.widths[name] for name in self._names)
        line = SampleLine(cut=cut, widths=widths, share=sample.share)
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=PATIENCE):
                if self.path.exists():
                    drop_torn_line(self.path)
                if not self.path.exists() or not self.path.stat().st_size:
                    append(self.path, one_line(encode(self._header, Header), where=str(self.path)))
                append(self.path, one_line(encode(line, SampleLine), where=str(self.path)))


def _plain(network: Network) -> Network:
    """The network without what no time depends on."""
    return replace(network, counters={}, latency=())
