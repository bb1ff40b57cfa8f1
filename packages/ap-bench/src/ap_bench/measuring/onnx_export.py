"""Writing a network as ONNX, to be measured."""

import io
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import Module


def write_onnx(module: Module, images: Tensor, path: Path) -> None:
    """Write the network for batches of this size. Raises: what torch.onnx raises."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        # The exporter warns of its own workings.
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (images,), path, dynamo=True, verbose=False)
