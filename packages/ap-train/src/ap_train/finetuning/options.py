"""What the user asks `finetune` for, in one value that the run keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from ap_train.runs.options import NOBODY, ImageOptions
from ap_train.training.options import TrainOptions
from ap_train.training.presets import options_of


class FinetuneOptions(ImageOptions):
    """Everything that a training depends on, besides the run, the weights and the images.

    teacher: a model, a run directory, or "none"; None for the uncut network, where anything is
        learnt from a teacher.
    teacher_checkpoint: weights of a named model; None for its published ones.
    from_scratch: whether to train although the weights are random.
    """

    training: TrainOptions = TrainOptions()
    teacher: str | None = None
    teacher_checkpoint: Path | None = None
    from_scratch: bool = False

    @classmethod
    def of(cls, preset: str, settings: Mapping[str, object], **fields: object) -> Self:
        """Options that override a preset; without a teacher, nothing is learnt from one.

        Raises: UnknownNameError, UsageError.
        """
        alone = {"distillation": "none"} if fields.get("teacher") == NOBODY else {}
        return cls.parse({**fields, "training": options_of(preset, {**alone, **settings})})
