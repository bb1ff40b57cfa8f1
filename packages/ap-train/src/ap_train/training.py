"""A short training loop for small networks: the demo, benchmarks and tests."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import Module

from ap_core.errors import ModelError
from ap_train.data.source import TrainingSource


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: AdamW with a cosine schedule, warm-up over the first epoch."""

    epochs: int
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    smoothing: float = 0.0


def train(
    module: Module,
    source: TrainingSource,
    recipe: Recipe,
    *,
    on_epoch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> None:
    """Train in place; on_epoch is told the epoch and its mean loss.

    Raises: ModelError where the loss is not a number, naming the step.
    """
    from timm.loss import LabelSmoothingCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2

    criterion = LabelSmoothingCrossEntropy(recipe.smoothing)
    optimizer = create_optimizer_v2(
        module, opt="adamw", lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    scheduler, epochs = create_scheduler_v2(
        optimizer, sched="cosine", num_epochs=recipe.epochs, warmup_epochs=1, warmup_lr=1e-5
    )
    module.train()
    for epoch in range(epochs):
        scheduler.step(epoch)
        total, steps = 0.0, 0
        for images, labels in source.train(epoch):
            loss = criterion(module(images), labels)
            if not bool(torch.isfinite(loss)):
                raise ModelError(f"the loss is {loss.item()} at step {steps} of epoch {epoch}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
            steps += 1
        on_epoch(epoch, total / max(steps, 1))
    module.eval()
