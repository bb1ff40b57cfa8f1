"""The use case `export`: a network as a file that runs without ap, and has been seen to."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from torch.nn import Module

from ap_bench.exporting.about import about
from ap_bench.exporting.capture import TYPES
from ap_bench.exporting.checking import answers, checked
from ap_bench.exporting.formats import format_of
from ap_bench.exporting.networks import Own, Source, is_run, of_model, of_module, of_run
from ap_bench.exporting.options import ExportOptions
from ap_core.contracts import ExportRequest
from ap_core.errors import RunError, UsageError
from ap_core.exported import TOLERANCE, batches_for
from ap_core.pipeline.progress import Progress, WarningsOnly
from ap_core.plugins.offers import ExporterOffer
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory, plain
from ap_core.runs.files import check_writable, replacing

FOLDER = "export"
"""Directory in a run for what is exported of it."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written, read again by another process, and compared.

    run: directory of the run that it is of; None for a whole network.
    weights: "fine-tuned", "pruned", or where those of a whole network came from.
    about: what the file says of itself: model, input size, mean, std, classes, macs, ...
    difference: largest difference between the file's outputs and the network's in fp32, as a share
        of the largest output; None where the format has no reader.
    tolerance: the largest that would have been let through.
    bytes: of the file. seconds: of writing, and of reading it again.
    """

    path: Path
    run: Path | None
    to: str
    weights: str
    request: ExportRequest
    about: Mapping[str, object]
    bytes: int
    difference: float | None
    tolerance: float
    seconds: Mapping[str, float]


def export(
    subject: str | PathLike[str] | Module,
    *,
    to: str = "onnx",
    output: str | PathLike[str] | None = None,
    force: bool = False,
    module: Module | None = None,
    factory: Callable[[], Module] | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: object,
) -> Exported:
    """Write a network to a file, and see that it gives the same outputs in a process without ap.

    Outputs are compared on random images, in batches of 1 and 7, or of the fixed size. A file that
    differs, or cannot be read, is not left behind, and of what was there before nothing is lost.

    subject: a run directory, a name as `ap models` lists them, or a network of your own.
    to: the format; `ap plugins` lists the exporters.
    output: the file; None for DIR/export/model.SUFFIX in a run, else ./NAME.SUFFIX.
    force: whether to replace a file.
    module, factory: for a run whose network your own code made: the pruned network, or the function
        that makes the whole one, as for `load_model`.
    options: further fields of `ap_bench.exporting.options.ExportOptions`: dtype, batch_size, opset;
        of a model also weights, checkpoint, num_classes, input_size, seed.
    Raises: UsageError for what the format cannot, or lacks packages for; RunError where the file is
    there or cannot be written; ModelError naming an operator that cannot be exported, and where the
    outputs differ; as loading does.
    """
    registry, progress = registry or Registry.from_entry_points(), progress or WarningsOnly()
    asked = ExportOptions.parse({"to": to, **options})
    offer = format_of(registry, asked)
    place = _place(subject, asked, offer) if output is None else Path(output)
    if not isinstance(subject, Module) and is_run(Path(subject)):
        _check_outside(place, Path(subject))
    _check_place(place, force=force)
    own = Own(module=module, factory=factory)
    source = _source(registry, subject, asked, own, progress)
    request = ExportRequest(
        input_size=source.architecture.input_size,
        batch_size=asked.batch_size,
        precision=asked.dtype,
        opset=offer.opset,
        about=about(registry, source, asked.dtype),
    )
    return _written(offer, source, request, place, progress)


def _source(
    registry: Registry,
    subject: str | PathLike[str] | Module,
    options: ExportOptions,
    own: Own,
    progress: Progress,
) -> Source:
    if not isinstance(subject, Module) and is_run(Path(subject)):
        return of_run(registry, Path(subject), options, own, progress)
    if own != Own():
        raise UsageError("module and factory are for the network of a run", hint="leave them out")
    if isinstance(subject, Module):
        return of_module(registry, subject, options, progress)
    return of_model(registry, str(subject), options, progress)


def _place(
    subject: str | PathLike[str] | Module, options: ExportOptions, offer: ExporterOffer
) -> Path:
    """Where the file goes of itself: its name tells what is not as usual."""
    precision = "" if options.dtype == "fp32" else f"-{options.dtype}"
    batch = f"-batch{options.batch_size}" if options.batch_size else ""
    tail = f"{precision}{batch}{offer.suffix}"
    if isinstance(subject, Module):
        return Path(f"{plain(type(subject).__name__)}{tail}")
    if is_run(Path(subject)):
        return Path(subject) / FOLDER / f"model{tail}"
    return Path(f"{plain(str(subject))}{tail}")


def _check_outside(place: Path, run: Path) -> None:
    """Refuse a file among those that the run keeps for itself."""
    inside = place.resolve().is_relative_to(run.resolve())
    if inside and not place.resolve().is_relative_to(run.resolve() / FOLDER):
        raise RunError(
            f"{place} would be among the run's own files",
            hint=f"name a file in {run / FOLDER}, or outside of the run",
        )


def _check_place(place: Path, *, force: bool) -> None:
    """Refuse, before any work is spent, a file that is there, or that cannot be written."""
    if place.is_dir():
        raise RunError(f"{place} is a directory", hint="name a file with --output")
    if place.exists() and not force:
        raise RunError(
            f"{place} is there already", hint="replace it with --force, or name another: --output"
        )
    check_writable(place.parent)


def _written(
    offer: ExporterOffer, source: Source, request: ExportRequest, place: Path, progress: Progress
) -> Exported:
    whole = deepcopy(source.module).float().eval().cpu()
    expected = answers(whole, batches_for(request))
    written = whole.to(TYPES[request.precision])
    start = time.perf_counter()
    with _replacing(source.run, place, progress) as temporary:
        with progress.progress(None, f"writing {offer.name}"):
            offer.make()(written, request, temporary)
        middle = time.perf_counter()
        difference = None
        if offer.reader:
            with progress.progress(None, "reading it again, in a process without ap"):
                difference = checked(offer, temporary, request, expected)
        else:
            progress.warn(f"NOT CHECKED: the format {offer.name} has no reader")
    end = time.perf_counter()
    return Exported(
        path=place,
        run=source.run,
        to=offer.name,
        weights=source.weights,
        request=request,
        about=request.about,
        bytes=place.stat().st_size,
        difference=difference,
        tolerance=TOLERANCE[request.precision],
        seconds={"write": round(middle - start, 4), "check": round(end - middle, 4)},
    )


@contextmanager
def _replacing(run: Path | None, place: Path, progress: Progress) -> Iterator[Path]:
    """Temporary path that becomes the file when all is well. In a run, it is the only writer."""
    if run is None or not place.absolute().is_relative_to(run.absolute()):
        with replacing(place) as temporary:
            yield temporary
        return
    with RunDirectory.resume(run, note=progress.note) as directory:
        name = str(place.absolute().relative_to(run.absolute()))
        with directory.writing(name) as temporary:
            yield temporary
