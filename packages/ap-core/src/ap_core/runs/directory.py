"""The run directory: everything about a run, whole at any instant."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from ap_core.budget import Budget, Cap
from ap_core.errors import Interrupted, RunError
from ap_core.network import Metric, Network
from ap_core.plan import Plan
from ap_core.runs.documents import (
    Document,
    canonical,
    check_schema,
    decode,
    encode,
    one_line,
    parse,
    readable,
)
from ap_core.runs.files import (
    append,
    check_writable,
    drop_torn_line,
    explained,
    is_temporary,
    replacing,
    sweep,
    write,
)
from ap_core.runs.lock import LOCK, OWNER, RunLock
from ap_core.runs.records import (
    DecisionRecord,
    RunRecord,
    SensitivityRecord,
    TimedPlanRecord,
    TrainingRecord,
)
from ap_core.runs.scores import load_scores, save_scores, scores_path
from ap_core.runs.transcript import ExchangeRecord
from ap_core.scores import Scores
from ap_core.search.trial import Trial

T = TypeVar("T")

HOME = Path("runs")
RECORD = "run.json"
PROFILE = "profile.json"
PLAN = "plan.json"
TRIALS = "trials.jsonl"
DECISIONS = "decisions.jsonl"
SENSITIVITY = "sensitivity.json"
LATENCIES = "latencies.jsonl"
TRANSCRIPT = "transcript.jsonl"
WEIGHTS = "model.safetensors"
TRAINING = "finetune/training.json"
TRAINED = "finetune/best.safetensors"
REPORT = "report.html"


class RunDirectory:
    """Documents of one run.

    Made by `create` or `resume`, it holds the directory's lock until it is closed and may write;
    made by `open`, it reads what is there, whoever writes.
    """

    def __init__(self, path: Path, lock: RunLock | None = None) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, path: Path | None, *, model: str, budget: Budget, home: Path = HOME) -> Self:
        """New run directory, locked; its parents are made too.

        path: must be absent or empty; None for `home/MODEL-BUDGET-N` with the next free N.
        Raises: RunError.
        """
        if path is None:
            path = next_place(home, f"{plain(model)}-{spell(budget)}")
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
            # Nothing is written, not even a lock, where no run of ours is or was begun.
            if not (path / RECORD).exists():
                _refuse_others_files(path)
        return cls._locked(path, _refuse_others_files)

    @classmethod
    def resume(cls, path: Path, *, note: Callable[[str], None]) -> Self:
        """Run directory of an earlier process, locked and mended, to go on with.

        note: is told of a trial that a kill left half written; it is dropped.
        Raises: RunError where it holds no run, or another process has it.
        """
        _require_record(path)

        def mend(path: Path) -> None:
            for journal in sorted(path.glob("*.jsonl")):
                if drop_torn_line(journal):
                    note(f"{journal}: dropped a last line that was not written to its end")

        return cls._locked(path, mend)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Run directory to read from. Raises: RunError where it holds no run."""
        _require_record(path)
        return cls(path)

    @classmethod
    def _locked(cls, path: Path, prepare: Callable[[Path], None]) -> Self:
        lock = RunLock(path)
        lock.acquire()
        try:
            prepare(path)
            sweep(path)
        except BaseException:
            lock.release()
            raise
        return cls(path, lock)

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lock back; an interrupt says which run it was of."""
        self.close()
        if isinstance(error, KeyboardInterrupt) and not isinstance(error, Interrupted):
            raise Interrupted(self.path) from error

    def write_record(self, record: RunRecord) -> None:
        """Write run.json. Raises: RunError."""
        place = self._own(RECORD)
        write(place, readable(encode(record, RunRecord), where=RECORD) + b"\n")

    def record(self) -> RunRecord:
        """Read run.json. Raises: RunError."""
        return self._read(RECORD, RunRecord)

    def write_network(self, network: Network) -> None:
        """Write profile.json. Raises: RunError."""
        place = self._own(PROFILE)
        write(place, canonical(encode(network, Network), where=PROFILE) + b"\n")

    def network(self) -> Network:
        """Read profile.json. Raises: RunError."""
        return self._read(PROFILE, Network)

    def write_plan(self, plan: Plan) -> None:
        """Write plan.json: equal plans, equal bytes. Raises: RunError."""
        place = self._own(PLAN)
        write(place, canonical(encode(plan, Plan), where=PLAN) + b"\n")

    def plan(self) -> Plan:
        """Read plan.json. Raises: RunError."""
        return self._read(PLAN, Plan)

    def write_training(self, training: TrainingRecord) -> None:
        """Write finetune/training.json. Raises: RunError."""
        place = self._own(TRAINING)
        write(place, readable(encode(training, TrainingRecord), where=TRAINING) + b"\n")

    def training(self) -> TrainingRecord | None:
        """Read finetune/training.json; None where the network was not trained. Raises: RunError."""
        if not (self.path / TRAINING).exists():
            return None
        return self._read(TRAINING, TrainingRecord)

    def append_trial(self, trial: Trial) -> None:
        """Add a trial to trials.jsonl; when this returns, it is on disk. Raises: RunError."""
        self.append(TRIALS, encode(trial, Trial))

    def trials(self) -> tuple[Trial, ...]:
        """Trials so far; one that is being written is not among them. Raises: RunError."""
        trials: list[Trial] = []
        for where, line in self._lines(TRIALS):
            trial = decode(line, Trial, where=where)
            if trial.number != len(trials):
                raise RunError(f"{where} is damaged: trial {trial.number} at {len(trials)}'s place")
            trials.append(trial)
        return tuple(trials)

    def append_decision(self, decision: DecisionRecord) -> None:
        """Add a line to decisions.jsonl; when this returns, it is on disk. Raises: RunError."""
        self.append(DECISIONS, encode(decision, DecisionRecord))

    def decisions(self) -> tuple[DecisionRecord, ...]:
        """Decisions so far. Raises: RunError."""
        return self._all(DECISIONS, DecisionRecord)

    def write_sensitivity(self, sensitivity: SensitivityRecord) -> None:
        """Write sensitivity.json. Raises: RunError."""
        document = encode(sensitivity, SensitivityRecord)
        write(self._own(SENSITIVITY), readable(document, where=SENSITIVITY) + b"\n")

    def sensitivity(self) -> SensitivityRecord | None:
        """Read sensitivity.json; None where it was not measured. Raises: RunError."""
        if not (self.path / SENSITIVITY).exists():
            return None
        return self._read(SENSITIVITY, SensitivityRecord)

    def append_timed(self, timed: TimedPlanRecord) -> None:
        """Add a line to latencies.jsonl; when this returns, it is on disk. Raises: RunError."""
        self.append(LATENCIES, encode(timed, TimedPlanRecord))

    def timed(self) -> tuple[TimedPlanRecord, ...]:
        """Plans that were timed so far. Raises: RunError."""
        return self._all(LATENCIES, TimedPlanRecord)

    def append_exchange(self, exchange: ExchangeRecord) -> None:
        """Add a line to transcript.jsonl; when this returns, it is on disk. Raises: RunError."""
        self.append(TRANSCRIPT, encode(exchange, ExchangeRecord))

    def exchanges(self) -> tuple[ExchangeRecord, ...]:
        """What an LLM was asked and answered so far. Raises: RunError."""
        return self._all(TRANSCRIPT, ExchangeRecord)

    def append(self, name: str, document: Document) -> None:
        """Add a document to a file of one JSON document a line. Raises: RunError."""
        append(self._own(name), one_line(document, where=name))

    def entries(self, name: str) -> tuple[Document, ...]:
        """Documents of such a file; none where it is absent. Raises: RunError."""
        documents = []
        for where, line in self._lines(name):
            document = parse(line, where=where)
            check_schema(document, where=where)
            documents.append(document)
        return tuple(documents)

    def save_scores(self, scores: Scores) -> None:
        """Keep scores for a later `resume`. Raises: RunError."""
        self._own("scores")
        save_scores(self.path, scores)

    def has_scores(self, *, importance: str, reduction: str) -> bool:
        """Whether scores were saved."""
        return scores_path(self.path, importance=importance, reduction=reduction).exists()

    def load_scores(self, *, importance: str, reduction: str) -> Scores | None:
        """Scores as they were saved; None where there are none. Raises: RunError."""
        return load_scores(self.path, importance=importance, reduction=reduction)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a temporary path for others to write to; it becomes the file when all is well.

        Raises: RunError.
        """
        with replacing(self._own(name)) as temporary:
            yield temporary

    def _own(self, name: str) -> Path:
        if self._lock is None:
            raise RunError(f"cannot write {self.path / name}: the run was opened for reading")
        return self.path / name

    def _read(self, name: str, kind: type[T]) -> T:
        path = self.path / name
        return decode(_content(path), kind, where=str(path))

    def _all(self, name: str, kind: type[T]) -> tuple[T, ...]:
        return tuple(decode(line, kind, where=where) for where, line in self._lines(name))

    def _lines(self, name: str) -> Iterator[tuple[str, bytes]]:
        path = self.path / name
        if not path.exists():
            return
        *lines, _torn = _content(path).split(b"\n")
        for number, line in enumerate(lines, start=1):
            yield f"{path}, line {number}", line


def spell(budget: Budget, *, exact: bool = False) -> str:
    """Budget as a word for names: "8.48G", "12M-params", "4ms"; exact: without rounding."""
    return "-".join(_spelt(cap, exact=exact) for cap in budget.caps)


def _spelt(cap: Cap, *, exact: bool) -> str:
    if cap.metric is Metric.LATENCY:
        return f"{cap.limit}fs" if exact else f"{cap.limit / 10**12:.4g}ms"
    amount = str(cap.limit) if exact else _short(cap.limit)
    return amount if cap.metric is Metric.MACS else f"{amount}-{cap.metric}"


def _short(number: int) -> str:
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if number >= unit:
            return f"{number / unit:.4g}{letter}"
    return str(number)


def plain(model: str) -> str:
    """Name of a model without what directories cannot bear."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", model).strip("-.") or "model"


def next_place(home: Path, stem: str) -> Path:
    """New directory `home/STEM-N` with the next free N. Raises: RunError."""
    with explained(home):
        home.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = home / f"{stem}-{number}"
        with explained(path):
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1


def runs_inside(home: Path) -> tuple[RunDirectory, ...]:
    """Runs, to read from, that are right below a directory which is none itself; by name."""
    if (home / RECORD).exists():
        return ()
    return tuple(RunDirectory.open(record.parent) for record in sorted(home.glob(f"*/{RECORD}")))


def check_place(path: Path) -> None:
    """Refuse, before any work is spent, a directory that a run could not be made in; none is made.

    Raises: RunError where it holds something, is a file, or cannot be written to.
    """
    check_writable(path)
    if path.is_dir():
        _refuse_others_files(path)


def empty_place(path: Path) -> Path:
    """Directory, made where it is absent. Raises: RunError where it holds something."""
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
    _refuse_others_files(path)
    return path


def _refuse_others_files(path: Path) -> None:
    """Refuse a directory that holds more than a start that was killed at once leaves."""
    if any(each.name not in (LOCK, OWNER) and not is_temporary(each) for each in path.iterdir()):
        raise RunError(
            f"{path} is not empty", hint="name another directory, or go on with --resume"
        )


def _require_record(path: Path) -> None:
    if not path.is_dir():
        raise RunError(f"no run directory {path}", hint="'ap runs' lists the runs that there are")
    if not (path / RECORD).is_file():
        below = [str(record.parent) for record in sorted(path.glob(f"*/{RECORD}"))]
        more = f" and {len(below) - 3} more" if len(below) > 3 else ""
        hint = f"the runs in it: {', '.join(below[:3])}{more}" if below else ""
        raise RunError(f"{path} holds no run: there is no {RECORD} in it", hint=hint)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
