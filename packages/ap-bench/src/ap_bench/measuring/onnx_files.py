"""ONNX files, by whomever they were written."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ap_bench.measuring.failures import (
    first_line,
    prepared_explaining,
    wrong_batch,
    wrong_dtype,
)
from ap_bench.measuring.onnx_sessions import (
    failures,
    open_session,
    prepare_session,
    require_onnxruntime,
    require_provider,
)
from ap_bench.measuring.prepared import Prepared
from ap_bench.measuring.settings import Backend, Settings
from ap_core.contracts import Precision
from ap_core.errors import ModelError, UsageError

TYPES = {
    "tensor(float)": Precision.FP32,
    "tensor(float16)": Precision.FP16,
    "tensor(bfloat16)": Precision.BF16,
}


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """An .onnx file that takes images. batch_size: None where it takes any."""

    name: str
    path: Path
    dtype: Precision
    input_size: tuple[int, int, int]
    batch_size: int | None

    @property
    def own(self) -> Backend:
        """What runs it."""
        return Backend.ONNXRUNTIME

    def check(self, settings: Settings) -> None:
        """Refuse another backend, type or batch than its own. Raises: UsageError."""
        if settings.backend is not Backend.ONNXRUNTIME:
            raise UsageError(
                f"{self.name} is run by onnxruntime, not by --backend {settings.backend}",
                hint="leave --backend out: every subject then has its own",
            )
        if settings.dtype is not self.dtype:
            raise wrong_dtype(self.name, self.dtype, settings)
        if self.batch_size is not None and settings.batch_size != self.batch_size:
            raise wrong_batch(self.name, self.batch_size, settings)
        require_provider(settings.device)

    def prepare(self, settings: Settings) -> Prepared:
        """The file in a session of its own, after a first pass. Raises: ModelError."""
        prepare = partial(prepare_session, self.path, self.input_size, settings)
        return prepared_explaining(prepare, self.name, settings, also=failures())


def open_onnx(name: str, path: Path) -> OnnxFile:
    """An .onnx file. Raises: UsageError without onnxruntime, ModelError where it is no network."""
    require_onnxruntime(f"measure {name}")
    try:
        session = open_session(path, Settings(backend=Backend.ONNXRUNTIME, threads=1))
    except failures() as error:
        raise ModelError(
            f"{name} is no ONNX file that onnxruntime can run: {first_line(error)}",
            hint="write it anew, with 'ap export' or torch.onnx.export",
        ) from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in TYPES:
        taken = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
        raise ModelError(
            f"{name} does not take images alone; it takes {taken or 'nothing'}",
            hint="its only input must be (batch, channels, height, width)",
        )
    batch, *size = inputs[0].shape
    if not all(isinstance(side, int) for side in size):
        raise ModelError(
            f"{name} does not say how large its images are: {inputs[0].shape}",
            hint="export it with a fixed height and width",
        )
    return OnnxFile(
        name=name,
        path=path,
        dtype=TYPES[inputs[0].type],
        input_size=(size[0], size[1], size[2]),
        batch_size=batch if isinstance(batch, int) else None,
    )
