"""What all checks share: a demand that holds under `python -O` too, and a network's fingerprint."""

import hashlib
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def require(condition: object, message: str) -> None:
    """Raise AssertionError with this message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def import_torch(below: str = "") -> ModuleType:
    """torch, or a module below it.

    Imported by name: ap_core does not depend on torch, but whoever checks tensors has it.
    """
    return import_module(f"torch.{below}" if below else "torch")


def digest(tensor: "Tensor") -> str:
    """SHA-256 of a tensor's shape, type and bytes; on the meta device, of shape and type."""
    torch = import_torch()
    state = hashlib.sha256(f"{tuple(tensor.shape)} {tensor.dtype} ".encode())
    if tensor.device.type != "meta":
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        state.update(flat.view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def fingerprint(module: "Module") -> dict[str, str]:
    """Everything of a network that foreign code may leave changed: tensors, gradients, modes."""
    found = {f"tensor {name}": digest(value) for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        gradient = parameter.grad
        found[f"gradient of {name}"] = "none" if gradient is None else digest(gradient)
        found[f"requires_grad of {name}"] = str(parameter.requires_grad)
    for name, child in module.named_modules():
        found[f"training mode of {name or 'the network'}"] = str(child.training)
        hooks = len(child._forward_hooks) + len(child._forward_pre_hooks)
        found[f"hooks of {name or 'the network'}"] = str(hooks)
    return found


def require_unchanged(before: dict[str, str], module: "Module", what: str) -> None:
    """Demand that a network is as it was. what: the call that had to leave it alone."""
    after = fingerprint(module)
    changed = sorted(
        key for key in before.keys() | after.keys() if before.get(key) != after.get(key)
    )
    require(not changed, f"{what} changed {', '.join(changed[:3])}")
