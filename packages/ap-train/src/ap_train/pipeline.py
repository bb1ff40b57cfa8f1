"""The use case `run`: a recipe from beginning to end; what is there already is not done again."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ap_core.errors import RunError, UsageError
from ap_core.pipeline.environment import environment
from ap_core.pipeline.opening.data import located, open_source
from ap_core.pipeline.opening.reload import load_model, request_again
from ap_core.pipeline.opening.subject import load_subject
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, Silent, WarningsOnly
from ap_core.pipeline.prune import prune
from ap_core.pipeline.prune import resume as resume_prune
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import TRAINED, WEIGHTS, RunDirectory
from ap_core.runs.documents import Document, parse, readable
from ap_core.runs.files import write
from ap_core.runs.records import Record, RunRecord
from ap_core.runs.schema import SCHEMA
from ap_train.evaluation.document import evaluation_document
from ap_train.evaluation.evaluate import Own, evaluate
from ap_train.evaluation.options import EvalOptions
from ap_train.finetuning.finetune import Given, finetune
from ap_train.finetuning.finetune import resume as resume_finetune
from ap_train.finetuning.keeper import has_state
from ap_train.finetuning.options import FinetuneOptions
from ap_train.finetuning.paths import located_training
from ap_train.finetuning.teachers import check_teaching
from ap_train.recipes.recipe import Recipe
from ap_train.recipes.wording import as_settings
from ap_train.runs.images import images_asked_for
from ap_train.runs.networks import is_run, uncut_network
from ap_train.runs.options import ImageOptions
from ap_train.training.options import TrainOptions
from ap_train.training.setup import accelerator_of
from ap_train.training.world import world_of

if TYPE_CHECKING:
    from accelerate import Accelerator

DONE, THERE = "done", "there already"
"""What is said of a stage."""

EVALUATION, BENCHMARK = "evaluation.json", "benchmark.json"

SPLIT: Literal["report"] = "report"
"""What is evaluated on."""

LEFT_OPEN = ("importance", "strategist")
"""Options that a run fills in when it begins."""

ELSEWHERE = "name another directory with --output"


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
    Raises: UsageError where stages have no images; RunError where the directory holds something
    else, or was made of other weights or images; else as the stages do.
    """
    registry = registry or Registry.from_entry_points()
    options, training = located(registry, recipe.prune_options()), recipe.finetune_options()
    if training is not None:
        training = located_training(registry, training)
    _check_images(recipe, options, training)
    accelerator = accelerator or accelerator_of(training.training if training else TrainOptions())
    progress = (progress or WarningsOnly()) if accelerator.is_main_process else Silent()
    stage = _Stages(output, accelerator, command, registry, progress)
    with as_settings("prune"):
        stages = {"prune": world_of(accelerator).on_main(lambda: stage.prune(options))}
    if training is not None:
        with as_settings("finetune"):
            stages["finetune"] = stage.finetune(training)
    evaluation = benchmark = None
    if recipe.evaluate:
        stages["evaluate"], evaluation = stage.kept(
            EVALUATION, stage.evaluation, stage.inputs_of_evaluation
        )
    if recipe.benchmark:
        stages["benchmark"], benchmark = stage.kept(
            BENCHMARK, stage.benchmark, stage.inputs_of_benchmark
        )
    return RecipeResult(
        path=output,
        stages=stages,
        evaluation=evaluation,
        benchmark=benchmark,
        main=accelerator.is_main_process,
    )


def _check_images(recipe: Recipe, options: PruneOptions, training: FinetuneOptions | None) -> None:
    """See, before any work, that stages that need images or a teacher have them.

    Raises: UsageError.
    """
    if training is not None:
        with as_settings("finetune"):
            check_teaching(training)
    if options.data or (training is not None and training.data):
        return
    if training is not None:
        raise UsageError("the recipe trains, and names no images", hint="give some with --data")
    if recipe.evaluate:
        raise UsageError(
            "the recipe evaluates, and names no images",
            hint="give some with --data, or leave that out with --set evaluate=false",
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
        """Prune, or go on; on the main process. Raises: RunError for a run of other inputs."""
        if not is_run(self.output):
            prune(
                options,
                output=self.output,
                command=self.command,
                registry=self.registry,
                progress=self.progress,
            )
            return DONE
        record = self._record()
        before = located(self.registry, PruneOptions.parse(record.options))
        left_open = {
            name: getattr(before, name) for name in LEFT_OPEN if not getattr(options, name)
        }
        asked = options.model_copy(update=left_open)
        if before != asked:
            raise RunError(
                f"{self.output} holds a run of other options: {_differences(before, asked)}",
                hint=ELSEWHERE,
            )
        if record.status != "done":
            resume_prune(self.output, registry=self.registry, progress=self.progress)
            return DONE
        if options.checkpoint is not None:
            self._check_weights(record)
        if options.data:
            self._check_same_images(ImageOptions(), record.data)
        return THERE

    def finetune(self, options: FinetuneOptions) -> str:
        """Train, or go on. Raises: RunError for a training with other inputs."""
        standing = world_of(self.accelerator).on_main(lambda: self._standing(options))
        if standing == "done":
            return THERE
        begin = partial(finetune, options=options) if standing == "absent" else resume_finetune
        begin(
            self.output,
            given=Given(accelerator=self.accelerator, command=self.command),
            registry=self.registry,
            progress=self.progress,
        )
        return DONE

    def _standing(self, options: FinetuneOptions) -> Literal["absent", "stopped", "done"]:
        """How far the training is. Raises: RunError for one with other inputs."""
        training = RunDirectory.open(self.output).training()
        if training is None:
            return "absent"
        before = FinetuneOptions.model_validate(training.options)
        before = located_training(self.registry, before)
        if before != options:
            raise RunError(
                f"{self.output} was trained with other options: {_differences(before, options)}",
                hint=ELSEWHERE,
            )
        if training.status != "done" or has_state(self.output):
            return "stopped"
        self._check_same_images(options, training.data)
        return "done"

    def kept(
        self,
        name: str,
        make: Callable[[], Document | None],
        inputs: Callable[[], Mapping[str, object]],
    ) -> tuple[str, Document | None]:
        """Document of this name, made anew where its inputs have changed; the main process says."""
        place = self.output / name

        def look() -> tuple[Document, Document | None]:
            wanted: Document = json.loads(json.dumps(inputs()))
            there = parse(place.read_bytes(), where=str(place)) if place.exists() else {}
            return wanted, there if there.get("inputs") == wanted else None

        wanted, there = world_of(self.accelerator).on_main(look)
        if there is not None:
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
            EvalOptions(split=SPLIT),
            own=Own(accelerator=self.accelerator),
            registry=self.registry,
            progress=self.progress,
        )
        return evaluation_document(found, per_class=False) if found.main else None

    def inputs_of_evaluation(self) -> Mapping[str, object]:
        """What an evaluation depends on: both networks, and the images."""
        record = self._record()
        training = RunDirectory.open(self.output).training() if record.finetuned else None
        asked = ImageOptions.within({} if training is None else training.options)
        return {
            "weights": self._weights(record),
            "baseline": record.weights.sha256,
            "split": SPLIT,
            "data": self._images(asked, record.data if training is None else training.data),
        }

    def benchmark(self) -> Document | None:
        """Latency of the whole network and of the small one, by the meter that is offered."""
        if not self.accelerator.is_main_process:
            return None
        record = self._record()
        size = record.architecture.input_size
        meter = self.registry.meters["latency"].make()
        whole = load_subject(self.registry, request_again(record.architecture), Silent())
        networks = {
            "whole": whole.loaded.module,
            "pruned": load_model(self.output, registry=self.registry),
        }
        with self.progress.progress(None, "measuring latency"):
            return {
                name: dict(meter(module, input_size=size, data=None))
                for name, module in networks.items()
            }

    def inputs_of_benchmark(self) -> Mapping[str, object]:
        """What a latency depends on: the network, and the machine."""
        return {"weights": self._weights(self._record()), "machine": environment()}

    def _record(self) -> RunRecord:
        return RunDirectory.open(self.output).record()

    def _weights(self, record: RunRecord) -> str:
        name = WEIGHTS if record.finetuned is None else TRAINED
        with (self.output / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _images(self, asked: ImageOptions, before: Mapping[str, object] | None) -> Document:
        """Record of the images as they are now. before: what was kept of them."""
        request = replace(images_asked_for(self._record(), asked), before=before)
        found: Document = json.loads(json.dumps(open_source(self.registry, request).record()))
        return found

    def _check_same_images(self, asked: ImageOptions, before: Mapping[str, object] | None) -> None:
        if self._images(asked, before) != before:
            raise RunError(
                f"the images are not those that {self.output} was made with",
                hint=f"put them back, or {ELSEWHERE}",
            )

    def _check_weights(self, record: RunRecord) -> None:
        try:
            uncut_network(self.registry, record, None, self.progress)
        except UsageError as error:
            raise RunError(error.message, hint=f"{error.hint}, or {ELSEWHERE}") from error


def _differences(before: Record, after: Record) -> str:
    """All options in which two values differ, and how."""
    one, other = _flat(before.model_dump(mode="json")), _flat(after.model_dump(mode="json"))
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return "; ".join(f"{name} is {one.get(name)}, not {other.get(name)}" for name in names)


def _flat(options: Mapping[str, object]) -> dict[str, object]:
    """Options by name, those of a group of options among them."""
    found: dict[str, object] = {}
    for name, value in options.items():
        found |= _flat(value) if isinstance(value, dict) else {name: value}
    return found
