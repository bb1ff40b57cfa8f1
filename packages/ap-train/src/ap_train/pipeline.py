"""The use case `run`: a recipe from beginning to end; what is there already is not done again."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.contracts import ModelRequest, WeightsPolicy
from ap_core.errors import RunError
from ap_core.pipeline.environment import environment
from ap_core.pipeline.opening.reload import load_model
from ap_core.pipeline.opening.subject import load_subject
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, Silent, WarningsOnly
from ap_core.pipeline.prune import prune
from ap_core.pipeline.prune import resume as resume_prune
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD, TRAINED, WEIGHTS, RunDirectory
from ap_core.runs.documents import Document, parse, readable
from ap_core.runs.files import write
from ap_core.runs.records import Record
from ap_core.runs.schema import SCHEMA
from ap_train.evaluation.document import evaluation_document
from ap_train.evaluation.evaluate import Own, evaluate
from ap_train.evaluation.options import EvalOptions
from ap_train.finetuning.finetune import Given, finetune
from ap_train.finetuning.finetune import resume as resume_finetune
from ap_train.finetuning.options import FinetuneOptions
from ap_train.recipes.recipe import Recipe
from ap_train.training.setup import accelerator_of

if TYPE_CHECKING:
    from accelerate import Accelerator

LEFT_OPEN = ("importance", "strategist")

EVALUATION = "evaluation.json"
BENCHMARK = "benchmark.json"


@dataclass(frozen=True, kw_only=True)
class RecipeResult:
    """What a recipe came to.

    stages: what was done of each: "done", or "there already".
    evaluation, benchmark: their documents; None where the recipe leaves them out.
    """

    path: Path
    stages: Mapping[str, str]
    evaluation: Document | None
    benchmark: Document | None
    main: bool


def run_recipe(
    recipe: Recipe,
    output: Path,
    *,
    accelerator: "Accelerator | None" = None,
    command: Sequence[str] = (),
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> RecipeResult:
    """Load, prune, recover, fine-tune, evaluate, benchmark, report, in one run directory.

    A stage whose result is there, made of the same inputs, is skipped; one that was stopped goes
    on. With several processes, all train and evaluate, and the main one does the rest.
    Raises: RunError where the directory holds something else; else as the stages do.
    """
    registry = registry or Registry.from_entry_points()
    options, training = recipe.prune_options(), recipe.finetune_options()
    accelerator = accelerator or accelerator_of((training or FinetuneOptions()).training)
    progress = (progress or WarningsOnly()) if accelerator.is_main_process else Silent()
    stage = _Stages(output, accelerator, command, registry, progress)
    stages = {"prune": stage.prune(options)}
    if training is not None:
        stages["finetune"] = stage.finetune(training)
    evaluation = benchmark = None
    if recipe.evaluate and options.data:
        stages["evaluate"], evaluation = stage.kept(EVALUATION, stage.evaluation)
    if recipe.benchmark:
        stages["benchmark"], benchmark = stage.kept(
            BENCHMARK, stage.benchmark, machine=environment()
        )
    return RecipeResult(
        path=output,
        stages=stages,
        evaluation=evaluation,
        benchmark=benchmark,
        main=accelerator.is_main_process,
    )


class _Stages:
    """Stages of one recipe in one directory."""

    def __init__(
        self,
        output: Path,
        accelerator: "Accelerator",
        command: Sequence[str],
        registry: Registry,
        progress: Progress,
    ) -> None:
        self.output = output
        self.accelerator = accelerator
        self.command = command
        self.registry = registry
        self.progress = progress

    def prune(self, options: PruneOptions) -> str:
        """Prune, or go on; on the main process. Raises: RunError for a run of other options."""
        said = THERE
        if self.accelerator.is_main_process:
            said = self._prune(options)
        self.accelerator.wait_for_everyone()
        return said

    def _prune(self, options: PruneOptions) -> str:
        if not (self.output / RECORD).exists():
            prune(
                options,
                output=self.output,
                command=self.command,
                registry=self.registry,
                progress=self.progress,
            )
            return DONE
        record = RunDirectory.open(self.output).record()
        before = PruneOptions.parse(record.options)
        # What was left open was filled in when the run began.
        left_open = {
            name: getattr(before, name) for name in LEFT_OPEN if not getattr(options, name)
        }
        asked = options.model_copy(update=left_open)
        if before != asked:
            raise RunError(
                f"{self.output} holds a run of other options: {_difference(before, asked)}",
                hint="name another directory with --output",
            )
        if record.status == "done":
            return THERE
        resume_prune(self.output, registry=self.registry, progress=self.progress)
        return DONE

    def finetune(self, options: FinetuneOptions) -> str:
        """Train, or go on. Raises: RunError for a training with other options."""
        given = Given(accelerator=self.accelerator, command=self.command)
        training = RunDirectory.open(self.output).training()
        if training is None:
            finetune(
                self.output, options, given=given, registry=self.registry, progress=self.progress
            )
            return DONE
        before = FinetuneOptions.model_validate(training.options)
        if before != options:
            raise RunError(
                f"{self.output} was trained with other options: {_difference(before, options)}",
                hint="name another directory with --output",
            )
        if training.status == "done":
            return THERE
        resume_finetune(self.output, given=given, registry=self.registry, progress=self.progress)
        return DONE

    def kept(
        self, name: str, make: Callable[[], Document | None], **inputs: object
    ) -> tuple[str, Document | None]:
        """Document of this name, made anew where the weights or other inputs have changed."""
        place = self.output / name
        wanted = json.loads(json.dumps({"weights": self._weights(), **inputs}))
        there = parse(place.read_bytes(), where=str(place)) if place.exists() else {}
        # All have looked before the main process writes.
        self.accelerator.wait_for_everyone()
        if there.get("inputs") == wanted:
            return THERE, there
        made = make()
        if made is not None:
            made = {"schema": SCHEMA, "inputs": wanted, **made}
            write(place, readable(made, where=name) + b"\n")
        self.accelerator.wait_for_everyone()
        return DONE, made

    def evaluation(self) -> Document | None:
        """Accuracy with intervals, beside the uncut network; None on all but the main process."""
        found = evaluate(
            self.output,
            EvalOptions(),
            own=Own(accelerator=self.accelerator),
            registry=self.registry,
            progress=self.progress,
        )
        return evaluation_document(found, per_class=False) if found.main else None

    def benchmark(self) -> Document | None:
        """Latency of the whole network and of the small one, by the meter that is offered."""
        if not self.accelerator.is_main_process:
            return None
        record = RunDirectory.open(self.output).record()
        size = record.architecture.input_size
        meter = self.registry.meters["latency"].make()
        request = ModelRequest(
            name=record.architecture.name,
            num_classes=record.architecture.num_classes,
            input_size=size,
            weights=WeightsPolicy.RANDOM,
        )
        networks = {
            "whole": load_subject(self.registry, request, Silent()).loaded.module,
            "pruned": load_model(self.output, registry=self.registry),
        }
        with self.progress.progress(None, "measuring latency"):
            return {
                name: dict(meter(module, input_size=size, data=None))
                for name, module in networks.items()
            }

    def _weights(self) -> str:
        record = RunDirectory.open(self.output).record()
        name = WEIGHTS if record.finetuned is None else TRAINED
        with (self.output / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


DONE = "done"
THERE = "there already"


def _difference(before: Record, after: Record) -> str:
    """First option in which two values differ, and how."""
    one, other = before.model_dump(mode="json"), after.model_dump(mode="json")
    name = next(name for name in one if one[name] != other[name])
    return f"{name} is {one[name]}, not {other[name]}"
