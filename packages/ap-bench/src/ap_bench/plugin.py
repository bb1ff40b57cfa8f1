"""What ap_bench offers: the latency meter, exporters, `ap bench`, `ap ablate` and `ap export`."""

from collections.abc import Iterable

from ap_bench.exporting.opset import OPSET
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import CommandOffer, ExporterOffer, MeterOffer, TimerOffer


@hookimpl
def ap_meters() -> Iterable[MeterOffer]:
    """Latency on this machine."""
    return [
        MeterOffer(
            name="latency",
            summary="median seconds of a forward pass at batch 1, on this machine's CPU",
            load="ap_bench.measuring.meter:measure_latency",
        )
    ]


@hookimpl
def ap_timers() -> Iterable[TimerOffer]:
    """What networks can be cut to the latency of."""
    load = "ap_bench.measuring.timers:open_timer"
    return [
        TimerOffer(name="eager", summary="torch, operator by operator", load=load),
        TimerOffer(name="compile", summary="torch.compile", load=load),
        TimerOffer(name="onnxruntime", summary="ONNX Runtime", load=load),
    ]


@hookimpl
def ap_exporters() -> Iterable[ExporterOffer]:
    """Files that run without ap."""
    home = "ap_bench.exporting"
    return [
        ExporterOffer(
            name="onnx",
            summary="ONNX: onnxruntime, TensorRT, OpenVINO and others run it",
            load=f"{home}.onnx_format:write_onnx",
            suffix=".onnx",
            precisions=("fp32", "fp16"),
            opsets=(18, 23),
            opset=OPSET,
            reader=f"{home}.onnx_reader",
            needs=("onnx", "onnxscript", "onnxruntime"),
            install="ap-bench[onnx]",
        ),
        ExporterOffer(
            name="torch-export",
            summary="torch.export's own archive: torch runs it, without the network's code",
            load=f"{home}.program_format:write_program",
            suffix=".pt2",
            precisions=("fp32", "fp16", "bf16"),
            reader=f"{home}.program_reader",
        ),
    ]


@hookimpl
def ap_commands() -> Iterable[CommandOffer]:
    """Comparing networks on this machine, and strategists; writing networks to files."""
    return [
        CommandOffer(
            name="ablate",
            summary="Compare strategists on models, targets and seeds.",
            load="ap_bench.ablate:ablate",
        ),
        CommandOffer(
            name="bench",
            summary="Compare networks on this machine: latency, throughput, memory.",
            load="ap_bench.cli:bench",
        ),
        CommandOffer(
            name="export",
            summary="Write a network to a file that runs without ap.",
            load="ap_bench.exporting.cli:export",
        ),
    ]
