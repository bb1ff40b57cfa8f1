"""Networks that torch runs: eager or compiled."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import Module

from ap_bench.exporting.capture import TYPES
from ap_bench.measuring.denormals import Denormals, denormals_of
from ap_bench.measuring.devices import wait_for
from ap_bench.measuring.failures import does_not_fit, largest_that_fits, prepared_explaining
from ap_bench.measuring.memory import available, peak_of_pass, tensor_bytes
from ap_bench.measuring.placement import Placement, Rebuilt
from ap_bench.measuring.prepared import Memory, MemoryKind, Prepared
from ap_bench.measuring.settings import CPU, Backend, MemoryFormat, Settings
from ap_core.contracts import Precision

FORMATS = {
    MemoryFormat.CONTIGUOUS: torch.contiguous_format,
    MemoryFormat.CHANNELS_LAST: torch.channels_last,
}

MOST_COMPILED = 100_000
"""Networks of one class, and batches of different sizes."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A module in eval mode on the CPU, in fp32. name: for errors."""

    name: str
    module: Module
    input_size: tuple[int, int, int]

    @property
    def own(self) -> Backend:
        """What runs it unless told."""
        return Backend.EAGER

    def check(self, settings: Settings) -> None:
        """See that onnxruntime is there where it is asked for. Raises: UsageError."""
        if settings.backend is Backend.ONNXRUNTIME:
            from ap_bench.measuring.onnx_sessions import require_onnxruntime, require_provider

            require_onnxruntime("take --backend onnxruntime", exporting=True)
            require_provider(settings.device)

    def prepare(self, settings: Settings) -> Prepared:
        """A copy of the network, after a first pass. Raises: ModelError."""
        if settings.backend is Backend.ONNXRUNTIME:
            from ap_bench.measuring.onnx_sessions import failures

            prepare = partial(self._exported, settings)
            return prepared_explaining(prepare, self.name, settings, also=failures())
        return prepared_explaining(partial(self._run_by_torch, settings), self.name, settings)

    def _run_by_torch(self, settings: Settings) -> Prepared:
        check_room(self.name, self.module, self.input_size, settings)
        make = partial(_placed, self.module, settings)
        return prepare_module(self.name, make, self.input_size, settings)

    def _exported(self, settings: Settings) -> Prepared:
        from ap_bench.measuring.onnx_sessions import prepare_exported

        check_room(self.name, self.module, self.input_size, settings)
        return prepare_exported(self.module, self.input_size, settings)


def images_for(input_size: tuple[int, int, int], settings: Settings) -> Tensor:
    """Noise, (batch, channels, height, width), as the settings want it."""
    images = torch.randn(
        (settings.batch_size, *input_size),
        generator=torch.Generator(settings.device).manual_seed(0),
        device=settings.device,
        dtype=TYPES[settings.dtype],
    )
    return images.contiguous(memory_format=FORMATS[settings.memory_format])


def prepare_module(
    name: str,
    make: Callable[[], Module],
    input_size: tuple[int, int, int],
    settings: Settings,
) -> Prepared:
    """A network on its device, after a first pass.

    make: gives it, on its device. Raises: ModelError where the batch does not fit; else what the
    network raises.
    """
    device = torch.device(settings.device)
    before = _allocated(device)
    module = make()
    compiled, rebuilt = settings.backend is Backend.COMPILE, Rebuilt(module)
    runs = _compiled(module) if compiled else rebuilt
    images = None
    try:
        images = images_for(input_size, settings)
        with _compiling(settings):
            _forward(runs, images)
            wait_for(device)
    except torch.OutOfMemoryError as error:
        # Its traceback would keep alive what the pass had made by then.
        error.with_traceback(None)
        del images
        attempt = partial(_attempt, runs, input_size, settings)
        fits = largest_that_fits(attempt, settings.batch_size)
        raise does_not_fit(name, settings, fits) from error
    return Prepared(
        forward=partial(_forward, runs, images),
        wait=partial(wait_for, device),
        lay_elsewhere=partial(_move, rebuilt, Placement(), images, anew=not compiled),
        see_memory=partial(_memory, rebuilt, images, settings, _allocated_at_most(device) - before),
        see_denormals=partial(_denormals, rebuilt, images, settings),
    )


def check_room(
    name: str,
    module: Module,
    input_size: tuple[int, int, int],
    settings: Settings,
    *,
    dtype: Precision = Precision.FP32,
) -> None:
    """Refuse a batch that the machine's memory cannot hold: a system may kill us, not say no.

    module: on the CPU, in `dtype`. Raises: ModelError naming the largest batch that fits.
    """
    there = available()
    if settings.device != CPU or there is None:
        return
    share = TYPES[settings.dtype].itemsize / TYPES[dtype].itemsize
    image = share * peak_of_pass(module, torch.zeros(1, *input_size, dtype=TYPES[dtype]))
    weights = share * tensor_bytes(module)
    if weights + image * settings.batch_size > there:
        raise does_not_fit(name, settings, max(0, int((there - weights) // image)))


@contextmanager
def _compiling(settings: Settings) -> Iterator[None]:
    """Compile every network, however many of its class there are: torch would fall back to eager,
    with no more than a line in its log.
    """
    if settings.backend is not Backend.COMPILE:
        yield
        return
    import torch._dynamo

    with torch._dynamo.config.patch(
        recompile_limit=MOST_COMPILED,
        accumulated_recompile_limit=MOST_COMPILED,
    ):
        yield


def _placed(module: Module, settings: Settings) -> Module:
    """Copy on its device, in its type and format."""
    return copy.deepcopy(module).to(  # type: ignore[call-overload,no-any-return]
        device=settings.device,
        dtype=TYPES[settings.dtype],
        memory_format=FORMATS[settings.memory_format],
    )


def _compiled(module: Module) -> Callable[[Tensor], object]:
    """Compiled, at its first pass, for images of one size."""
    compiled: Callable[[Tensor], object] = torch.compile(module, dynamic=False)
    return compiled


def _forward(network: Callable[[Tensor], object], images: Tensor) -> None:
    with torch.inference_mode():
        network(images)


def _move(rebuilt: Rebuilt, placement: Placement, images: Tensor, *, anew: bool) -> None:
    """anew: whether the module is rebuilt; one that is compiled is run by other objects."""
    if anew:
        rebuilt.rebuild()
    placement.change((*rebuilt.tensors(), images))


def _attempt(
    network: Callable[[Tensor], object],
    input_size: tuple[int, int, int],
    settings: Settings,
    batch_size: int,
) -> None:
    """Run a batch of another size."""
    torch.get_device_module(settings.device).empty_cache()
    images = torch.zeros(
        batch_size, *input_size, device=settings.device, dtype=TYPES[settings.dtype]
    )
    _forward(network, images)
    wait_for(images.device)


def _allocated(device: torch.device) -> int:
    """Bytes that tensors take on a GPU now; their peak is watched from here on."""
    if device.type != "cuda":
        return 0
    # Torch begins to use a GPU with the first tensor there; before that, no peak can be reset.
    torch.cuda.init()  # type: ignore[no-untyped-call]
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def _allocated_at_most(device: torch.device) -> int:
    """Most bytes that tensors took on a GPU since their peak is watched."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def _memory(rebuilt: Rebuilt, images: Tensor, settings: Settings, on_gpu: int) -> Memory | None:
    """Memory of the network. on_gpu: most bytes that its first pass took there."""
    if images.device.type == "cuda":
        return Memory(peak=on_gpu, kind=MemoryKind.TENSORS)
    if images.device.type != CPU or settings.backend is not Backend.EAGER:
        return None
    peak = tensor_bytes(rebuilt.module) + peak_of_pass(rebuilt.module, images)
    return Memory(peak=peak, kind=MemoryKind.TENSORS)


def _denormals(rebuilt: Rebuilt, images: Tensor, settings: Settings) -> Denormals | None:
    """Counted where they cost time: on a CPU, which computes fp16 in fp32."""
    if settings.device != CPU or settings.dtype is Precision.FP16:
        return None
    return denormals_of(rebuilt.module, images)
