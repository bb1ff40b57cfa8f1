"""Running ONNX on this machine, by onnxruntime."""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch.nn import Module

from ap_bench.exporting.capture import TYPES
from ap_bench.exporting.onnx_format import write_onnx
from ap_bench.exporting.opset import OPSET
from ap_bench.measuring.memory import limited_to_available
from ap_bench.measuring.networks import images_for
from ap_bench.measuring.placement import padding
from ap_bench.measuring.prepared import Prepared
from ap_bench.measuring.settings import CPU, Settings
from ap_core.contracts import ExportRequest
from ap_core.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

EXTRA = "pip install 'ap-bench[onnx]'"

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

FATAL_ONLY = 4
"""Severity of what onnxruntime logs: its errors are raised, too."""

BEFORE_A_SESSION = 2**22
"""Bytes of padding, at most: beyond what a session that ended leaves free for the next one."""

STOP_SPINNING = "session.force_spinning_stop"
"""Makes threads sleep after a pass: those of one session would else spin while another's run."""


def failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; all of them are Exceptions of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = (each for each in vars(state).values() if isinstance(each, type))
    return tuple(kind for kind in kinds if issubclass(kind, Exception))


def require_onnxruntime(purpose: str, *, exporting: bool = False) -> None:
    """See that onnxruntime is there, and what exporting for it needs. Raises: UsageError."""
    needed = ("onnxruntime", *(("onnx", "onnxscript") if exporting else ()))
    missing = [each for each in needed if find_spec(each) is None]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} must be installed to {purpose}", hint=f"{EXTRA} installs it"
        )


def require_provider(device: str) -> None:
    """See that onnxruntime runs on a device. Raises: UsageError."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    wanted = PROVIDERS[torch.device(device).type]
    if wanted not in there:
        raise UsageError(
            f"the onnxruntime that is installed does not run on {device}: it has no {wanted}",
            hint="onnxruntime-gpu does; or take --device cpu",
        )


def open_session(network: Path | bytes, settings: Settings) -> "InferenceSession":
    """Session of an ONNX file, or of what one holds. Raises: what onnxruntime raises."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL_ONLY
    options.add_session_config_entry(STOP_SPINNING, "1")
    if settings.device == CPU:
        options.intra_op_num_threads = settings.threads or torch.get_num_threads()
    device = torch.device(settings.device)
    place = {} if device.index is None else {"device_id": device.index}
    providers = [(PROVIDERS[device.type], place)]
    return onnxruntime.InferenceSession(network, options, providers=providers)


class Session:
    """A session of an ONNX file, after a first pass; its images lie on the device.

    network: the file, or what one holds. Raises: as onnxruntime.
    """

    def __init__(
        self, network: Path | bytes, input_size: tuple[int, int, int], settings: Settings
    ) -> None:
        import onnxruntime

        session = open_session(network, settings)
        images = _host_images(input_size, settings).numpy()
        device = torch.device(settings.device)
        place = (device.type, device.index or 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(
            session.get_inputs()[0].name,
            onnxruntime.OrtValue.ortvalue_from_numpy(images, *place),
        )
        for output in session.get_outputs():
            self._binding.bind_output(output.name, *place)
        self._session = session
        self.run()

    def run(self) -> None:
        """Begin a pass."""
        self._session.run_with_iobinding(self._binding)

    def wait(self) -> None:
        """Return when it is done."""
        self._binding.synchronize_outputs()


class Reopening:
    """A session that is closed and opened again when it is to lie elsewhere in memory."""

    def __init__(self, start: Callable[[], Session], device: torch.device) -> None:
        self._start = start
        self._device = device
        self._draws = Random()
        self._session: Session | None = start()
        self._padding: torch.Tensor | None = None

    def run(self) -> None:
        """Begin a pass."""
        assert self._session is not None
        self._session.run()

    def wait(self) -> None:
        """Return when it is done."""
        assert self._session is not None
        self._session.wait()

    def release(self) -> None:
        """Close the session, until it is moved."""
        self._session = self._padding = None

    def move(self) -> None:
        """Open the session anew, at another distance from what was allocated before."""
        self.release()
        self._padding = padding(self._draws, BEFORE_A_SESSION, self._device)
        self._session = self._start()


def prepare_session(
    network: Path | bytes, input_size: tuple[int, int, int], settings: Settings
) -> Prepared:
    """An ONNX file, or what one holds, after a first pass. Raises: as onnxruntime."""
    start = partial(Session, network, input_size, settings)
    # A GPU's driver takes addresses for far more memory than it uses of the machine's.
    with limited_to_available() if settings.device == CPU else nullcontext():
        session = Reopening(start, torch.device(settings.device))
    return Prepared(
        forward=session.run,
        wait=session.wait,
        lay_elsewhere=session.move,
        release=session.release,
    )


def prepare_exported(
    module: Module, input_size: tuple[int, int, int], settings: Settings
) -> Prepared:
    """A module as onnxruntime runs it, after a first pass.

    Raises: what onnxruntime and the exporter raise.
    """
    request = ExportRequest(
        input_size=input_size,
        batch_size=settings.batch_size,
        precision=settings.dtype,
        opset=OPSET,
    )
    typed = copy.deepcopy(module).to(TYPES[settings.dtype])
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write_onnx(typed, request, path)
        written = path.read_bytes()
    return prepare_session(written, input_size, settings)


def _host_images(input_size: tuple[int, int, int], settings: Settings) -> torch.Tensor:
    plain = images_for(input_size, Settings(batch_size=settings.batch_size))
    return plain.to(TYPES[settings.dtype])
