"""What writes a network to a file that runs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch.nn import Module


class Precision(StrEnum):
    """Type of weights, images and logits."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What an exporter is to write.

    input_size: (channels, height, width) of one image.
    batch_size: images in every pass; None where the file must take any number of them.
    precision: what the network's weights have already, and images and logits are to have.
    opset: of the operators, where the format has such a number; None where it has none.
    about: what those who run the file need to know (input size, mean, std, classes, ...); JSON, by
        name. A format that can hold it, holds it.
    """

    input_size: tuple[int, int, int]
    batch_size: int | None = None
    precision: Precision = Precision.FP32
    opset: int | None = None
    about: Mapping[str, object] = field(default_factory=dict)


class Exporter(Protocol):
    """Writes a network to a file that runs elsewhere."""

    def __call__(self, module: Module, request: ExportRequest, path: Path) -> None:
        """Write this one file, and nothing beside it; the network is left as it was.

        module: on the CPU, in eval mode; gives logits (n, classes) for images (n, *input_size).
        path: a temporary name, without the format's suffix: it becomes the file when what it holds
            has been read again, and gave what the network gives.
        Raises: ModelError naming the operator that cannot be exported.
        """
