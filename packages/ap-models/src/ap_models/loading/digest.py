"""A fingerprint of a network's weights."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn import Module


def weights_digest(module: Module) -> str:
    """SHA-256 over name, type, shape and bytes of all parameters and buffers, sorted by name."""
    tensors: dict[str, Tensor] = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    names = sorted(tensors)
    # hashlib lets go of the interpreter: tensors are hashed on all cores.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        digests = pool.map(_digest, names, [tensors[name].detach() for name in names])
        return hashlib.sha256(b"".join(digests)).hexdigest()


def _digest(name: str, tensor: Tensor) -> bytes:
    digest = hashlib.sha256(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
    flat = tensor.cpu().contiguous().reshape(-1)
    digest.update(flat.view(torch.uint8).numpy().data)
    return digest.digest()


def not_finite(module: Module) -> str:
    """Name of the first parameter or buffer that holds a NaN or an infinity; empty if none does."""
    tensors = (*module.named_parameters(), *module.named_buffers())
    return next((n for n, t in tensors if t.is_floating_point() and not _all_finite(t)), "")


def _all_finite(tensor: Tensor) -> bool:
    """Whether no element is a NaN or an infinity; their sum tells at once, unless it overflows."""
    return bool(tensor.detach().sum().isfinite()) or bool(tensor.isfinite().all())
