"""What a network is measured under."""

from dataclasses import dataclass
from enum import StrEnum

from ap_core.contracts import Precision
from ap_core.errors import UsageError
from ap_core.report.amounts import counted

CPU = "cpu"


class MemoryFormat(StrEnum):
    """How the channels of an image lie in memory."""

    CONTIGUOUS = "contiguous"
    CHANNELS_LAST = "channels-last"


class Backend(StrEnum):
    """What runs a network."""

    EAGER = "eager"
    COMPILE = "compile"
    ONNXRUNTIME = "onnxruntime"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one network is measured under.

    device: "cpu", "cuda", "cuda:N" or "mps". threads: of a CPU; None for torch's own number.
    """

    device: str = CPU
    dtype: Precision = Precision.FP32
    batch_size: int = 1
    threads: int | None = None
    memory_format: MemoryFormat = MemoryFormat.CONTIGUOUS
    backend: Backend = Backend.EAGER

    def __str__(self) -> str:
        """The settings in words, but for the backend."""
        words = [self.device, self.dtype, f"batch {self.batch_size}"]
        if self.threads is not None:
            words.append(counted(self.threads, "thread"))
        if self.memory_format is not MemoryFormat.CONTIGUOUS:
            words.append(self.memory_format)
        return ", ".join(words)


def check(settings: Settings) -> None:
    """Refuse what would do nothing, or cannot be done anywhere. Raises: UsageError."""
    if settings.threads is not None and settings.device != CPU:
        raise UsageError(
            f"--threads does nothing on {settings.device}", hint="leave it out, or measure the CPU"
        )
    if settings.backend is not Backend.ONNXRUNTIME:
        return
    if settings.memory_format is not MemoryFormat.CONTIGUOUS:
        raise UsageError(
            f"--memory-format {settings.memory_format} does nothing in onnxruntime, which chooses "
            "its own",
            hint="leave it out, or take --backend eager or compile",
        )
    if settings.dtype is Precision.BF16:
        raise UsageError(
            "onnxruntime cannot be given images in bf16",
            hint="take --dtype fp32 or fp16, or --backend eager or compile",
        )
    if settings.device == "mps":
        raise UsageError("onnxruntime does not run on mps", hint="take --device cpu")
