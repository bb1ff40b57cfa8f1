"""The use case `eval`: how well a network does, how sure that is, and beside what."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from torch.nn import Module

from ap_core.contracts import Architecture, DataRequest, DataSource, Split, TrainingSource
from ap_core.errors import DataError, UsageError
from ap_core.pipeline.opening.named import check_known
from ap_core.pipeline.progress import Progress, Silent, WarningsOnly
from ap_core.plugins.registry import Registry
from ap_core.preprocessing import preprocessing_of
from ap_core.report.amounts import counted
from ap_core.runs.directory import RunDirectory
from ap_core.runs.records import RunRecord
from ap_train.data.source import some
from ap_train.evaluation.candidates import check_alike, of_model, of_module
from ap_train.evaluation.intervals import (
    Accuracy,
    Difference,
    Estimate,
    accuracy,
    difference,
    share,
)
from ap_train.evaluation.options import OF_MODELS, OF_RUNS, EvalOptions
from ap_train.measuring.across import answers_across
from ap_train.measuring.answers import Answers, answers_of
from ap_train.processes import open_for_run, open_together
from ap_train.runs.images import images_asked_for
from ap_train.runs.networks import (
    Candidate,
    is_run,
    named,
    of_run,
    uncut_to_compare,
)
from ap_train.runs.options import NOBODY, ImageOptions
from ap_train.runs.seen import seen_before
from ap_train.training.options import TrainOptions
from ap_train.training.setup import accelerator_of

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One network, and its answers image by image. weights: where they came from."""

    name: str
    model: str
    weights: str
    run: Path | None
    answers: Answers

    @property
    def accuracy(self) -> Accuracy:
        """Its figures, each with its interval."""
        return accuracy(self.answers)


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """Top-1 on the images of one class; None where there are none of it."""

    label: int
    name: str
    images: int
    top1: Estimate | None
    baseline: Estimate | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What `eval` found.

    data: the source's record. classes: names of the classes. main: whether this is the process
    that tells of it.
    """

    network: Measured
    baseline: Measured | None
    split: Split
    data: Mapping[str, object]
    classes: tuple[str, ...]
    main: bool

    @property
    def difference(self) -> Difference | None:
        """Network less baseline, paired over the images; None where there is no baseline."""
        if self.baseline is None:
            return None
        return difference(self.baseline.answers, self.network.answers)

    def by_class(self) -> tuple[ClassAccuracy, ...]:
        """Top-1 of every class."""
        return tuple(self._of_class(label) for label in range(len(self.classes)))

    def _of_class(self, label: int) -> ClassAccuracy:
        mine = self.network.answers.labels == label
        name = self.classes[label]
        if not mine.any():
            return ClassAccuracy(label=label, name=name, images=0, top1=None, baseline=None)
        before = self.baseline
        return ClassAccuracy(
            label=label,
            name=name,
            images=int(mine.sum()),
            top1=share(self.network.answers.top1[mine]),
            baseline=None if before is None else share(before.answers.top1[mine]),
        )


@dataclass(frozen=True, kw_only=True)
class Own:
    """What only the caller has.

    pruned, whole: networks of a run, where the run's were made by the caller's own code.
    architecture: of a live network: its classes, and how its images are prepared; None for what can
        be read off it, and ImageNet's usual preparation.
    baseline: a network to compare with, which sees the same images.
    accelerator: the caller's own.
    """

    pruned: Module | None = None
    whole: Module | None = None
    architecture: Architecture | None = None
    baseline: Module | None = None
    accelerator: "Accelerator | None" = None


def evaluate(
    subject: str | PathLike[str] | Module,
    options: EvalOptions | None = None,
    *,
    own: Own | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a run, a model by its name, or a live network; beside a baseline on the same images.

    A network that the caller made stays on its device, and in its mode.

    subject: a run directory, a name as `ap models` lists them, or a network that gives logits
        (n, classes) for images (n, channels, height, width).
    Returns: `.network.accuracy`, `.baseline.accuracy`: top-1 and top-5 as shares from 0 to 1, the
        loss in nats, each with its 95 % interval; `.difference` is the network less the baseline.
    Raises: UsageError for options that do not go together and for random weights that were not
    asked for; DataError for images of no use; RunError, ModelError, CheckpointError as loading.
    """
    options, own = options or EvalOptions(), own or Own()
    accelerator = own.accelerator or accelerator_of(TrainOptions())
    main = accelerator.is_main_process
    work = _Work(
        options=options,
        own=own,
        accelerator=accelerator,
        registry=registry or Registry.from_entry_points(),
        progress=(progress or WarningsOnly()) if main else Silent(),
    )
    if not isinstance(subject, Module) and is_run(fspath(subject)):
        return work.run(Path(subject))
    return work.model(subject if isinstance(subject, Module) else fspath(subject))


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One evaluation under way."""

    options: EvalOptions
    own: Own
    accelerator: "Accelerator"
    registry: Registry
    progress: Progress

    @property
    def _split(self) -> Split:
        return Split(self.options.split)

    def run(self, path: Path) -> Evaluation:
        """Of a run: on its own images, beside its uncut network, unless told otherwise."""
        options = self.options
        options.refuse(OF_MODELS, f"{path} is a run, and knows its own")
        run = RunDirectory.open(path)
        record = run.record()
        network = of_run(
            self.registry,
            path,
            pruned_only=options.pruned_only,
            pruned=self.own.pruned,
            progress=self.progress,
        )
        source = self._images_of(run, record)
        baseline = self._baseline(network)
        if baseline is None and options.baseline is None:
            baseline = uncut_to_compare(self.registry, record, self.own.whole, self.progress)
        return self._evaluation(network, baseline, source)

    def model(self, subject: str | Module) -> Evaluation:
        """Of a model, or a live network: on the images that are named."""
        options, name = self.options, subject if isinstance(subject, str) else "a live network"
        if isinstance(subject, str):
            check_known(self.registry, subject, self.progress)
        options.refuse(OF_RUNS, f"{name} is no run")
        if options.data is None:
            raise UsageError(
                f"no images to evaluate {name} on",
                hint="give some with --data: digits, glyphs, or a folder of class folders",
            )
        if isinstance(subject, Module):
            options.refuse(("checkpoint", "weights", "num_classes"), "the network is there already")
            network = of_module(
                self.registry, subject, self.own.architecture, options.input_size, self.progress
            )
        else:
            network = of_model(self.registry, subject, options, self.progress)
        request = DataRequest(
            name=options.data,
            root=options.data_root,
            architecture=network.architecture,
            batch_size=options.batch_size,
            held_out=options.held_out,
            seed=options.seed or 0,
            on_corrupt=options.on_corrupt or "refuse",
        )
        source = open_together(self.accelerator, self.registry, request)
        return self._evaluation(network, self._baseline(network), source)

    def _images_of(self, run: RunDirectory, record: RunRecord) -> DataSource:
        """Images of a run, or those asked for.

        A network that was trained again is measured on those that its training left to report on.
        """
        options = self.options
        training = run.training() if record.finetuned else None
        before = ImageOptions.within({} if training is None else training.options)
        given = options.model_dump(include=set(ImageOptions.model_fields), exclude_none=True)
        asked = images_asked_for(record, before.model_copy(update=given))
        if options.data is not None:
            asked = replace(asked, root=options.data_root)
            return open_for_run(self.accelerator, self.registry, asked)
        recorded = record.data if training is None else training.data
        asked = replace(asked, before=recorded)
        source = open_for_run(self.accelerator, self.registry, asked)
        warning = seen_before(source, self._split, images_asked_for(record, before), recorded or {})
        if warning:
            self.progress.warn(warning)
        return source

    def _baseline(self, network: Candidate) -> Candidate | None:
        """The baseline that was given, or named. Raises: UsageError."""
        options, given = self.options, self.own.baseline
        if given is not None:
            found = of_module(self.registry, given, network.architecture, None, self.progress)
        elif options.baseline in (None, NOBODY):
            options.refuse(("baseline_checkpoint",), "no baseline is named")
            return None
        else:
            found = named(
                self.registry,
                str(options.baseline),
                network.architecture,
                role="baseline",
                checkpoint=options.baseline_checkpoint,
                progress=self.progress,
            )
        check_alike(found, network)
        return found

    def _evaluation(
        self, network: Candidate, baseline: Candidate | None, source: DataSource
    ) -> Evaluation:
        if self._split is Split.HELD_OUT:
            self.progress.note(
                "the network may have been chosen on these images: they flatter it; --split report "
                "does not"
            )
        self._warn_of_skipped(source)
        return Evaluation(
            network=self._measured(network, network, source),
            baseline=None if baseline is None else self._measured(baseline, network, source),
            split=self._split,
            data=source.record(),
            classes=_classes(source),
            main=self.accelerator.is_main_process,
        )

    def _warn_of_skipped(self, source: DataSource) -> None:
        """Tell of images that are left out; of many, the first few names."""
        names = source.record().get("skipped")
        if isinstance(names, list) and names:
            many = counted(len(names), "image is", "images are")
            self.progress.warn(f"{many} left out, as they cannot be read: {some(names)}")

    def _measured(self, candidate: Candidate, like: Candidate, source: DataSource) -> Measured:
        """Answers of a network. like: the one that the source prepares images for."""
        module = candidate.module
        if not candidate.live:
            module = module.to(self.accelerator.device)
        return Measured(
            name=candidate.name,
            model=candidate.architecture.name,
            weights=candidate.weights,
            run=candidate.run,
            answers=self._answers(replace(candidate, module=module), like, source),
        )

    def _answers(self, candidate: Candidate, like: Candidate, source: DataSource) -> Answers:
        if not isinstance(source, TrainingSource):
            _check_prepared_alike(candidate, like)
            batches = source.report() if self._split is Split.REPORT else source.held_out()
            return answers_of(candidate.module, batches)
        images = source.split(self._split)
        with self.progress.progress(len(images), candidate.name, unit="images") as advance:
            return answers_across(
                candidate.module,
                images,
                candidate.architecture,
                self.accelerator,
                batch_size=self.options.batch_size,
                workers=self.options.workers,
                advance=advance,
            )


def _classes(source: DataSource) -> tuple[str, ...]:
    """Names of the classes; their numbers where the source has no names."""
    if isinstance(source, TrainingSource):
        return source.classes
    return tuple(map(str, range(source.num_classes)))


def _check_prepared_alike(one: Candidate, other: Candidate) -> None:
    """Refuse to show two networks images that were prepared for one. Raises: DataError."""
    ours, theirs = one.architecture, other.architecture
    same = preprocessing_of(ours) == preprocessing_of(theirs)
    if not same or ours.input_size != theirs.input_size:
        raise DataError(
            f"{one.name} and {other.name} want images prepared in different ways, and this data "
            "set gives none by their number",
            hint="take a folder of images, or --baseline none",
        )
