"""Options of a training whose paths mean the same from wherever it is taken up again."""

from pathlib import Path

from ap_core.pipeline.opening.data import located
from ap_core.plugins.registry import Registry
from ap_train.finetuning.options import FinetuneOptions
from ap_train.runs.networks import is_run


def located_training(registry: Registry, options: FinetuneOptions) -> FinetuneOptions:
    """Same options with absolute paths, the teacher's among them where it is a run."""
    options = located(registry, options)
    if options.teacher is None or not is_run(options.teacher):
        return options
    return options.model_copy(update={"teacher": str(Path(options.teacher).absolute())})
