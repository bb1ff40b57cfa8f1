"""The training loop: what decides over the weights, and what does not."""

import copy
import weakref
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from ap_core.contracts import Architecture, DataRequest, Split
from ap_core.errors import DataError, ModelError, UnknownNameError, UsageError
from ap_core.pipeline.progress import WarningsOnly
from ap_train.data.digits import open_digits
from ap_train.data.source import IndexedSource
from ap_train.training.batches import Batch, Schedule, schedule_of
from ap_train.training.criterion import Teacher, loss_of
from ap_train.training.depth import stochastic_depth
from ap_train.training.keeping import InMemory
from ap_train.training.loop import Fitted, check, fit
from ap_train.training.options import TrainOptions
from ap_train.training.presets import PRESETS, options_of
from ap_train.training.setup import synchronised
from ap_train.training.state import Parts, Standing, load_state, save_state
from ap_train.training.world import World

QUICK = {
    "epochs": 1, "max_steps": 5, "batch_size": 32, "lr": 1e-3, "distillation": "none",
    "min_scale": 0.8, "opt": "sgd",
}  # fmt: skip


@pytest.fixture(scope="module")
def digits(architecture: Architecture) -> IndexedSource:
    """Few images to judge on: what is judged decides over nothing here."""
    return open_digits(
        DataRequest(
            name="digits", root=None, architecture=architecture, calibration=64, held_out=64
        )
    )


def options(**more: object) -> TrainOptions:
    return options_of("short", {**QUICK, **more})


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([tensor.double().flatten() for tensor in module.state_dict().values()])


def trained(
    network: nn.Module, digits: IndexedSource, architecture: Architecture, **more: object
) -> tuple[torch.Tensor, Fitted]:
    network = copy.deepcopy(network)
    fitted = fit(network, digits, architecture, options(**more))
    return weights(network), fitted


def test_training_learns_digits(digits, architecture) -> None:
    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=10)
    fitted = fit(
        network, digits, architecture,
        options(epochs=3, max_steps=None, opt="adamw", lr=2e-3, warmup_epochs=1),
    )  # fmt: skip
    assert [epoch.epoch for epoch in fitted.history] == [0, 1, 2]
    assert fitted.history[-1].loss < fitted.history[0].loss / 2
    assert fitted.history[fitted.best].selection_top1 > 0.7
    assert not network.training


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"mixup": 0.8, "cutmix": 1.0, "smoothing": 0.1},
        {"auto_augment": "rand-m9-mstd0.5-inc1", "random_erasing": 0.5},
        {"color_jitter": 0.3},
        {"ema_decay": 0.9, "drop_path": 0.5, "repeats": 3},
        {"channels_last": True, "clip_grad": 0.1, "layer_decay": 0.7, "opt": "adamw"},
    ],
    ids=["plain", "mixed", "augmented", "coloured", "averaged", "clipped"],
)
def test_the_same_seed_gives_the_same_weights_and_each_setting_others(
    network, digits, architecture, more
) -> None:
    one, _ = trained(network, digits, architecture, **more)
    again, _ = trained(network, digits, architecture, **more)
    assert torch.equal(one, again)
    assert not torch.equal(one, trained(network, digits, architecture, **more, seed=1)[0])
    if more:
        assert not torch.equal(one, trained(network, digits, architecture)[0])


@pytest.mark.parametrize("more", [{}, {"mixup": 0.8, "cutmix": 1.0}], ids=["plain", "mixed"])
def test_accumulation_changes_nothing_but_memory(network, digits, architecture, more) -> None:
    whole, _ = trained(network, digits, architecture, max_steps=20, **more)
    split, _ = trained(network, digits, architecture, max_steps=20, accumulate=4, **more)
    assert not torch.equal(whole, weights(network))
    assert float((whole - split).abs().max()) < 1e-5


def test_readers_in_other_processes_change_nothing(network, digits, architecture) -> None:
    one, _ = trained(network, digits, architecture, auto_augment="rand-m9-mstd0.5-inc1")
    other, _ = trained(
        network, digits, architecture, auto_augment="rand-m9-mstd0.5-inc1", workers=1
    )
    assert torch.equal(one, other)


@pytest.mark.usefixtures("fresh_state")
def test_fp16_on_a_cpu_would_do_nothing_and_is_refused(network, digits, architecture) -> None:
    with pytest.raises(UsageError, match="--amp fp16 is not to be had here"):
        trained(network, digits, architecture, amp="fp16")


@pytest.mark.usefixtures("fresh_state")
def test_low_precision_trains_and_differs(network, digits, architecture) -> None:
    half, fitted = trained(network, digits, architecture, amp="bf16")
    assert np.isfinite(fitted.history[0].loss)
    AcceleratorState._reset_state(reset_partial_state=True)
    plain, _ = trained(network, digits, architecture)
    assert 0 < float((plain - half).abs().max()) < 0.1


@pytest.mark.usefixtures("fresh_state")
def test_a_second_precision_in_one_process_is_refused(network, digits, architecture) -> None:
    trained(network, digits, architecture)
    with pytest.raises(UsageError, match="--amp bf16 is not to be had here") as caught:
        trained(network, digits, architecture, amp="bf16")
    assert "one precision" in caught.value.hint


def test_synchronised_batch_norms_on_a_cpu_are_refused(network, digits, architecture) -> None:
    with pytest.raises(UsageError, match="--sync-bn needs GPUs"):
        trained(network, digits, architecture, sync_bn=True)


def test_a_callers_own_accelerator_is_used(network, digits, architecture) -> None:
    mine = Accelerator()
    used = []
    backward = mine.backward
    mine.backward = lambda loss: (used.append(loss), backward(loss))[1]
    fit(network, digits, architecture, options(), accelerator=mine)
    assert len(used) == 5


def test_the_best_epoch_is_kept_and_a_plateau_ends_it(network, digits, architecture) -> None:
    kept = InMemory()
    fitted = fit(
        network, digits, architecture,
        options(epochs=9, max_steps=None, lr=1e-12, batch_size=256, patience=2), keeper=kept,
    )  # fmt: skip
    assert len(fitted.history) == 3
    assert fitted.best == 0
    assert kept.weights is not None
    assert all(torch.equal(kept.weights[n], t) for n, t in network.state_dict().items())


def test_a_loss_that_is_no_number_names_the_update(network, digits, architecture) -> None:
    with pytest.raises(
        ModelError, match=r"the loss is nan at update [1-9]\d* of epoch 1"
    ) as caught:
        trained(network, digits, architecture, lr=1e12, max_steps=20)
    assert "--clip-grad" in caught.value.hint


class Hungry(nn.Module):
    """A network that has memory for so many images only."""

    def __init__(self, inner: nn.Module, room: int) -> None:
        super().__init__()
        self.inner = inner
        self.room = room

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and len(images) > self.room:
            raise torch.OutOfMemoryError("out of memory")
        return self.inner(images)


def test_out_of_memory_says_what_fits(network, digits, architecture) -> None:
    with pytest.raises(ModelError, match="32 images in a pass; 8 fit") as caught:
        trained(Hungry(network, 8), digits, architecture)
    assert "--accumulate 4" in caught.value.hint


def test_auto_batch_splits_updates_and_changes_nothing_else(network, digits, architecture) -> None:
    whole, _ = trained(network, digits, architecture)
    with pytest.warns(UserWarning, match="memory ran out: updates are split"):
        fitted = fit(
            hungry := Hungry(copy.deepcopy(network), 8), digits, architecture,
            options(auto_batch=True), progress=WarningsOnly(),
        )  # fmt: skip
    assert fitted.accumulate == 4
    assert float((whole - weights(hungry.inner)).abs().max()) < 1e-5


def test_a_teacher_is_learnt_from_softly_or_hard_and_left_alone(
    network, digits, architecture
) -> None:
    teacher = Teacher(module=copy.deepcopy(network), architecture=architecture)
    with torch.no_grad():
        teacher.module.get_classifier().bias += torch.arange(10.0)
    teacher.module.train()
    before = weights(teacher.module)
    results = {"none": trained(network, digits, architecture)[0]}
    for kind in ("soft", "hard"):
        student = copy.deepcopy(network)
        fit(student, digits, architecture, options(distillation=kind), teacher=teacher)
        results[kind] = weights(student)
    assert torch.equal(weights(teacher.module), before)
    assert teacher.module.training
    assert all(parameter.requires_grad for parameter in teacher.module.parameters())
    assert not torch.equal(results["none"], results["soft"])
    assert not torch.equal(results["soft"], results["hard"])


def test_a_teacher_sees_images_normalised_as_it_wants(architecture) -> None:
    class Mean(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3))

    other = replace(architecture, preprocessing={"mean": [0.25] * 3, "std": [0.125] * 3})
    teacher = Teacher(module=Mean(), architecture=other)
    grey = torch.full((1, 3, 4, 4), (0.75 - 0.5) / 0.5)
    assert torch.allclose(teacher.logits(grey, architecture), torch.full((1, 3), 4.0))


def test_a_teacher_of_other_classes_is_refused(network, digits, architecture) -> None:
    teacher = Teacher(module=network, architecture=replace(architecture, num_classes=7))
    with pytest.raises(ModelError, match="knows 7 classes, the network 10"):
        fit(network, digits, architecture, options(distillation="soft"), teacher=teacher)


def test_a_distilled_transformer_learns_with_its_second_head() -> None:
    first, second = torch.randn(4, 10), torch.randn(4, 10, requires_grad=True)
    labels, taught = torch.arange(4), torch.randn(4, 10)
    half = options(distillation="hard", distillation_alpha=0.5)
    loss = loss_of((first, second), labels, taught, half)
    own = nn.functional.cross_entropy(first, labels)
    theirs = nn.functional.cross_entropy(second, taught.argmax(1))
    assert torch.allclose(loss, (own + theirs) / 2)
    loss.backward()
    assert second.grad is not None


def test_a_network_whose_like_agrees_has_nothing_to_learn_softly() -> None:
    logits = torch.randn(4, 10)
    soft = options(distillation="soft", distillation_alpha=1.0, distillation_tau=3.0)
    assert float(loss_of(logits, torch.arange(4), logits, soft)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_vit"])
def test_branches_are_dropped_in_training_and_restored_afterwards(name: str) -> None:
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=10).train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    before = str(network)
    images = torch.randn(8, 3, 160, 160)
    with stochastic_depth(network, 0.9) as blocks:
        assert blocks > 1
        torch.manual_seed(0)
        one = network(images)
        torch.manual_seed(1)
        assert not torch.allclose(one, network(images))
    assert str(network) == before


def test_a_network_without_branches_cannot_drop_them(digits, architecture) -> None:
    plain = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 10))
    with pytest.raises(ModelError, match="no residual branches"):
        fit(plain, digits, architecture, options(drop_path=0.1))


def test_every_image_is_seen_once_and_shared_by_processes() -> None:
    schedule = Schedule(count=100, batch=24, repeats=1, seed=0)
    passes = [
        list(schedule.passes(0, World(rank=i, size=2), accumulate=3, start=0)) for i in (0, 1)
    ]
    assert [len(each) for each in passes] == [12, 12]
    alone = list(schedule.passes(0, World(), accumulate=1, start=0))
    for update, batch in enumerate(alone):
        shared = [t for each in passes for p in each[3 * update : 3 * update + 3] for t in p]
        assert sorted(shared) == sorted(batch)
    places = [place for batch in alone for place, _ in batch]
    assert len(places) == len(set(places)) == 96
    later = list(schedule.passes(0, World(), accumulate=1, start=2))
    assert later == alone[2:]
    assert list(schedule.passes(1, World(), accumulate=1, start=0)) != alone


def test_repeated_augmentation_shows_fewer_images_more_often() -> None:
    order = Schedule(count=90, batch=30, repeats=3, seed=0).order(0)
    _, counts = np.unique(order, return_counts=True)
    assert len(order) == 90
    assert set(counts) == {3}


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"batch_size": 30, "accumulate": 4}, UsageError, "cannot be split into 4 passes"),
        ({"opt": "adamx"}, UnknownNameError, "unknown optimizer 'adamx'"),
        ({"batch_size": 5000}, DataError, "do not fill a batch of 5000"),
        ({"lr": float("nan")}, UsageError, "'lr' is wrong"),
        ({"sched": "wavy"}, UsageError, "'sched' is wrong"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    network, digits, architecture, given, error, words
) -> None:
    with pytest.raises(error, match=words):
        trained(network, digits, architecture, **given)


def test_a_batch_that_processes_cannot_share_is_refused() -> None:
    with pytest.raises(UsageError, match=r"3 processes, 1 passes"):
        schedule_of(options(), 1000, World(rank=0, size=3))


def test_a_preset_that_nobody_offers_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="unknown preset 'resnt'") as caught:
        options_of("resnt", {})
    assert "resnet" in caught.value.hint


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_what_is_given_overrides_a_preset(preset: str) -> None:
    assert options_of(preset, {"epochs": 30}).epochs == 30
    assert options_of(preset, {}).preset == preset
    assert options_of(preset, {}).epochs == PRESETS[preset]["epochs"]


@pytest.mark.parametrize("opt", ["sgd", "adamw", "lamb", "rmsprop"])
def test_a_state_comes_back_from_disk_as_it_was(tmp_path, network, opt: str) -> None:
    from timm.optim import create_optimizer_v2

    def parts(module: nn.Module) -> Parts:
        optimizer = create_optimizer_v2(module, opt=opt, lr=0.1, momentum=0.9)
        return Parts(module=module, optimizer=optimizer, average=copy.deepcopy(module), scaler=None)

    before = parts(network)
    network(torch.randn(2, 3, 160, 160)).sum().backward()
    before.optimizer.step()
    standing = Standing(epoch=3, update=2, updates=2, total=0.5, accumulate=2, best=1)
    save_state(tmp_path / "one", before, standing)
    torch.manual_seed(9)
    after = parts(timm.create_model("test_convnext", num_classes=10))
    assert load_state(tmp_path / "one", after) == standing
    save_state(tmp_path / "other", after, standing)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_an_image_that_cannot_be_read_ends_an_epoch_or_is_left_out(
    tmp_path, network, architecture
) -> None:
    from PIL import Image

    from ap_core.contracts import DataRequest
    from ap_train.data.folder import open_folder

    generator = np.random.default_rng(0)
    for label in range(10):
        (tmp_path / str(label)).mkdir()
        for number in range(12):
            pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / str(label) / f"{number}.png")
    request = DataRequest(
        name="folder", root=tmp_path, architecture=architecture, calibration=8, held_out=20
    )
    source = open_folder(request)
    broken = source.split(Split.TRAIN).name(5)
    with open(broken, "wb") as file:  # noqa: PTH123
        file.write(b"no image")
    few: dict[str, object] = {"max_steps": None, "batch_size": 8}
    with pytest.raises(DataError, match="cannot be read"):
        trained(network, source, architecture, **few)
    skipping = replace(source, request=replace(request, on_corrupt="skip"))
    _, fitted = trained(network, skipping, architecture, **few)
    assert fitted.skipped == (broken,)


class Once(InMemory):
    """Keeps states like a directory does; dies when it is told to keep the second one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.left = 1

    def load(self, parts: Parts) -> Standing | None:
        return load_state(self.path, parts) if self.path.exists() else None

    def save(self, parts: Parts, standing: Standing) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        save_state(self.path, parts, standing)


def test_an_epoch_that_stopped_after_its_last_update_is_still_judged(
    network, digits, architecture, tmp_path
) -> None:
    few: dict[str, object] = {"max_steps": 4, "checkpoint_steps": 4}
    whole, fitted = trained(network, digits, architecture, **few)
    with pytest.raises(KeyboardInterrupt):
        fit(
            copy.deepcopy(network), digits, architecture, options(**few),
            keeper=Once(tmp_path / "state"),
        )  # fmt: skip
    again = copy.deepcopy(network)
    keeper = Once(tmp_path / "state")
    keeper.left = 9
    resumed = fit(again, digits, architecture, options(**few), keeper=keeper)
    assert torch.equal(weights(again), whole)
    assert resumed.history[0].selection_loss == fitted.history[0].selection_loss
    assert resumed.history[0].loss == pytest.approx(fitted.history[0].loss)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"opt": "adamx"}, UnknownNameError),
        ({"batch_size": 5000}, DataError),
        ({"sync_bn": True}, UsageError),
    ],
)
def test_what_a_training_would_refuse_is_refused_before_anything_is_touched(
    network, digits, architecture, given, error
) -> None:
    before = str(network), weights(network)
    with pytest.raises(error):
        check(network, digits, architecture, options(**given), accelerator=Accelerator())
    check(network, digits, architecture, options(drop_path=0.1), accelerator=Accelerator())
    assert str(network) == before[0]
    assert torch.equal(weights(network), before[1])


@pytest.mark.filterwarnings("ignore:It is highly recommended to have 'opt_einsum'")
@pytest.mark.parametrize("opt", ["sgd", "lamb", "adan", "kron", "adafactorbv", "muon"])
def test_a_training_taken_up_again_ends_with_the_same_weights(
    digits, architecture, tmp_path, opt: str
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10)
    )
    given: dict[str, object] = {"opt": opt, "max_steps": 4, "checkpoint_steps": 2, "batch_size": 8}
    # Kron compiles what it computes, for longer than this takes.
    with torch.compiler.set_stance("force_eager"):
        whole, _ = trained(network, digits, architecture, **given)
        for left in (1, 9):
            keeper, again = Once(tmp_path / "state"), copy.deepcopy(network)
            keeper.left = left
            with nullcontext() if left > 1 else pytest.raises(KeyboardInterrupt):
                fit(again, digits, architecture, options(**given), keeper=keeper)
    assert torch.equal(weights(again), whole)


@pytest.mark.parametrize(
    ("opt", "words"),
    [("adahessian", "cannot be trained with"), ("fusedadam", "cannot be made")],
)
def test_an_optimizer_that_does_not_work_here_is_refused(
    network, digits, architecture, opt: str, words: str
) -> None:
    with pytest.raises(UsageError, match=f"the optimizer {opt} {words}") as caught:
        trained(network, digits, architecture, opt=opt)
    assert caught.value.hint == "sgd and adamw always can"


class Recalls(Once):
    """Goes on from a standing that it is given."""

    def __init__(self, standing: Standing) -> None:
        InMemory.__init__(self)
        self.standing = standing

    def load(self, parts: Parts) -> Standing | None:
        return self.standing

    def save(self, parts: Parts, standing: Standing) -> None:
        self.standing = standing


def test_seconds_of_an_epoch_count_on_where_it_was_taken_up_again(
    network, digits, architecture
) -> None:
    keeper = Recalls(Standing(update=2, updates=2, total=1.0, seconds=1000.0))
    (epoch,) = fit(network, digits, architecture, options(), keeper=keeper).history
    assert 1000 < epoch.seconds < 1100
    assert epoch.speed == pytest.approx(5 * 32 / epoch.seconds)


def distilled() -> nn.Module:
    torch.manual_seed(0)
    size = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 2, "num_heads": 3}
    return timm.create_model("deit_tiny_distilled_patch16_224", num_classes=10, **size)


class Never(nn.Module):
    """A teacher that nobody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise AssertionError("asked")


def test_without_distillation_both_heads_learn_from_labels_and_nobody_asks_the_teacher(
    digits, architecture
) -> None:
    network, before = distilled(), distilled()
    teacher = Teacher(module=Never(), architecture=architecture)
    fit(network, digits, architecture, options(lr=0.1), teacher=teacher)
    for head in ("head", "head_dist"):
        one, other = getattr(before, head).weight, getattr(network, head).weight
        assert not torch.equal(one, other), head


class Greedy(nn.Module):
    """Has memory for some images only, and looks whether earlier attempts let go of theirs."""

    def __init__(self, inner: nn.Module, room: int) -> None:
        super().__init__()
        self.inner = inner
        self.room = room
        self.held: list[weakref.ref[torch.Tensor]] = []
        self.alive: list[bool] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer = self.inner(images)
        if self.training and len(images) > self.room:
            self.alive += [each() is not None for each in self.held]
            self.held.append(weakref.ref(answer))
            raise torch.OutOfMemoryError("out of memory")
        self.alive += [each() is not None for each in self.held]
        return answer


@pytest.mark.parametrize("auto", [True, False])
def test_nothing_of_a_pass_that_ran_out_of_memory_lives_when_the_next_is_tried(
    network, digits, architecture, auto: bool
) -> None:
    greedy = Greedy(network, 8)
    with nullcontext() if auto else pytest.raises(ModelError, match="8 fit"):
        fitted_in_place(greedy, digits, architecture, auto_batch=auto)
    assert len(greedy.held) == 2
    assert len(greedy.alive) > 2
    assert not any(greedy.alive)


def fitted_in_place(
    module: nn.Module, digits: IndexedSource, architecture: Architecture, **more: object
) -> Fitted:
    return fit(module, digits, architecture, options(**more))


@pytest.mark.parametrize(
    ("batch", "room", "more", "accumulate"),
    [
        (100, 12, {}, 10),
        (50, 14, {}, 5),
        (36, 7, {"mixup": 0.5}, 6),
    ],
    ids=["hundred", "fifty", "pairs"],
)
def test_what_is_advised_where_memory_runs_out_divides_the_batch(
    network, digits, architecture, batch, room, more, accumulate
) -> None:
    with pytest.raises(ModelError, match="memory runs out") as caught:
        fitted_in_place(Hungry(network, room), digits, architecture, batch_size=batch, **more)
    assert f"--accumulate {accumulate} " in caught.value.hint
    options(batch_size=batch, accumulate=accumulate, **more)


def test_memory_for_no_pass_at_all_is_said(network, digits, architecture) -> None:
    with pytest.raises(ModelError, match="with 32 images in a pass, and with any fewer") as caught:
        fitted_in_place(Hungry(network, 0), digits, architecture)
    assert "--input-size" in caught.value.hint


def test_memory_that_runs_out_in_the_optimizer_is_said(network, digits, architecture) -> None:
    def hungry(optimizer: torch.optim.Optimizer, *_given: object) -> None:
        if sum(len(group["params"]) for group in optimizer.param_groups) > 4:
            raise torch.OutOfMemoryError("out of memory")

    hook = register_optimizer_step_pre_hook(hungry)
    try:
        with pytest.raises(ModelError, match="runs out in adamw itself, beside passes of 32"):
            fitted_in_place(network, digits, architecture, opt="adamw")
    finally:
        hook.remove()


def test_memory_that_runs_out_in_other_words_is_understood(network, digits, architecture) -> None:
    class Foreign(Hungry):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training and len(images) > self.room:
                raise RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)")
            return self.inner(images)

    fitted = fitted_in_place(Foreign(network, 16), digits, architecture, auto_batch=True)
    assert fitted.accumulate == 2


@pytest.mark.usefixtures("fresh_state")
@pytest.mark.parametrize(
    ("variable", "value", "words", "hint"),
    [
        ("ACCELERATE_MIXED_PRECISION", "bf16", "accelerate is set to bf16", "--amp bf16"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4", "over 4 steps", "--accumulate 4"),
    ],
)
def test_what_the_environment_asks_of_accelerate_is_refused_where_options_say_otherwise(
    network, digits, architecture, monkeypatch, variable, value, words, hint
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=words) as caught:
        trained(network, digits, architecture)
    assert hint in caught.value.hint


@pytest.mark.usefixtures("fresh_state")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gradient_accumulation_steps": 2}, "accumulates gradients over 2 steps"),
        ({"mixed_precision": "bf16"}, "--amp no is not what would run"),
    ],
)
def test_an_accelerator_that_would_do_other_than_the_options_is_refused(
    network, digits, architecture, given, words
) -> None:
    with pytest.raises(UsageError, match=words):
        fit(network, digits, architecture, options(), accelerator=Accelerator(**given))


def test_a_callers_accelerator_is_left_as_it_was(network, digits, architecture) -> None:
    mine = Accelerator()
    before = {name: list(value) for name, value in vars(mine).items() if isinstance(value, list)}
    fit(network, digits, architecture, options(ema_decay=0.9), accelerator=mine)
    assert before
    assert {name: vars(mine)[name] for name in before} == before


def test_batch_norms_are_synchronised_for_a_while_only() -> None:
    network = timm.create_model("test_resnet", num_classes=10)
    before = dict(network.named_modules())
    with synchronised(network):
        kinds = {type(part) for part in network.modules()}
        assert not any(kind in kinds for kind in (nn.BatchNorm2d, timm.layers.BatchNormAct2d))
        assert timm.layers.SyncBatchNormAct in kinds or nn.SyncBatchNorm in kinds
        with torch.no_grad():
            for value in network.state_dict().values():
                value.fill_(1)
    after = dict(network.named_modules())
    assert all(after[name] is part for name, part in before.items())
    assert all(bool((value == 1).all()) for value in network.state_dict().values())


@pytest.mark.parametrize(
    ("given", "error", "words", "hint"),
    [
        ({"mixup": 0.8, "batch_size": 33}, UsageError, "mix pairs of images", "multiple of 2"),
        ({"cutmix": 1.0, "batch_size": 6, "accumulate": 2}, UsageError, "pass would have 3", "4"),
        ({"auto_augment": "rand-q9"}, UsageError, "--auto-augment rand-q9", "rand-m9"),
        ({"auto_augment": "rnad-m9"}, UnknownNameError, "policy 'rnad'", "did you mean rand"),
        ({"auto_augment": "orignal"}, UnknownNameError, "policy 'orignal'", "original"),
    ],
)
def test_augmentation_that_makes_no_sense_is_refused(
    network, digits, architecture, given, error, words, hint
) -> None:
    with pytest.raises(error, match=words) as caught:
        trained(network, digits, architecture, **given)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("preset", "given", "words"),
    [
        ("convnext", {"epochs": 3}, "warm-up of 20 epochs leaves nothing of 3.*--warmup-epochs"),
        ("short", {"warmup_epochs": 10}, "warm-up of 10 epochs leaves nothing of 10"),
        ("deit", {"color_jitter": 0.3}, "changes no colours beside the policy rand-m9"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(preset: str, given, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        options_of(preset, given)


@pytest.mark.parametrize(("sched", "rates"), [("poly", [1.0, 0.5]), ("constant", [1.0, 1.0])])
def test_a_polynomial_is_a_straight_line_and_a_constant_stays(
    network, digits, architecture, sched: str, rates
) -> None:
    fitted = fit(
        network, digits, architecture,
        options(sched=sched, epochs=2, max_steps=None, batch_size=128, decay_rate=0.3, lr=1e-3),
    )  # fmt: skip
    found = [epoch.learning_rate / 1e-3 for epoch in fitted.history]
    updates = len(digits.split(Split.TRAIN)) // 128
    last = 1 / (2 * updates)
    slope = rates[0] - rates[1]
    assert found == pytest.approx([1 - slope + 2 * slope * last, 1 - 2 * slope + 2 * slope * last])


def test_pairs_are_mixed_within_a_pass_however_an_update_is_split() -> None:
    schedule = Schedule(count=24, batch=24, repeats=1, seed=0)
    (whole,) = schedule.passes(0, World(), accumulate=1, start=0)
    pairs = {frozenset(pair) for pair in zip(whole, whole[::-1], strict=True)}
    for size, accumulate in ((1, 3), (2, 2), (3, 1)):
        found = set()
        for rank in range(size):
            world = World(rank=rank, size=size)
            for tickets in schedule.passes(0, world, accumulate=accumulate, start=0):
                found |= {frozenset(pair) for pair in zip(tickets, tickets[::-1], strict=True)}
        assert found == pairs


def test_passes_are_drawn_up_one_at_a_time() -> None:
    schedule = Schedule(count=1_280_000, batch=1000, repeats=1, seed=0)
    passes = schedule.passes(0, World(), accumulate=2, start=80)
    assert len(passes) == 2400
    tickets = next(iter(passes))
    assert len(tickets) == 500
    assert len({seed for _, seed in tickets}) == 500


def test_a_batch_is_a_tuple_that_torch_can_pin() -> None:
    batch = Batch(images=torch.zeros(1), labels=torch.zeros(1), skipped=("one",))
    assert isinstance(batch, tuple)
    assert type(batch)(*batch) == batch
