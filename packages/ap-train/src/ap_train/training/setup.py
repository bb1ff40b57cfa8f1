"""Setting up: the accelerator, the schedule of the learning rate, what takes part in an update."""

import atexit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import clip_grad_norm_

from ap_core.errors import UsageError
from ap_train.training.optimizer import optimizer_of
from ap_train.training.options import TrainOptions
from ap_train.training.state import Parts
from ap_train.training.world import World

if TYPE_CHECKING:
    from accelerate import Accelerator
    from timm.utils import ModelEmaV3

PATIENCE = timedelta(days=7)
"""How long processes wait for each other: the main one prunes for hours while the others wait, and
NCCL's own limit is ten minutes."""

SHARDED = ("DEEPSPEED", "FSDP", "MEGATRON_LM", "XLA")
"""Ways of accelerate to spread one network over processes; here each has it whole."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Machinery:
    """A network ready to be trained.

    network: what runs; compiled where that is wanted. parts: what has state.
    average: of the weights, None where none is wanted.
    """

    accelerator: "Accelerator"
    world: World
    network: Module
    parts: Parts
    average: "ModelEmaV3 | None"
    layout: torch.memory_format

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """What the network answers, in the precision that is wanted."""
        with self.accelerator.autocast():
            answer: Tensor | tuple[Tensor, Tensor] = self.network(images)
        return answer

    def schedule(self, options: TrainOptions, updates: int) -> Callable[[int], None]:
        """Function that sets the learning rate for an update. updates: in one epoch."""
        from timm.scheduler import create_scheduler_v2

        scheduler, _ = create_scheduler_v2(
            self.parts.optimizer,
            sched=options.sched,
            num_epochs=options.epochs,
            decay_epochs=options.decay_epochs,
            # timm would take it for the power of a polynomial.
            decay_rate=1.0 if options.sched == "poly" else options.decay_rate,
            min_lr=options.min_lr,
            warmup_lr=options.warmup_lr,
            warmup_epochs=options.warmup_epochs,
            step_on_epochs=False,
            updates_per_epoch=updates,
        )
        step: Callable[[int], None] = scheduler.step_update
        return step

    def update(self, number: int, clip: float | None) -> None:
        """Change the weights by the gradients of all processes. clip: their largest norm.

        They are averaged here, not during the backward pass as DDP does: until here a process may
        fail, and none waits for it. number: of the update.
        """
        optimizer = self.parts.optimizer
        scaler = self.parts.scaler or torch.amp.GradScaler(enabled=False)
        parameters = list(self.parts.module.parameters())
        self.world.average([each.grad for each in parameters if each.grad is not None])
        scaler.unscale_(optimizer)
        if clip is not None:
            clip_grad_norm_(parameters, clip)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        self.follow(number)

    def follow(self, update: int) -> None:
        """Let the average follow the weights."""
        if self.average is not None:
            self.average.update(self.parts.module, step=update)

    def judged(self) -> Module:
        """The network to judge and to keep: the average where there is one."""
        return self.parts.average or self.parts.module

    def level(self) -> None:
        """Make statistics of batch norms the same on all processes; each has seen its own images.

        Source: timm's distribute_bn.
        """
        from timm.utils import distribute_bn

        if self.world.size == 1:
            return
        for module in (self.parts.module, self.parts.average):
            if module is not None:
                distribute_bn(module, self.world.size, reduce=True)


def accelerator_of(options: TrainOptions) -> "Accelerator":
    """Accelerator of this process. Raises: UsageError where it cannot have what is asked."""
    from accelerate import Accelerator, InitProcessGroupKwargs

    try:
        accelerator = Accelerator(
            # Else it takes each process that torchrun starts on CPUs to be alone.
            cpu=not torch.accelerator.is_available(),
            mixed_precision=None if options.amp == "no" else options.amp,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
        )
    except ValueError as error:
        raise UsageError(
            f"--amp {options.amp} is not to be had here: {error}",
            hint="leave it out; one process trains in one precision only",
        ) from error
    if accelerator.num_processes > 1:
        # Threads of a group that is still there when the interpreter is gone abort the process.
        atexit.register(accelerator.state.destroy_process_group)
    return accelerator


def check_accelerator(accelerator: "Accelerator", options: TrainOptions) -> None:
    """Refuse an accelerator that would do other than the options say. Raises: UsageError."""
    steps = accelerator.gradient_accumulation_steps
    if steps != 1:
        raise UsageError(
            f"the accelerator accumulates gradients over {steps} steps, which would scale them "
            "twice",
            hint=f"leave that at 1 (ACCELERATE_GRADIENT_ACCUMULATION_STEPS) and give "
            f"--accumulate {steps}",
        )
    if accelerator.mixed_precision != options.amp:
        theirs = accelerator.mixed_precision
        raise UsageError(
            f"--amp {options.amp} is not what would run: accelerate is set to {theirs}",
            hint=f"give --amp {theirs}, or accelerate another precision "
            "(ACCELERATE_MIXED_PRECISION); one process trains in one only",
        )
    if accelerator.distributed_type.value in SHARDED:
        raise UsageError(
            f"accelerate is set to {accelerator.distributed_type.value}, which spreads the network "
            "over processes: here each has it whole",
            hint="start plain processes with torchrun",
        )
    if options.sync_bn and options.auto_batch and accelerator.num_processes > 1:
        raise UsageError(
            "--auto-batch does not go with --sync-bn: processes that wait for each other within "
            "the network cannot agree that memory ran out",
            hint="leave one of them out",
        )
    if accelerator.device.type != "cpu":
        return
    if options.amp == "fp16":
        raise UsageError(
            "--amp fp16 is not to be had here: accelerate leaves a CPU in float32",
            hint="leave it out, or give bf16",
        )
    if options.sync_bn:
        raise UsageError(
            "--sync-bn needs GPUs: torch synchronises batch norms on those alone",
            hint="leave it out",
        )


def check_norms(module: Module, options: TrainOptions, accelerator: "Accelerator") -> None:
    """Refuse passes of one image where batch norms would average over it. Raises: UsageError."""
    parts = accelerator.num_processes * options.accumulate
    if options.batch_size > parts or options.sync_bn:
        return
    if any(isinstance(each, _BatchNorm) for each in module.modules()):
        raise UsageError(
            "a pass would have one image, and batch norms need several to average over",
            hint=f"give a --batch-size of {2 * parts} at least",
        )


@contextmanager
def machinery_of(
    module: Module, options: TrainOptions, accelerator: "Accelerator", world: World
) -> Iterator[Machinery]:
    """Set a network up, with the main process's weights; afterwards its norms are as before.

    Raises: UsageError.
    """
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    module.to(accelerator.device, memory_format=layout)  # type: ignore[call-overload]
    world.spread(module)
    with ExitStack() as stack:
        if options.sync_bn:
            stack.enter_context(synchronised(module))
        average = _average(module, options)
        yield Machinery(
            accelerator=accelerator,
            world=world,
            network=torch.compile(module) if options.compile else module,  # type: ignore[arg-type]
            parts=Parts(
                module=module,
                optimizer=optimizer_of(module, options),
                average=None if average is None else average.module,
                scaler=accelerator.scaler,
            ),
            average=average,
            layout=layout,
        )


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


@contextmanager
def synchronised(module: Module) -> Iterator[None]:
    """Batch norms over all processes inside the block; the ones before it, which have the same
    tensors, afterwards.
    """
    from timm.layers import convert_sync_batchnorm

    norms = module.named_modules(remove_duplicate=False)
    before = [(name, norm) for name, norm in norms if isinstance(norm, _BatchNorm) and name]
    convert_sync_batchnorm(module)
    try:
        yield
    finally:
        for name, norm in before:
            module.set_submodule(name, norm)


def _average(module: Module, options: TrainOptions) -> "ModelEmaV3 | None":
    if options.ema_decay is None:
        return None
    from timm.utils import ModelEmaV3

    return ModelEmaV3(module, decay=options.ema_decay, use_warmup=True)
