"""How to train: every setting, in one value that the run keeps."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ap_core.runs.records import Record

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class TrainOptions(Record):
    """Everything that the weights depend on, besides the network, the teacher and the images."""

    preset: str = Field(default="short", description="preset that the other settings began as")
    epochs: Count = Field(default=10, description="passes over the training images")
    max_steps: int | None = Field(
        default=None, ge=1, description="stop after so many updates of the weights"
    )
    batch_size: Count = Field(
        default=256, description="images in one update, over all processes and passes"
    )
    accumulate: Count = Field(
        default=1,
        description="passes (micro-batches) that one update is split into, to save memory",
    )
    opt: str = Field(default="adamw", description="optimizer, by timm's name")
    lr: Positive = Field(default=1.5e-5, description="learning rate")
    weight_decay: NotNegative = Field(default=0.05, description="weight decay; not of vectors")
    momentum: Share = Field(default=0.9, description="momentum, of optimizers that have one")
    layer_decay: Share | None = Field(
        default=None, description="factor of the learning rate from one layer to the one before"
    )
    clip_grad: Positive | None = Field(default=None, description="largest norm of the gradients")
    sched: Literal["cosine", "step", "poly", "tanh", "constant"] = Field(
        default="cosine",
        description="schedule of the learning rate, by timm's name; poly is a straight line",
    )
    warmup_epochs: NotNegative = Field(default=0.0, description="epochs of rising learning rate")
    warmup_lr: NotNegative = Field(default=1e-6, description="learning rate to begin with")
    min_lr: NotNegative = Field(default=0.0, description="learning rate to end with")
    decay_epochs: Positive = Field(
        default=30.0, description="epochs of a step of the step schedule"
    )
    decay_rate: Positive = Field(default=0.1, description="factor of a step of the step schedule")
    amp: Literal["no", "bf16", "fp16"] = Field(default="no", description="mixed precision")
    ema_decay: Share | None = Field(
        default=None, description="decay of the moving average of the weights; it is what is kept"
    )
    smoothing: Share = Field(default=0.0, description="label smoothing")
    mixup: NotNegative = Field(default=0.0, description="alpha of mixup")
    cutmix: NotNegative = Field(default=0.0, description="alpha of cutmix")
    mixup_prob: Share = Field(default=1.0, description="share of batches that are mixed")
    mixup_switch_prob: Share = Field(default=0.5, description="share of cutmix where both are on")
    auto_augment: str | None = Field(
        default=None, description='timm\'s name of a policy: "rand-m9-mstd0.5-inc1"'
    )
    color_jitter: NotNegative = Field(default=0.0, description="strength of changes of colour")
    random_erasing: Share = Field(default=0.0, description="share of images with a part erased")
    repeats: Count = Field(
        default=1, description="times that an image is drawn running, each augmented anew"
    )
    min_scale: Positive = Field(
        default=0.08, le=1.0, description="smallest share of an image that a crop shows"
    )
    hflip: Share | None = Field(
        default=None, description="share of mirrored images; none: half where mirrors make sense"
    )
    drop_path: Share | None = Field(default=None, description="stochastic depth, rising to this")
    distillation: Literal["none", "soft", "hard"] = Field(
        default="soft", description="what is learnt from the teacher, where there is one"
    )
    distillation_alpha: Share = Field(default=0.5, description="weight of the teacher in the loss")
    distillation_tau: Positive = Field(default=1.0, description="temperature of soft distillation")
    patience: int | None = Field(
        default=None, ge=1, description="epochs without progress after which to stop"
    )
    channels_last: bool = Field(default=False, description="memory format of convolutions")
    compile: bool = Field(default=False, description="torch.compile")
    sync_bn: bool = Field(default=False, description="batch norms over all processes (GPU)")
    auto_batch: bool = Field(
        default=False, description="split updates into more passes where memory runs out"
    )
    checkpoint_steps: int | None = Field(
        default=None, ge=1, description="updates between two states on disk; none: every epoch"
    )
    workers: int | None = Field(default=None, ge=0, description="processes that read images")
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="of order and augmentation")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"a batch of {self.batch_size} images cannot be split into {self.accumulate} passes"
            )
        return self

    @model_validator(mode="after")
    def _warms_up(self) -> Self:
        if self.warmup_epochs and self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"a warm-up of {self.warmup_epochs:g} epochs leaves nothing of {self.epochs}: "
                "give fewer --warmup-epochs"
            )
        return self

    @model_validator(mode="after")
    def _augments(self) -> Self:
        if self.color_jitter and self.auto_augment and "3a" not in self.auto_augment:
            raise ValueError(
                f"timm changes no colours beside the policy {self.auto_augment}: "
                "give --color-jitter 0, or another --auto-augment"
            )
        return self

    @property
    def mixes(self) -> bool:
        """Whether pairs of images are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    def pass_size(self, processes: int) -> int:
        """Images in one pass of one process."""
        return max(1, self.batch_size // (processes * self.accumulate))
