"""What to know before one believes the figures."""

from collections.abc import Sequence

from ap_bench.measuring.results import Facts, Result
from ap_core.pipeline.progress import Progress
from ap_core.report.amounts import integer


def warn_of_sizes(facts: Sequence[Facts], progress: Progress) -> None:
    """Warn where subjects see images of different sizes."""
    if len({each.input_size for each in facts}) < 2:
        return
    seen = (f"{each.name} {' x '.join(map(str, each.input_size))}" for each in facts)
    progress.warn(
        f"the images are not of one size: {', '.join(seen)}",
        hint="--input-size sets that of models",
    )


def warn_of_denormals(groups: Sequence[Sequence[Result]], progress: Progress) -> None:
    """Warn, once for each, of networks that compute with denormal numbers."""
    told = set()
    for result in (each for group in groups for each in group):
        found, name = result.denormals, result.facts.name
        if found is None or name in told or not (found.weights or found.activations):
            continue
        told.add(name)
        progress.warn(
            f"{name} computes with denormal numbers, which many CPUs are slow at: "
            f"{integer(found.weights)} of its weights, {integer(found.activations)} of the "
            "activations of one pass",
            hint="its times are what it takes so; torch.set_flush_denormal(True) avoids them",
        )
