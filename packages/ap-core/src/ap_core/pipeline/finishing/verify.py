"""Verifying a cut network: against the masked whole one, and against its file on disk."""

from typing import TYPE_CHECKING

from ap_core.contracts import Tracing, WeightsOrigin
from ap_core.errors import ModelError
from ap_core.pipeline.opening.subject import Subject
from ap_core.plan import Plan
from ap_core.plugins.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Module

TOLERANCE = 1e-3
"""Relative difference of outputs above which a cut is wrong; rounding stays below 1e-5."""

BUG = "this is a bug of the tracing of this network: please report it"


def check_cut(subject: Subject, tracing: Tracing, plan: Plan, cut: "Module", *, seed: int) -> float:
    """Largest relative difference between the cut network and the masked whole one.

    Random weights are compared with noise on them: fresh ones hold zeros that hide errors.
    Raises: ModelError where they do not compute the same.
    """
    adapter, whole = subject.adapter, subject.loaded.module
    if subject.loaded.origin is WeightsOrigin.RANDOM:
        whole = adapter.perturbed(whole, seed=seed)
    masked = adapter.mask(whole, tracing, plan)
    if subject.loaded.origin is WeightsOrigin.RANDOM:
        cut = whole
        adapter.cut(cut, tracing, plan)
    size = tracing.network.input_size
    difference = adapter.difference(masked, cut, input_size=size, seed=seed)
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the cut network's output is {difference:.3g} (relative) off that of the whole one "
            "with the same channels masked",
            hint=BUG,
        )
    return difference


def check_counts(
    registry: Registry, plan: Plan, module: "Module", input_size: tuple[int, int, int]
) -> dict[str, int]:
    """Compare what the plan predicts with what counters find; returns MACs by other definitions.

    Raises: ModelError.
    """
    predicted = {"macs": plan.macs, "params": plan.params}
    found = {
        key: int(value)
        for name in predicted
        for key, value in registry.meters[name]
        .make()(module, input_size=input_size, data=None)
        .items()
    }
    counted = {name: found.pop(name) for name in predicted}
    if counted != predicted:
        raise ModelError(f"predicted {predicted}, counted {counted} after the reload", hint=BUG)
    return found


def check_reloaded(subject: Subject, cut: "Module", reloaded: "Module") -> None:
    """Compare the network reloaded from disk with the one that was saved. Raises: ModelError."""
    unlike = subject.adapter.unlike(cut, reloaded)
    if unlike:
        raise ModelError(f"the reloaded network is not the saved one: {unlike}", hint=BUG)
