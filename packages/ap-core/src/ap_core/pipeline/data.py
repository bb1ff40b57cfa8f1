"""Opening the data that a run calibrates and judges with."""

from dataclasses import replace
from pathlib import Path

from ap_core.contracts import Architecture, DataRequest, DataSource
from ap_core.errors import DataError, UsageError
from ap_core.pipeline.options import PruneOptions
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import counted

FOLDER = "folder"


def open_data(
    registry: Registry, options: PruneOptions, architecture: Architecture
) -> DataSource | None:
    """Images named by the options, prepared as the network wants them; None where none are named.

    Raises: UnknownNameError, DataError.
    """
    if not options.data:
        return None
    request = DataRequest(
        name=options.data,
        root=options.data_root,
        architecture=architecture,
        batch_size=options.batch_size,
        calibration=options.batch_size * options.calibration_batches,
        held_out=options.held_out,
        seed=options.seed,
        on_corrupt=options.on_corrupt,
    )
    return open_source(registry, request)


def open_source(registry: Registry, request: DataRequest) -> DataSource:
    """Images of a data set that is offered, or of a folder.

    Raises: UnknownNameError; UsageError for a root that does nothing; DataError, also where they
    are of other classes than the network's.
    """
    source = _open(registry, request)
    classes = request.architecture.num_classes
    found = counted(source.num_classes, "class", "classes")
    if source.num_classes != classes:
        raise DataError(
            f"the data have {found}, the network {classes}",
            hint=f"--num-classes {source.num_classes} gives the network as many",
        )
    return source


def _open(registry: Registry, request: DataRequest) -> DataSource:
    offers = registry.datasets
    for name in offers:
        if any(request.name.startswith(prefix) for prefix in offers[name].prefixes):
            return offers[name].make()(request)
    if request.name not in offers and _is_path(request.name):
        if request.root is not None:
            raise UsageError(
                f"{request.name} is a folder: --data-root does nothing",
                hint="leave --data-root out, or take --data folder with it",
            )
        return offers[FOLDER].make()(replace(request, name=FOLDER, root=Path(request.name)))
    return offers[request.name].make()(request)


def _is_path(name: str) -> bool:
    return "/" in name or Path(name).exists()
