"""What is true of a subject whatever it runs on."""

from ap_bench.measuring.results import Facts
from ap_bench.measuring.subjects import Subject
from ap_core.errors import ModelError
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry

MACS = "macs"
PARAMS = "params"


def facts_of(registry: Registry, subject: Subject, progress: Progress) -> Facts:
    """Counts by the meters that are offered; what cannot be counted is warned of."""
    macs = _measured(registry, MACS, subject, progress)
    params = _measured(registry, PARAMS, subject, progress)
    others = {name: value for name, value in macs.items() if name != MACS}
    return Facts(
        name=subject.source.name,
        macs=macs[MACS] // subject.images if MACS in macs else None,
        # Other counters know modules, and find none in a graph of operators.
        counters=others if subject.built else {},
        params=params.get(PARAMS),
        size=subject.size,
        input_size=subject.source.input_size,
        top1=subject.top1,
    )


def _measured(
    registry: Registry, name: str, subject: Subject, progress: Progress
) -> dict[str, int]:
    """What a meter finds; nothing for an ONNX file, which holds no module."""
    if subject.module is None:
        return {}
    meter = registry.meters[name].make()
    try:
        found = meter(subject.module, input_size=subject.source.input_size, data=None)
    except ModelError as error:
        progress.warn(
            f"the {name} of {subject.source.name} cannot be counted: {error.message}",
            hint="its latency is measured all the same",
        )
        return {}
    return {key: int(value) for key, value in found.items()}
