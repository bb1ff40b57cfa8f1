"""The use case `finetune`: from a pruned run to one whose weights were trained again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from torch.nn import Module

from ap_core.contracts import Split, Surgery
from ap_core.errors import ApError, RunError
from ap_core.pipeline.environment import environment
from ap_core.pipeline.finishing.recording import write_report
from ap_core.pipeline.opening.reload import load_model, rebuilt
from ap_core.pipeline.opening.subject import made_by_function
from ap_core.pipeline.progress import Progress, Silent, WarningsOnly
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import counted
from ap_core.runs.directory import TRAINED, RunDirectory
from ap_core.runs.records import EpochRecord, QualityRecord, RunRecord, TrainingRecord
from ap_train.finetuning.beginning import (
    check_trainable,
    images_to_train_on,
    locked,
    options_before,
    seen_by_run,
    training_before,
)
from ap_train.finetuning.keeper import RunKeeper, drop_state, has_state
from ap_train.finetuning.options import FinetuneOptions
from ap_train.finetuning.paths import located_training
from ap_train.finetuning.teachers import choose_teacher
from ap_train.finetuning.trackers import check_tracker, tracker
from ap_train.measuring.across import answers_across
from ap_train.runs.networks import architecture_of, is_run, uncut_to_compare
from ap_train.training.loop import check, fit
from ap_train.training.setup import accelerator_of
from ap_train.training.world import world_of

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """What training came to.

    module: as reloaded from disk, on the CPU, in evaluation mode.
    main: whether this is the process that tells of it.
    """

    path: Path
    record: RunRecord
    training: TrainingRecord
    module: Module
    main: bool


@dataclass(frozen=True, kw_only=True)
class Given:
    """What only the caller has.

    pruned, whole: the networks, where the run's were made by the caller's own code.
    accelerator: the caller's own. track: name of a tracker, "" for none.
    """

    pruned: Module | None = None
    whole: Module | None = None
    accelerator: "Accelerator | None" = None
    track: str = ""
    command: Sequence[str] = ()


def finetune(
    path: str | PathLike[str],
    options: FinetuneOptions,
    *,
    given: Given | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Finetuned:
    """Train the pruned network of a run; the run's weights are those of the best epoch afterwards.

    path: of the run. given: what only the caller has; registry, progress: None for the installed
    plugins, and for warnings alone.
    Raises: RunError where the run is not done, is in use, or was trained already; UsageError for
    random weights; DataError, ModelError as `fit` does. What was on disk before is kept.
    """
    return _finetune(Path(path), options, given or Given(), registry, progress)


def resume(
    path: str | PathLike[str],
    *,
    given: Given | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Finetuned:
    """Go on with a training that was stopped; it ends with the same bytes as if it had not been.

    Raises: RunError where there is nothing to go on with; else as `finetune`.
    """
    return _finetune(Path(path), None, given or Given(), registry, progress)


def _finetune(
    path: Path,
    options: FinetuneOptions | None,
    given: Given,
    registry: Registry | None,
    progress: Progress | None,
) -> Finetuned:
    check_tracker(given.track)
    registry = registry or Registry.from_entry_points()
    fresh = options is not None
    options = located_training(registry, options) if options else options_before(path)
    accelerator = given.accelerator or accelerator_of(options.training)
    progress = (progress or WarningsOnly()) if accelerator.is_main_process else Silent()
    with locked(path, accelerator, progress) as run:
        before = world_of(accelerator).on_main(lambda: training_before(run, fresh=fresh))
        record = run.record()
        check_trainable(run, record, options)
        if before is not None and before.status == "done":
            if accelerator.is_main_process and has_state(path):
                _show(run)
            module = load_model(path, registry=registry, factory=_factory(given.pruned))
            return Finetuned(
                path=path,
                record=record,
                training=before,
                module=module,
                main=accelerator.is_main_process,
            )
        work = _Work(run, record, options, given, accelerator, registry, progress)
        return work.done(work.started(before))


class _Work:
    """One fine-tuning under way; only the main process writes."""

    def __init__(
        self,
        run: RunDirectory,
        record: RunRecord,
        options: FinetuneOptions,
        given: Given,
        accelerator: "Accelerator",
        registry: Registry,
        progress: Progress,
    ) -> None:
        self.run = run
        self.record = record
        self.options = options
        self.given = given
        self.accelerator = accelerator
        self.registry = registry
        self.progress = progress
        self.architecture = architecture_of(record)
        self.pruned = given.pruned or load_model(run.path, finetuned=False, registry=registry)
        self.teacher = choose_teacher(
            registry, record, options, whole=given.whole, progress=progress
        )
        self.source = check(
            self.pruned,
            images_to_train_on(accelerator, registry, record, options),
            self.architecture,
            options.training,
            teacher=self.teacher,
            accelerator=accelerator,
        )

    def started(self, before: TrainingRecord | None) -> TrainingRecord:
        """Record of a training that begins, or goes on. Raises: RunError for other images."""
        fresh = TrainingRecord(
            schema=1,
            status="running",
            version=version("ap-core"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=tuple(self.given.command),
            options=self.options.model_dump(mode="json"),
            data=dict(self.source.record()),
            teacher=self._taught_by(),
            processes=self.accelerator.num_processes,
            seen=seen_by_run(self.source, self.record, self.options),
            environment=environment(),
        )
        if before is not None and before.data != fresh.data:
            raise RunError(
                "the images are not those that the training was started with",
                hint=f"put them back, or remove {self.run.path / 'finetune'}, and train anew",
            )
        if fresh.seen:
            self.progress.warn(fresh.seen)
        started = fresh if before is None else self._taken_up(before)
        self._write(started)
        if self.record.finetuned is not None and self.accelerator.is_main_process:
            # A copy of a trained run, without its training, says that it is trained.
            self.run.write_record(self.record.model_copy(update={"finetuned": None}))
        return started

    def _taught_by(self) -> str:
        """Name of the teacher, or the directory of the run that it is of; "" for none."""
        if self.teacher is None:
            return ""
        asked = self.options.teacher
        return asked if asked and is_run(asked) else self.teacher.architecture.name

    def _taken_up(self, before: TrainingRecord) -> TrainingRecord:
        """Record of a training that goes on, with as many processes as there are now."""
        count, last = self.accelerator.num_processes, (before.processes, *before.resumed)[-1]
        resumed = before.resumed if count == last else (*before.resumed, count)
        if count != last:
            self.progress.warn(
                f"the training goes on with {counted(count, 'process', 'processes')}, not {last}: "
                "batch norms see other passes, so the weights may end otherwise than without a stop"
            )
        return before.model_copy(update={"status": "running", "resumed": resumed})

    def done(self, training: TrainingRecord) -> Finetuned:
        """Train, reload, measure, record."""
        uncut = self._uncut()
        found: dict[str, object] = {
            "baseline": None if uncut is None else self._quality(uncut),
            "before": self._quality(self.pruned),
            "selection_before": self._quality(self.pruned, Split.HELD_OUT),
        }
        adapter = self.registry.model_adapters[self.record.architecture.adapter].make()
        keeper = RunKeeper(self.run, adapter, training)
        try:
            with self._tracker() as on_epoch:
                fitted = fit(
                    self.pruned,
                    self.source,
                    self.architecture,
                    self.options.training,
                    teacher=self.teacher,
                    accelerator=self.accelerator,
                    keeper=keeper,
                    on_epoch=on_epoch,
                    progress=self.progress,
                )
            module = self._reloaded()
            found["after"] = after = self._quality(module)
        except ApError as error:
            kept = self.run.training() or training
            self._write(kept.model_copy(update={"status": "failed", "failure": error.message}))
            raise
        found |= {"history": fitted.history, "best": fitted.best, "skipped": fitted.skipped}
        done = training.model_copy(update={"status": "done", "failure": "", **found})
        record = self.record.model_copy(update={"finetuned": after})
        if self.accelerator.is_main_process:
            keeper.last(self.pruned)
            self.run.write_record(record)
            self._write(done)
            _show(self.run)
        self.accelerator.wait_for_everyone()
        self._warn_if_worse(done)
        return Finetuned(
            path=self.run.path,
            record=record,
            training=done,
            module=module.cpu().eval(),
            main=self.accelerator.is_main_process,
        )

    def _warn_if_worse(self, done: TrainingRecord) -> None:
        best, before = done.chosen, done.selection_before
        if best is None or before is None or not done.worse:
            return
        self.progress.warn(
            f"the training made the network worse: its held-out loss was "
            f"{before.loss:.4f} before, and is {best.selection_loss:.4f} after the best epoch",
            hint="train anew with another --lr (a higher one where the loss still falls), more "
            "--epochs, or another --preset; load_model(run, finetuned=False) gives the network as "
            "it was",
        )

    def _uncut(self) -> Module | None:
        """The uncut network, to compare with; None where it is not trained or cannot be had."""
        if self.teacher is not None and self.options.teacher is None:
            return self.teacher.module
        uncut = uncut_to_compare(self.registry, self.record, self.given.whole, self.progress)
        return None if uncut is None else uncut.module

    def _reloaded(self) -> Module:
        """The network with the best weights, as it comes back from its file."""
        weights = self.run.path / TRAINED
        if not made_by_function(self.record.architecture.name):
            return rebuilt(self.registry, self.record, weights)
        adapter = self.registry.model_adapters[self.record.architecture.adapter].make()
        return adapter.restore(adapter.blank(self.pruned), Surgery(attributes={}), weights)

    def _quality(self, module: Module, split: Split = Split.REPORT) -> QualityRecord:
        training, accelerator = self.options.training, self.accelerator
        answers = answers_across(
            module.to(accelerator.device),
            self.source.split(split),
            self.architecture,
            accelerator,
            batch_size=training.pass_size(accelerator.num_processes),
            workers=training.workers,
        )
        return QualityRecord.model_validate(answers.summary())

    @contextmanager
    def _tracker(self) -> Iterator[Callable[[EpochRecord], None]]:
        place = self.run.path / "logs"
        with tracker(self.given.track, self.accelerator, place, self.options) as log:
            yield log

    def _write(self, training: TrainingRecord) -> None:
        if self.accelerator.is_main_process:
            self.run.write_training(training)


def _show(run: RunDirectory) -> None:
    """The last steps of a training that is done; as long as there is a state, they were not made.

    Raises: RunError.
    """
    write_report(run)
    drop_state(run.path)


def _factory(module: Module | None) -> Callable[[], Module] | None:
    return None if module is None else lambda: module
