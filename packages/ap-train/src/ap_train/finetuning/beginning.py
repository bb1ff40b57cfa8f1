"""Beginning a training, or going on with one: whether a run can be trained, and on what."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import DataSource, Split, WeightsOrigin
from ap_core.errors import RunError, UsageError
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.report.commands import go_on
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import RunRecord, TrainingRecord
from ap_train.finetuning.keeper import has_state
from ap_train.finetuning.options import FinetuneOptions
from ap_train.processes import open_for_run
from ap_train.runs.images import images_asked_for
from ap_train.runs.options import ImageOptions
from ap_train.runs.seen import seen_before
from ap_train.training.world import world_of

if TYPE_CHECKING:
    from accelerate import Accelerator


@contextmanager
def locked(path: Path, accelerator: "Accelerator", progress: Progress) -> Iterator[RunDirectory]:
    """The run, locked by the main process; the others read. Raises: RunError, on all of them."""
    with ExitStack() as stack:
        held: list[RunDirectory] = []

        def lock() -> None:
            held.append(stack.enter_context(RunDirectory.resume(path, note=progress.note)))

        world_of(accelerator).on_main(lock)
        yield held[0] if held else RunDirectory.open(path)


def training_before(run: RunDirectory, *, fresh: bool) -> TrainingRecord | None:
    """Training to go on with; None for a fresh one.

    Raises: RunError where a fresh one would be in the place of one that is done, or can be gone on
    with.
    """
    before = run.training()
    if not fresh:
        return before
    if before is None or (before.status != "done" and not has_state(run.path)):
        return None
    state = "was trained already" if before.status == "done" else "has a training that stopped"
    anew = f"remove {run.path / 'finetune'} to train anew"
    # As long as there is a state, the last steps were not made.
    on = f"go on with: ap finetune {run.path} --resume; or " if has_state(run.path) else ""
    raise RunError(f"{run.path} {state}", hint=on + anew)


def options_before(path: Path) -> FinetuneOptions:
    """Options that a stopped training was given. Raises: RunError."""
    before = RunDirectory.open(path).training()
    if before is None:
        raise RunError(f"{path} was not trained: there is nothing to go on with")
    return FinetuneOptions.model_validate(before.options)


def check_trainable(run: RunDirectory, record: RunRecord, options: FinetuneOptions) -> None:
    """See that a run is done, and has weights to recover. Raises: RunError, UsageError."""
    if record.status != "done":
        raise RunError(
            f"the run {run.path} is not finished: {record.failure or record.status}",
            hint=f"go on with: {go_on(run.path, driven=record.driven)}",
        )
    if record.weights.origin == WeightsOrigin.RANDOM and not options.from_scratch:
        raise UsageError(
            f"the weights of {run.path} are random: there is nothing in them to recover",
            hint="prune a trained network, or train this one with --from-scratch",
        )


def images_to_train_on(
    accelerator: "Accelerator", registry: Registry, record: RunRecord, options: FinetuneOptions
) -> DataSource:
    """Images of the run, split as it was pruned with, or those asked for.

    Raises: UsageError for other splits of the same images; as `open_source`.
    """
    request = images_asked_for(record, options)
    before = record.options
    if request.name == before.get("data") and request.held_out != before.get("held_out"):
        raise UsageError(
            "other splits than those that the run was pruned with: they would report on images "
            "that its trials were chosen on",
            hint="leave out --held-out",
        )
    return open_for_run(accelerator, registry, replace(request, before=record.data))


def seen_by_run(source: DataSource, record: RunRecord, options: FinetuneOptions) -> str:
    """Why the run may have seen images that will be reported on; "" where it has not."""
    if record.data is None:
        return ""
    own, asked = images_asked_for(record, ImageOptions()), images_asked_for(record, options)
    if (own.name, own.root) != (asked.name, asked.root):
        return ""
    return seen_before(source, Split.REPORT, own, record.data)
