"""Giving back the pruned network of a run."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import ModelRequest, Surgery, WeightsPolicy
from ap_core.errors import CheckpointError, RunError, hinted
from ap_core.pipeline.opening.subject import builder_of, made_by_function
from ap_core.plugins.registry import Registry
from ap_core.report.commands import command, go_on
from ap_core.runs.directory import TRAINED, WEIGHTS, RunDirectory
from ap_core.runs.listing import status_of
from ap_core.runs.records import ArchitectureRecord, RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.nn import Module


def load_model(
    run: str | PathLike[str],
    *,
    factory: "Callable[[], Module] | None" = None,
    finetuned: bool = True,
    registry: Registry | None = None,
) -> "Module":
    """Pruned network of a run, on the CPU, in eval mode.

    Runs no code from the files and needs no network: the whole network is built without weights,
    its layers are set to the saved widths, and the saved tensors are put in.

    factory: makes the whole network, where the run's was made by a function of your own: a run
        directory never names code to import.
    finetuned: whether to take the weights after training, where there are any.
    Raises: RunError where the run is not finished or its network cannot be built without the
    factory; CheckpointError where the weights are damaged.
    """
    directory = RunDirectory.open(Path(run))
    record = directory.record()
    if record.surgery is None or record.status != "done":
        raise RunError(
            f"the run {directory.path} is not finished: "
            f"{record.failure or status_of(directory.path, record)}",
            hint=f"go on with: {go_on(directory.path, driven=record.driven)}",
        )
    registry = registry or Registry.from_entry_points()
    if record.finetuned is None or not finetuned:
        return rebuilt(registry, record, directory.path / WEIGHTS, factory=factory)
    with hinted(CheckpointError, lambda _hint: _train_again(directory.path)):
        return rebuilt(registry, record, directory.path / TRAINED, factory=factory)


def rebuilt(
    registry: Registry,
    record: RunRecord,
    weights: Path,
    *,
    factory: "Callable[[], Module] | None" = None,
) -> "Module":
    """Pruned network with the weights of a file. Raises: as `load_model`."""
    assert record.surgery is not None
    adapter = registry.model_adapters[record.architecture.adapter].make()
    blank = adapter.blank(factory()) if factory else _skeleton(registry, record)
    surgery = Surgery(attributes=record.surgery.attributes, replaced=record.surgery.replaced)
    return adapter.restore(blank, surgery, weights)


def _train_again(path: Path) -> str:
    return (
        "the weights before training are another file: load_model(run, finetuned=False), or "
        f"ap eval --pruned-only; to train again, remove {path / TRAINED.partition('/')[0]}, then: "
        f"{command('finetune', str(path))}"
    )


def _skeleton(registry: Registry, record: RunRecord) -> "Module":
    architecture = record.architecture
    if made_by_function(architecture.name):
        raise RunError(
            f"the network of this run was made by {architecture.name}, which a run never imports",
            hint="give the function again: load_model(run, factory=...)",
        )
    request = request_again(architecture)
    return builder_of(registry, architecture.name).skeleton(request).module


def request_again(architecture: ArchitectureRecord) -> ModelRequest:
    """Request for the same whole network, without weights."""
    return ModelRequest(
        name=architecture.name,
        num_classes=architecture.num_classes,
        input_size=architecture.input_size,
        weights=WeightsPolicy.RANDOM,
    )
