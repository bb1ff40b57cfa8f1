"""Conformance of recoveries."""

from copy import deepcopy
from typing import TYPE_CHECKING

from ap_core.contracts import DataSource, Recovery
from ap_core.testing.requirement import fingerprint, require

if TYPE_CHECKING:
    from torch.nn import Module


def check_recovery(recovery: Recovery, module: "Module", data: DataSource) -> None:
    """Demand of a recovery that it changes tensors only, the same way each time, and says what.

    module: a network for which it has something to do; it is copied, not changed.
    """
    changed, again = deepcopy(module), deepcopy(module)
    before = fingerprint(module)
    note = recovery(changed, data)
    require(isinstance(note, str), f"it returned {note!r} instead of a line of text")
    require("\n" not in note, f"it returned several lines: {note!r}")
    after = fingerprint(changed)
    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    tensors = {key for key in differing if key.startswith("tensor ")}
    require(tensors == differing, f"it changed {', '.join(sorted(differing - tensors)[:3])}")
    require(bool(note) == bool(tensors), f"it said {note!r} and changed {len(tensors)} tensors")
    for name, tensor in changed.state_dict().items():
        original = module.state_dict()[name]
        require(tensor.shape == original.shape, f"it changed the shape of {name}")
        require(bool(tensor.isfinite().all()), f"it left {name} not finite")
    recovery(again, data)
    require(fingerprint(again) == after, "it does not do the same each time")
