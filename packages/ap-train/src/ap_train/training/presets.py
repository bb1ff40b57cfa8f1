"""Presets: published ways to train, each with its source.

None decays vectors, though the script behind `resnet` does; there `sgd` has plain momentum, here
Nesterov's. DeiT's own teacher is regnety_160.deit_in1k; a preset names none. What else differs from
the scripts of the published rows: docs/explanation/published.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ap_core.errors import unknown_name
from ap_train.training.options import TrainOptions

Settings = Mapping[str, object]

DEFAULT = "short"

PRESETS: Mapping[str, Settings] = MappingProxyType(
    {
        # After AgenticPruner, arXiv:2601.12272: 10 epochs of AdamW at 1.5e-5; the rest is ours.
        "short": {
            "epochs": 10, "batch_size": 256, "opt": "adamw", "lr": 1.5e-5, "weight_decay": 0.05,
            "sched": "cosine", "distillation": "soft", "min_scale": 0.35,
        },
        # Fang et al. 2024, "Isomorphic pruning", arXiv:2407.04616, the script for ResNet-50 at 2 G.
        "resnet": {
            "epochs": 100, "batch_size": 256, "opt": "sgd", "lr": 0.04, "momentum": 0.9,
            "weight_decay": 1e-4, "sched": "step", "decay_epochs": 30, "decay_rate": 0.1,
            "min_scale": 0.08, "distillation": "none",
        },
        # Touvron et al. 2021, arXiv:2012.12877, and its main.py: the learning rate is 5e-4 for 512.
        "deit": {
            "epochs": 300, "batch_size": 1024, "opt": "adamw", "lr": 1e-3, "weight_decay": 0.05,
            "sched": "cosine", "warmup_epochs": 5, "warmup_lr": 1e-6, "min_lr": 1e-5,
            "smoothing": 0.1, "mixup": 0.8, "cutmix": 1.0, "random_erasing": 0.25,
            "auto_augment": "rand-m9-mstd0.5-inc1", "repeats": 3, "drop_path": 0.1,
            "distillation": "hard",
        },
        # Liu et al. 2022, arXiv:2201.03545, and its TRAINING.md for ConvNeXt-S.
        "convnext": {
            "epochs": 300, "batch_size": 4096, "opt": "adamw", "lr": 4e-3, "weight_decay": 0.05,
            "sched": "cosine", "warmup_epochs": 20, "warmup_lr": 0.0, "min_lr": 1e-6,
            "smoothing": 0.1, "mixup": 0.8, "cutmix": 1.0, "random_erasing": 0.25,
            "auto_augment": "rand-m9-mstd0.5-inc1", "drop_path": 0.4, "ema_decay": 0.9999,
            "distillation": "none",
        },
    }
)  # fmt: skip


def options_of(preset: str, given: Settings) -> TrainOptions:
    """The preset's settings, overridden by those given. Raises: UnknownNameError, UsageError."""
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    return TrainOptions.parse({"preset": preset, **PRESETS[preset], **given})
