"""Files of torch.export (.pt2), by whomever they were written."""

import copy
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import Module

from ap_bench.exporting.capture import CANNOT_RUN, TYPES
from ap_bench.measuring.failures import (
    first_line,
    prepared_explaining,
    wrong_batch,
    wrong_dtype,
)
from ap_bench.measuring.networks import FORMATS, check_room, prepare_module
from ap_bench.measuring.prepared import Prepared
from ap_bench.measuring.settings import Backend, Settings
from ap_core.contracts import Precision
from ap_core.errors import ModelError, UsageError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

RUNS_CODE = ("custom_obj", "opaque_obj", "aotinductor/")
"""In the names of what such a file may hold that is run, or unpickled, when it is loaded."""

NO_PICKLE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""What keeps torch.load to tensors, wherever it is called."""


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """A .pt2 file that takes images. batch_size: None where it takes several."""

    name: str
    program: "ExportedProgram"
    dtype: Precision
    input_size: tuple[int, int, int]
    batch_size: int | None

    @property
    def own(self) -> Backend:
        """What runs it unless told."""
        return Backend.EAGER

    @property
    def images(self) -> int:
        """Images that `module` runs for one that it is given."""
        return self.batch_size or 1

    @property
    def module(self) -> Module:
        """Module on the CPU that takes one image, to be counted."""
        return _Repeating(self.program.module(), self.images)

    def check(self, settings: Settings) -> None:
        """Refuse another type or batch than its own. Raises: UsageError."""
        if settings.backend is Backend.ONNXRUNTIME:
            raise UsageError(
                f"{self.name} is run by torch, not by --backend onnxruntime",
                hint="leave --backend out: every subject then has its own",
            )
        if settings.dtype is not self.dtype:
            raise wrong_dtype(self.name, self.dtype, settings)
        if self.batch_size is not None and settings.batch_size != self.batch_size:
            raise wrong_batch(self.name, self.batch_size, settings)

    def prepare(self, settings: Settings) -> Prepared:
        """The program on its device, after a first pass. Raises: ModelError."""
        return prepared_explaining(partial(self._run_by_torch, settings), self.name, settings)

    def _run_by_torch(self, settings: Settings) -> Prepared:
        if self.batch_size is None:
            module = self.program.module()
            check_room(self.name, module, self.input_size, settings, dtype=self.dtype)
        make = partial(_placed, self.program, settings)
        return prepare_module(self.name, make, self.input_size, settings)


class _Repeating(Module):
    """A network that takes batches of one size alone, given one image."""

    def __init__(self, network: Module, images: int) -> None:
        super().__init__()
        self.network = network
        self.images = images

    def forward(self, image: Tensor) -> object:
        """Run a batch of copies. image: (1, channels, height, width)."""
        return self.network(image.repeat(self.images, 1, 1, 1))


def open_exported(name: str, path: Path) -> ExportedFile:
    """A .pt2 file; no code in it is run. Raises: ModelError where it is no network."""
    program = _load(name, path)
    inputs = _inputs(program)
    types = {value: key for key, value in TYPES.items()}
    if len(inputs) != 1 or inputs[0].ndim != 4 or inputs[0].dtype not in types:
        raise ModelError(
            f"{name} does not take images alone",
            hint="its only input must be (batch, channels, height, width)",
        )
    batch, *size = inputs[0].shape
    if not all(isinstance(side, int) for side in size):
        raise ModelError(
            f"{name} does not say how large its images are: {tuple(inputs[0].shape)}",
            hint="export it with a fixed height and width",
        )
    return ExportedFile(
        name=name,
        program=program,
        dtype=types[inputs[0].dtype],
        input_size=(size[0], size[1], size[2]),
        batch_size=batch if isinstance(batch, int) else None,
    )


def _load(name: str, path: Path) -> "ExportedProgram":
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise _no_export(name, str(error)) from error
    risky = next((each for each in names if any(word in each for word in RUNS_CODE)), None)
    if risky is not None:
        raise ModelError(
            f"{name} holds {risky}: loading that would run code from the file",
            hint="export a network of tensors alone",
        )
    try:
        with _tensors_alone(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.load(path)
    except (*CANNOT_RUN, OSError, EOFError) as error:
        raise _no_export(name, first_line(error)) from error


def _no_export(name: str, reason: str) -> ModelError:
    return ModelError(
        f"{name} is no file of torch.export that can be loaded: {reason}",
        hint="write it anew, with 'ap export' or torch.export.save",
    )


@contextmanager
def _tensors_alone() -> Iterator[None]:
    """Let torch unpickle nothing but tensors meanwhile."""
    before = os.environ.get(NO_PICKLE)
    os.environ[NO_PICKLE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[NO_PICKLE]
        else:
            os.environ[NO_PICKLE] = before


def _inputs(program: "ExportedProgram") -> list[Tensor]:
    """What the program takes, as tensors without content."""
    wanted = set(program.graph_signature.user_inputs)
    nodes = (node for node in program.graph.nodes if node.op == "placeholder")
    values = (node.meta.get("val") for node in nodes if node.name in wanted)
    return [value for value in values if isinstance(value, Tensor)]


def _placed(program: "ExportedProgram", settings: Settings) -> Module:
    """The program's module on a device, in its format."""
    from torch.export.passes import move_to_device_pass

    # The pass moves the program itself, which is wanted on other devices, too.
    moved = move_to_device_pass(copy.deepcopy(program), settings.device)
    return moved.module().to(memory_format=FORMATS[settings.memory_format])
