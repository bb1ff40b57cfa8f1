"""What ap_train offers: data sets, the accuracy meter, batch-norm recovery, the demo."""

from collections.abc import Iterable

from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import CommandOffer, DatasetOffer, MeterOffer, RecoveryOffer


@hookimpl
def ap_datasets() -> Iterable[DatasetOffer]:
    """Handwritten digits, glyphs, folders of images, and what timm takes by prefix."""
    return [
        DatasetOffer(
            name="digits",
            summary="1797 handwritten digits that come with scikit-learn",
            load="ap_train.data.digits:open_digits",
        ),
        DatasetOffer(
            name="glyphs",
            summary="8000 generated pictures of letters and figures in clutter, 32 classes",
            load="ap_train.data.glyphs:open_glyphs",
        ),
        DatasetOffer(
            name="folder",
            summary="a folder with one folder of images for each class",
            load="ap_train.data.folder:open_folder",
        ),
        DatasetOffer(
            name="timm",
            summary="data sets of timm: hfds/NAME, torch/NAME",
            load="ap_train.data.timm_named:open_timm",
            # Of the last three, only why they cannot be had.
            prefixes=("hfds/", "torch/", "wds/", "tfds/", "hfids/"),
        ),
    ]


@hookimpl
def ap_meters() -> Iterable[MeterOffer]:
    """Accuracy on held-out images."""
    return [
        MeterOffer(
            name="accuracy",
            summary="loss, top-1 and top-5 on held-out images",
            load="ap_train.measuring.answers:measure_accuracy",
        )
    ]


@hookimpl
def ap_recoveries() -> Iterable[RecoveryOffer]:
    """Statistics of batch norms."""
    return [
        RecoveryOffer(
            name="batchnorm",
            summary="re-estimates the running statistics of batch norms",
            load="ap_train.batchnorm:reestimate",
        )
    ]


@hookimpl
def ap_commands() -> Iterable[CommandOffer]:
    """The demo, training, and measuring."""
    return [
        CommandOffer(
            name="demo",
            summary="Train a small network on digits, halve its MACs, fine-tune it, report.",
            load="ap_train.cli.demo:demo",
        ),
        CommandOffer(
            name="eval",
            summary="Measure the accuracy of a run or a model, with intervals.",
            load="ap_train.cli.evaluate:evaluate",
        ),
        CommandOffer(
            name="run",
            summary="Follow a recipe: prune, fine-tune, evaluate, benchmark.",
            load="ap_train.cli.run:run",
        ),
        CommandOffer(
            name="finetune",
            summary="Train a pruned network again.",
            load="ap_train.cli.finetune:finetune",
        ),
    ]
