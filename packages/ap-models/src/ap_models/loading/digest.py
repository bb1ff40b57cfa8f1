"""A fingerprint of a network's weights."""

import hashlib

import torch
from torch import Tensor
from torch.nn import Module


def weights_digest(module: Module) -> str:
    """SHA-256 over name, type, shape and bytes of all parameters and buffers, sorted by name."""
    digest = hashlib.sha256()
    tensors: dict[str, Tensor] = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    for name in sorted(tensors):
        tensor = tensors[name].detach()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        flat = tensor.cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def not_finite(module: Module) -> str:
    """Name of the first parameter or buffer that holds a NaN or an infinity; empty if none does."""
    tensors = (*module.named_parameters(), *module.named_buffers())
    broken = (n for n, t in tensors if t.is_floating_point() and not bool(t.isfinite().all()))
    return next(broken, "")
