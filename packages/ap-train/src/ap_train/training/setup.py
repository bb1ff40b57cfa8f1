"""Setting up: the accelerator, the optimizer, its schedule, the average of the weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch.nn import Module
from torch.optim import Optimizer

from ap_core.errors import UsageError, unknown_name
from ap_train.training.options import TrainOptions
from ap_train.training.state import Parts

if TYPE_CHECKING:
    from accelerate import Accelerator
    from timm.utils import ModelEmaV3

PATIENCE = timedelta(days=7)
"""How long processes wait for each other: the main one prunes for hours while the others wait, and
NCCL's own limit is ten minutes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Machinery:
    """A network ready to be trained.

    network: what runs: the network as the accelerator wraps it. optimizer: likewise.
    parts: what has state, unwrapped. average: of the weights, None where none is wanted.
    """

    accelerator: "Accelerator"
    network: Module
    optimizer: Optimizer
    parts: Parts
    average: "ModelEmaV3 | None"
    layout: torch.memory_format

    def schedule(self, options: TrainOptions, updates: int) -> Callable[[int], None]:
        """Function that sets the learning rate for an update. updates: in one epoch."""
        from timm.scheduler import create_scheduler_v2

        constant = options.sched == "constant"
        scheduler, _ = create_scheduler_v2(
            self.parts.optimizer,
            sched="step" if constant else options.sched,
            num_epochs=options.epochs,
            decay_epochs=options.epochs if constant else options.decay_epochs,
            decay_rate=1.0 if constant else options.decay_rate,
            min_lr=options.min_lr,
            warmup_lr=options.warmup_lr,
            warmup_epochs=options.warmup_epochs,
            step_on_epochs=False,
            updates_per_epoch=updates,
        )
        step: Callable[[int], None] = scheduler.step_update
        return step

    def follow(self, update: int) -> None:
        """Let the average follow the weights."""
        if self.average is not None:
            self.average.update(self.parts.module, step=update)

    def judged(self) -> Module:
        """The network to judge and to keep: the average where there is one.

        Statistics of batch norms are made the same on all processes.
        """
        from timm.utils import distribute_bn

        module = self.parts.average or self.parts.module
        if self.accelerator.num_processes > 1:
            distribute_bn(module, self.accelerator.num_processes, reduce=True)
        return module


def accelerator_of(options: TrainOptions) -> "Accelerator":
    """Accelerator of this process. Raises: UsageError where it cannot have what is asked."""
    from accelerate import Accelerator, InitProcessGroupKwargs

    try:
        accelerator = Accelerator(
            mixed_precision=None if options.amp == "no" else options.amp,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    except ValueError as error:
        raise UsageError(
            f"--amp {options.amp} is not to be had here: {error}",
            hint="leave it out; one process trains in one precision only",
        ) from error
    if options.amp == "fp16" and accelerator.device.type == "cpu":
        raise UsageError(
            "--amp fp16 is not to be had here: accelerate leaves a CPU in float32",
            hint="leave it out, or give bf16",
        )
    return accelerator


@contextmanager
def machinery_of(
    module: Module, options: TrainOptions, accelerator: "Accelerator"
) -> Iterator[Machinery]:
    """Set a network up; afterwards it is unwrapped again. Raises: UsageError."""
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    module = module.to(accelerator.device, memory_format=layout)  # type: ignore[call-overload]
    check_synchronised(options, accelerator)
    if options.sync_bn:
        module = _synchronised(module)
    optimizer = optimizer_of(module, options)
    average = _average(module, options)
    network = accelerator.prepare_model(torch.compile(module) if options.compile else module)
    wrapped = accelerator.prepare_optimizer(optimizer)
    parts = Parts(
        module=module,
        optimizer=optimizer,
        average=None if average is None else average.module,
        scaler=accelerator.scaler,
    )
    try:
        yield Machinery(
            accelerator=accelerator,
            network=network,
            optimizer=wrapped,
            parts=parts,
            average=average,
            layout=layout,
        )
    finally:
        accelerator.unwrap_model(network, keep_fp32_wrapper=False, keep_torch_compile=False)


@contextmanager
def second_head(module: Module, *, wanted: bool) -> Iterator[None]:
    """Let a distilled transformer answer with both heads in training, where a teacher speaks."""
    switch = getattr(module, "set_distilled_training", None)
    if switch is None or not wanted:
        yield
        return
    switch(enable=True)
    try:
        yield
    finally:
        switch(enable=False)


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
            f"the optimizer {options.opt} cannot be made: {error}", hint="sgd and adamw always can"
        ) from error
    return optimizer


def _average(module: Module, options: TrainOptions) -> "ModelEmaV3 | None":
    if options.ema_decay is None:
        return None
    from timm.utils import ModelEmaV3

    return ModelEmaV3(module, decay=options.ema_decay, use_warmup=True)


def check_synchronised(options: TrainOptions, accelerator: "Accelerator") -> None:
    """Refuse what torch can synchronise on GPUs alone. Raises: UsageError."""
    if options.sync_bn and accelerator.device.type == "cpu":
        raise UsageError(
            "--sync-bn needs GPUs: torch synchronises batch norms on those alone",
            hint="leave it out",
        )


def _synchronised(module: Module) -> Module:
    from timm.layers import convert_sync_batchnorm

    converted: Module = convert_sync_batchnorm(module)
    return converted
