"""Opening the data that a run calibrates and judges with."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ap_core.contracts import Architecture, DataRequest, DataSource
from ap_core.errors import ClassesError, UnknownNameError, UsageError, unknown_name
from ap_core.pipeline.options import PruneOptions
from ap_core.plugins.offered import Offers
from ap_core.plugins.offers import DatasetOffer
from ap_core.plugins.registry import Registry
from ap_core.report.amounts import counted
from ap_core.runs.records import Record

OptionsT = TypeVar("OptionsT", bound=Record)

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

    Raises: UnknownNameError; UsageError for a root that does nothing; DataError; ClassesError where
    they are of other classes than the network's.
    """
    source = _open(registry, request)
    classes = request.architecture.num_classes
    found = counted(source.num_classes, "class", "classes")
    if source.num_classes != classes:
        raise ClassesError(
            f"the data have {found}, the network {classes}",
            hint=f"--num-classes {source.num_classes} gives the network as many",
        )
    return source


def located(registry: Registry, options: OptionsT) -> OptionsT:
    """Same options with absolute paths: a later command may be typed in another directory.

    options: those that are paths, and `data`, a data set or a folder.
    """
    given = dict(options)
    paths: dict[str, object] = {
        name: value.absolute() for name, value in given.items() if isinstance(value, Path)
    }
    data = given["data"] or ""
    if _is_folder(registry.datasets, data) and Path(data).is_dir():
        paths["data"] = str(Path(data).absolute())
    return options.model_copy(update=paths)


def _open(registry: Registry, request: DataRequest) -> DataSource:
    offers = registry.datasets
    if not _is_folder(offers, request.name):
        return _named(offers, request.name).make()(request)
    if request.root is not None:
        raise UsageError(
            f"{request.name} is a folder: --data-root does nothing",
            hint="leave --data-root out, or take --data folder with it",
        )
    return offers[FOLDER].make()(replace(request, name=FOLDER, root=Path(request.name)))


def _is_folder(offers: Offers[DatasetOffer], name: str) -> bool:
    """Whether a name is meant as a path: it is none that is offered, and looks like one."""
    if not name or name in offers or _by_prefix(offers, name) is not None:
        return False
    return "/" in name or Path(name).exists()


def _by_prefix(offers: Offers[DatasetOffer], name: str) -> DatasetOffer | None:
    return next((each for each in offers.values() if name.startswith(each.prefixes)), None)


def _named(offers: Offers[DatasetOffer], name: str) -> DatasetOffer:
    """Offer that takes a name. Raises: UnknownNameError with what can be typed."""
    try:
        return _by_prefix(offers, name) or offers[name]
    except UnknownNameError as error:
        whole = [each for each in offers if each != FOLDER and not offers[each].prefixes]
        prefixes = [f"{prefix}NAME" for each in offers.values() for prefix in each.prefixes]
        folder = ["a folder of class folders"] if FOLDER in offers else []
        raise unknown_name(offers.kind, name, whole, also=(*folder, *prefixes)) from error
