"""ONNX: one file that onnxruntime, TensorRT, OpenVINO and others run."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import Module

from ap_bench.exporting.capture import captured, silence
from ap_core.contracts import ExportRequest
from ap_core.errors import ModelError

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

IMAGES, LOGITS, BATCH = "images", "logits", "batch"
"""Names in the file: of its input, of its output, and of the size that both begin with."""

LEAD = "ap."
"""Beginning of our keys in the file's metadata."""

MOST = 2**31 - 2**24
"""Bytes of weights that one file can hold, with some room for the graph: protobuf ends at 2 GiB."""


def write_onnx(module: Module, request: ExportRequest, path: Path) -> None:
    """Write an ONNX file, weights and all.

    Raises: ModelError naming the operator that ONNX lacks; where the weights need more than 2 GB.
    """
    _check_size(module)
    model = _converted(module, request)
    opset = next(each.version for each in model.opset_import if not each.domain)
    if opset != request.opset:
        raise ModelError(
            f"the {type(module).__name__} cannot be written with opset {request.opset}",
            hint=f"--opset {opset}",
        )
    _tidy(model)
    for key, value in request.about.items():
        text = value if isinstance(value, str) else json.dumps(value)
        model.metadata_props.add(key=f"{LEAD}{key}", value=text)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _check_size(module: Module) -> None:
    tensors = chain(module.parameters(), module.buffers())
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    if size > MOST:
        raise ModelError(
            f"the network has {size / 2**30:.1f} GiB of weights: one ONNX file holds 2",
            hint="--dtype fp16, or --to torch-export",
        )


def _converted(module: Module, request: ExportRequest) -> "ModelProto":
    program = captured(module, request)
    try:
        with silence():
            converted = torch.onnx.export(
                program,
                (),
                input_names=[IMAGES],
                output_names=[LOGITS],
                opset_version=request.opset,
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ModelError(
            f"ONNX has no operator for {_operator(error)}, which the {type(module).__name__} uses",
            hint="--to torch-export can hold it",
        ) from error
    assert converted is not None
    model: ModelProto = converted.model_proto
    return model


def _operator(error: BaseException) -> str:
    """Operator that could not be converted, as torch calls it; else the first line of the error."""
    inner: BaseException | None = error
    while inner is not None:
        if found := re.search(r"OpOverload\(op='([^']+)'", str(inner)):
            return found[1]
        error, inner = inner, inner.__cause__
    return str(error).partition("\n")[0]


def _tidy(model: "ModelProto") -> None:
    """Take out what the exporter tells of this machine, and give the batch its name."""
    graph = model.graph
    for node in graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in chain(graph.input, graph.output, graph.value_info):
        value.ClearField("metadata_props")
    for tensor in graph.initializer:
        tensor.ClearField("metadata_props")
    graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    symbols = set(_symbols(graph.input[0]))
    for value in chain(graph.input, graph.output, graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in symbols:
                size.dim_param = BATCH


def _symbols(value: "ValueInfoProto") -> Iterator[str]:
    return (size.dim_param for size in value.type.tensor_type.shape.dim if size.dim_param)
