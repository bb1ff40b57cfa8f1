"""The optimizer: timm's, once it was seen to work and to go on from what is saved of it."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import Module
from torch.optim import Optimizer

from ap_core.errors import UsageError, unknown_name
from ap_train.training.options import TrainOptions
from ap_train.training.state import optimizer_state, restore_optimizer

HINT = "sgd and adamw always can"


def optimizer_of(module: Module, options: TrainOptions) -> Optimizer:
    """timm's optimizer of the network's weights. Raises: UsageError."""
    from timm.optim import create_optimizer_v2, list_optimizers

    known = list_optimizers()
    if options.opt not in known:
        raise unknown_name("optimizer", options.opt, known)
    try:
        optimizer: Optimizer = create_optimizer_v2(
            module,
            opt=options.opt,
            lr=options.lr,
            weight_decay=options.weight_decay,
            momentum=options.momentum,
            layer_decay=options.layer_decay,
        )
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise UsageError(
            f"the optimizer {options.opt} cannot be made: {error}", hint=HINT
        ) from error
    return optimizer


def rehearse(options: TrainOptions, device: torch.device) -> None:
    """See on a handful of weights that the optimizer works, and that a saved state goes on alike.

    Raises: UsageError, where it wants second derivatives, say, or keeps what cannot be saved.
    """
    plain = options.model_copy(update={"layer_decay": None, "lr": 0.01, "weight_decay": 0.01})
    # Weights of every shape that an optimizer may treat differently.
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(16, 2)).to(device)
    optimizer = optimizer_of(network, plain)
    try:
        _step(network, optimizer)
        _step(network, optimizer)
        like = copy.deepcopy(network)
        resumed = optimizer_of(like, plain)
        tensors: dict[str, Tensor] = {}
        about = optimizer_state(optimizer, tensors)
        restore_optimizer(resumed, about, {name: t.clone() for name, t in tensors.items()})
        _step(network, optimizer)
        _step(like, resumed)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"the optimizer {options.opt} cannot be trained with: {error}", hint=HINT
        ) from error
    pairs = zip(network.parameters(), like.parameters(), strict=True)
    if not all(torch.equal(one, other) for one, other in pairs):
        raise UsageError(
            f"the optimizer {options.opt} would not go on alike from what is saved of it", hint=HINT
        )


def _step(network: Module, optimizer: Optimizer) -> None:
    for parameter in network.parameters():
        # Of the parameter itself, so that the same weights get the same gradients.
        parameter.grad = parameter.detach().sin()
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # Some optimizers draw; a training seeds every update, too.
        torch.manual_seed(0)
        optimizer.step()
    optimizer.zero_grad()
