"""Whether a file gives what the network gives."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import Module

from ap_bench.exporting.capture import CANNOT_RUN
from ap_core.contracts import ExportRequest
from ap_core.errors import ModelError
from ap_core.exported import TOLERANCE, answers_of, batches_for, difference
from ap_core.plugins.offers import ExporterOffer

if TYPE_CHECKING:
    from ap_core.exported import Batch


def answers(module: Module, batches: Sequence["Batch"]) -> "tuple[Batch, ...]":
    """Logits of a network in fp32, (n, classes) for every batch.

    Raises: ModelError where it cannot be run, or gives something else than a tensor.
    """
    with torch.inference_mode():
        return tuple(_logits(module, torch.from_numpy(batch)).numpy() for batch in batches)


def _logits(module: Module, images: Tensor) -> Tensor:
    name = type(module).__name__
    try:
        logits = module(images)
    except CANNOT_RUN as error:
        raise ModelError(
            f"the {name} cannot be run on images {tuple(images.shape)}: {error}",
            hint="name a number of images that it takes: --batch-size",
        ) from error
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"the {name} gives a {type(logits).__name__}, no tensor",
            hint="export a module that returns the logits alone",
        )
    return logits


def checked(
    offer: ExporterOffer, file: Path, request: ExportRequest, expected: "Sequence[Batch]"
) -> float:
    """Largest difference between a file's outputs and those expected, as a share of the largest.

    The file is read in a process of its own.
    Raises: ModelError where it cannot be read there, or differs by more than its precision allows.
    """
    found = difference(expected, answers_of(offer.reader, file, batches_for(request)))
    limit = TOLERANCE[request.precision]
    if found <= limit:
        return found
    raise ModelError(
        f"the exported file does not compute what the network does: outputs differ by {found:.2g} "
        f"of the largest, and {request.precision} allows {limit:g}; it was not kept",
        hint="--dtype fp32 rounds less" if request.precision != "fp32" else "",
    )
