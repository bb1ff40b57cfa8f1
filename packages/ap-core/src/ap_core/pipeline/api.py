"""The public Python API: `from ap_core import prune, profile, load_model`."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ap_core.contracts import Stack
from ap_core.errors import UsageError
from ap_core.pipeline.opening.reload import load_model
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.profile import profile
from ap_core.pipeline.progress import Progress
from ap_core.pipeline.prune import Pruned
from ap_core.pipeline.prune import prune as prune_to_targets
from ap_core.plugins.registry import Registry
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from torch.nn import Module

__all__ = ["load_model", "profile", "prune", "prune_to_targets"]


def prune(
    model: "str | Module",
    *,
    target_macs: str | float = "",
    target_params: str | float = "",
    target_latency: str | float = "",
    stack: Stack | None = None,
    output: str | PathLike[str] | None = None,
    strategy: Strategy | None = None,
    keep: Sequence[str] = (),
    round_to: int | Literal["auto"] | None = None,
    dry_run: bool = False,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: object,
) -> Pruned:
    """Prune a network to one budget.

    model: a name as `ap models` lists them, "package.module:factory", or a live network, which is
        left as it is.
    target_macs, target_params: 8.48 and "8.48G" are 8.48 billion MACs, "50%" half of the network's;
        of parameters, 12 and "12M" are 12 million. target_latency: of one forward pass, measured on
        this machine: 4 and "4ms" are 4 milliseconds. At least one is needed; several hold at once.
    stack: what latencies are measured on; None for torch on the CPU, one image at a time.
    output: run directory, absent or empty; None for a new one below ./runs.
    strategy: how to spend the budget; `keep` and `round_to` are shorthands for two of its fields.
        "auto" rounds to what the stack rewards, by measurement, as a latency target does.
    options: further fields of `ap_core.pipeline.options.PruneOptions`: weights, checkpoint,
        num_classes, input_size, importance, strategist, trials, data, seed, ...
    Returns: the pruned network as reloaded from disk (`.module`), its plan, its run (`.path`).
    Raises: ApError, of the class that says what is wrong.
    """
    chosen = (strategy or Strategy()).model_dump(exclude_unset=True)
    chosen |= {"keep": tuple(keep)} if keep else {}
    if isinstance(round_to, str) and round_to != "auto":
        raise UsageError(f"round_to is {round_to!r}", hint='take a whole number, or "auto"')
    if round_to is not None:
        chosen |= {"round_to": None if round_to == "auto" else round_to}
    live = None if isinstance(model, str) else model
    asked = PruneOptions.parse(
        {
            "model": model if isinstance(model, str) else type(model).__name__,
            "target_macs": str(target_macs),
            "target_params": str(target_params),
            "target_latency": str(target_latency),
            "stack": stack,
            "multiples": round_to == "auto",
            "strategy": Strategy.model_validate(chosen),
            **options,
        }
    )
    if "," in asked.target_macs + asked.target_params + asked.target_latency:
        raise UsageError("several targets", hint="call ap_core.pipeline.prune.prune for several")
    (pruned,) = prune_to_targets(
        asked,
        module=live,
        output=None if output is None else Path(output),
        dry_run=dry_run,
        registry=registry,
        progress=progress,
    )
    return pruned
