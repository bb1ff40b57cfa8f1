"""Verifying a cut network: against the masked whole one, and against its file on disk."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ap_core.contracts import Tracing, WeightsOrigin
from ap_core.errors import ModelError
from ap_core.pipeline.subject import Subject
from ap_core.plan import Plan
from ap_core.plugins.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Module

TOLERANCE = 1e-3
"""Relative difference of outputs above which a cut is wrong; rounding stays below 1e-5."""

ROUNDING = 1e-5
"""Relative difference that the same weights can have at other places in memory."""

BUG = "this is a bug of the tracing of this network: please report it"


def check_cut(subject: Subject, tracing: Tracing, plan: Plan, cut: "Module", *, seed: int) -> float:
    """Largest relative difference between the cut network and the masked whole one.

    Random weights are compared with noise on them: fresh ones hold zeros that hide errors.
    Raises: ModelError where they do not compute the same.
    """
    adapter, whole = subject.adapter, subject.loaded.module
    if subject.loaded.origin is WeightsOrigin.RANDOM:
        whole = adapter.perturbed(whole, seed=seed)
        cut = adapter.copy(whole)
        adapter.cut(cut, tracing, plan)
    masked = adapter.mask(whole, tracing, plan)
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
) -> None:
    """Compare what the plan predicts with what counters find. Raises: ModelError."""
    predicted = {"macs": plan.macs, "params": plan.params}
    found = _count(registry, predicted, module, input_size)
    if found != predicted:
        raise ModelError(f"predicted {predicted}, counted {found} after the reload", hint=BUG)


def check_reloaded(
    subject: Subject,
    cut: "Module",
    reloaded: "Module",
    *,
    input_size: tuple[int, int, int],
    seed: int,
) -> None:
    """Compare the network reloaded from disk with the one that was saved. Raises: ModelError."""
    difference = subject.adapter.difference(cut, reloaded, input_size=input_size, seed=seed)
    if not difference <= ROUNDING:
        raise ModelError(
            f"the reloaded network's output is {difference:.3g} (relative) off the saved one's",
            hint=BUG,
        )


def _count(
    registry: Registry,
    wanted: Mapping[str, int],
    module: "Module",
    input_size: tuple[int, int, int],
) -> dict[str, int]:
    return {
        name: int(registry.meters[name].make()(module, input_size=input_size, data=None)[name])
        for name in wanted
    }
