"""What the user names: models, runs and files, opened to be measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ap_bench.measuring.exported_files import open_exported
from ap_bench.measuring.networks import Network
from ap_bench.measuring.onnx_files import open_onnx
from ap_bench.measuring.prepared import Source
from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.errors import ModelError, RunError
from ap_core.pipeline.opening.reload import load_model, request_again
from ap_core.pipeline.opening.subject import load_subject, made_by_function
from ap_core.plugins.registry import Registry
from ap_core.report.commands import go_on
from ap_core.runs.directory import RECORD, TRAINED, WEIGHTS, RunDirectory, runs_inside
from ap_core.runs.listing import status_of
from ap_core.runs.records import QualityRecord

if TYPE_CHECKING:
    from torch.nn import Module

ONNX = ".onnx"
EXPORTED = ".pt2"
BESIDE = ".data"
"""Ends the name of the file that holds an ONNX network's weights, where they lie apart."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A subject as it is named. whole: whether the uncut network of the run is meant.

    input_size: (channels, height, width) of a model's images; None for its own.
    """

    text: str
    whole: bool = False
    input_size: tuple[int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network at hand.

    module: on the CPU, to be counted; None for an ONNX file. images: that it runs for one that it
    is given. built: whether it is made of modules, not a graph of operators.
    size: bytes of its file on disk, of the parameters of a model. top1: of a run, where its record
    has one.
    """

    named: Named
    source: Source
    module: "Module | None"
    images: int = 1
    built: bool = True
    size: int
    top1: float | None = None


def kind_of(text: str) -> str:
    """What a name stands for: "run", "file" or "model"."""
    path = Path(text)
    if path.suffix in (ONNX, EXPORTED) or path.is_file():
        return "file"
    return "run" if (path / RECORD).is_file() or runs_inside(path) else "model"


def open_subject(registry: Registry, named: Named) -> Subject:
    """The network of this name. Whole networks have random weights: these do not change how long a
    pass takes.

    Raises: UnknownNameError, UsageError, ModelError, RunError.
    """
    match kind_of(named.text):
        case "file":
            return _file(named, Path(named.text))
        case "run":
            return _of_run(registry, named, Path(named.text))
        case _:
            request = ModelRequest(
                name=named.text, input_size=named.input_size, weights=WeightsPolicy.RANDOM
            )
            return _model(registry, named, request)


def _of_run(registry: Registry, named: Named, path: Path) -> Subject:
    record = RunDirectory.open(path).record()
    if status_of(path, record) == "interrupted":
        raise RunError(
            f"the run {path} is not finished: interrupted", hint=f"go on with: {go_on(path)}"
        )
    if named.whole:
        baseline = record.result.baseline if record.result else None
        if made_by_function(record.architecture.name):
            raise RunError(
                f"the whole network of {path} was made by {record.architecture.name}, which a run "
                "never imports",
                hint="measure both from Python: ap_bench.measuring.meter.compare_modules",
            )
        return _model(registry, named, request_again(record.architecture), _top1(baseline))
    module = load_model(path, registry=registry)
    return Subject(
        named=named,
        source=Network(name=named.text, module=module, input_size=record.architecture.input_size),
        module=module,
        size=(path / (TRAINED if record.finetuned else WEIGHTS)).stat().st_size,
        top1=_top1(record.quality),
    )


def _top1(quality: QualityRecord | None) -> float | None:
    return None if quality is None else quality.top1


def _model(
    registry: Registry, named: Named, request: ModelRequest, top1: float | None = None
) -> Subject:
    loaded = load_subject(registry, request).loaded
    module = loaded.module.eval()
    return Subject(
        named=named,
        source=Network(name=request.name, module=module, input_size=loaded.architecture.input_size),
        module=module,
        size=sum(each.nbytes for each in module.parameters()),
        top1=top1,
    )


def _file(named: Named, path: Path) -> Subject:
    if path.suffix not in (ONNX, EXPORTED):
        raise ModelError(
            f"{path} is no network that can be measured",
            hint=f"name a model, the directory of a run, an {ONNX} or a {EXPORTED} file",
        )
    if not path.is_file():
        raise ModelError(f"there is no file {path}", hint="'ap export' writes one of a run")
    size = path.stat().st_size
    if path.suffix == EXPORTED:
        exported = open_exported(named.text, path)
        return Subject(
            named=named,
            source=exported,
            module=exported.module,
            images=exported.images,
            built=False,
            size=size,
        )
    weights = path.with_name(path.name + BESIDE)
    apart = weights.stat().st_size if weights.is_file() else 0
    onnx = open_onnx(named.text, path)
    return Subject(named=named, source=onnx, module=None, built=False, size=size + apart)
