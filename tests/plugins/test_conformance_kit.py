"""The conformance kit on everything but adapters: it passes good things and finds bad ones."""

import random
from dataclasses import replace
from itertools import count

import click
import pytest
import torch

from ap_core.contracts import Architecture, DataRequest, LlmReply, Pair
from ap_core.plugins.offers import ExporterOffer, ImportanceOffer, TimerOffer
from ap_core.plugins.registry import Registry
from ap_core.testing import (
    check_command,
    check_dataset,
    check_exporter,
    check_importance,
    check_llm_backend,
    check_meter,
    check_recovery,
    check_strategist,
    check_timer,
)

# ---- importances


def importance(score, **settings):
    return ImportanceOffer(name="mine", summary="", load=lambda: score, **settings)


def l1(part, generator):
    return part.weight.abs().sum(dim=1)


def scaled_in_place(part, generator):
    return part.weight.mul_(2).abs().sum(dim=1)


IMPORTANCES = {
    "has the shape (8, 36) instead of (8,)": lambda part, generator: part.weight.abs(),
    "is negative": lambda part, generator: -l1(part, generator),
    "is not finite": lambda part, generator: l1(part, generator) / part.weight.abs().max() / 0,
    "is of type torch.int64": lambda part, generator: l1(part, generator).long(),
    "differs from call to call": lambda part, generator: torch.rand(part.weight.shape[0]),
    "changed what it was given": scaled_in_place,
    "scores no layer at all": lambda part, generator: None,
    "keeps the graph": lambda part, generator: (
        l1(part, generator) * torch.ones(1, requires_grad=True)
    ),
}


def test_a_good_importance_passes():
    check_importance(importance(l1))


def test_an_importance_that_draws_from_the_generator_passes():
    check_importance(importance(lambda p, g: torch.rand(p.weight.shape[0], generator=g)))


def test_a_data_driven_importance_passes():
    taylor = importance(lambda p, g: (p.weight * p.gradient).sum(dim=1).abs(), needs_data=True)
    check_importance(taylor)


def test_an_importance_that_keeps_its_need_of_data_secret_is_found():
    with pytest.raises(TypeError):
        check_importance(importance(lambda p, g: (p.weight * p.gradient).sum(dim=1).abs()))


def test_a_division_by_the_norm_is_found_by_zero_weights():
    with pytest.raises(AssertionError, match="is not finite"):
        check_importance(importance(lambda p, g: l1(p, g) / p.weight.norm()))


@pytest.mark.parametrize("fault", IMPORTANCES)
def test_a_bad_importance_is_found(fault):
    with pytest.raises(AssertionError) as caught:
        check_importance(importance(IMPORTANCES[fault]))
    assert fault in str(caught.value)


@pytest.mark.parametrize("name", sorted(Registry.from_entry_points().importances))
def test_every_importance_that_is_installed_conforms(name):
    check_importance(Registry.from_entry_points().importances[name])


# ---- data sets

REQUEST = DataRequest(
    name="noise",
    root=None,
    architecture=Architecture(adapter="a", name="n", num_classes=5, input_size=(3, 4, 4)),
    batch_size=4,
    calibration=8,
    held_out=8,
)


class Noise:
    num_classes = 5

    def __init__(self, request):
        self.request = request

    def calibration(self):
        return self.batches(3 * self.request.seed)

    def held_out(self):
        return self.batches(3 * self.request.seed + 1)

    def report(self):
        return self.batches(3 * self.request.seed + 2)

    def batches(self, seed):
        generator = torch.Generator().manual_seed(seed)
        for _ in range(2):
            images = torch.rand((4, 3, 4, 4), generator=generator)
            yield images, torch.randint(5, (4,), generator=generator)

    def record(self):
        return {"name": "noise"}


class SharedSplits(Noise):
    def held_out(self):
        return self.calibration()


class Seedless(Noise):
    def calibration(self):
        return self.batches(100)


class Shuffled(Noise):
    calls = count(100)

    def calibration(self):
        return self.batches(next(self.calls))


class Greedy(Noise):
    def calibration(self):
        for _ in range(2):
            yield from super().calibration()


class Doubled(Noise):
    def batches(self, seed):
        return ((images.double(), labels) for images, labels in super().batches(seed))


class Unknown(Noise):
    def batches(self, seed):
        return ((images, labels + 5) for images, labels in super().batches(seed))


class Large(Noise):
    def batches(self, seed):
        return ((images.repeat(1, 1, 2, 2), labels) for images, labels in super().batches(seed))


class Empty(Noise):
    def held_out(self):
        return iter(())


SOURCES = {
    "8 images are in the calibration and in the held_out split": SharedSplits,
    "the seed changes nothing": Seedless,
    "the calibration split differs when it is read again": Shuffled,
    "the calibration split holds 16 images, 8 were asked for": Greedy,
    "images are of type torch.float64": Doubled,
    "labels of the calibration split name unknown classes": Unknown,
    "has the shape (4, 3, 8, 8), not (4, 3, 4, 4)": Large,
    "the held_out split is empty": Empty,
}


def test_a_good_data_set_passes():
    check_dataset(Noise, REQUEST)


@pytest.mark.parametrize("fault", SOURCES)
def test_a_bad_data_set_is_found(fault):
    with pytest.raises(AssertionError) as caught:
        check_dataset(SOURCES[fault], REQUEST)
    assert fault in str(caught.value)


# ---- strategists


class Smoothing:
    def propose(self, evidence):
        if len(evidence.trials) == 3:
            return None
        return evidence.base.model_copy(update={"smoothing": 0.1 * len(evidence.trials)})


class Forgetful:
    def __init__(self):
        self.asked = 0

    def propose(self, evidence):
        self.asked += 1
        return evidence.base.model_copy(update={"smoothing": 0.1 * self.asked})


class Global:
    def propose(self, evidence):
        return evidence.base.model_copy(update={"smoothing": random.random()})


class Idle:
    def propose(self, evidence):
        return None


class Wishful:
    def propose(self, evidence):
        return evidence.base.model_copy(update={"importance": "hessian"})


STRATEGISTS = {
    "proposal 1 of a fresh strategist is": Forgetful,
    "proposal 0 of a fresh strategist is": Global,
    "it proposed nothing at all": Idle,
    "the importance 'hessian', whose scores are not at hand": Wishful,
}


def test_a_good_strategist_passes():
    check_strategist(Smoothing)


@pytest.mark.parametrize("fault", STRATEGISTS)
def test_a_bad_strategist_is_found(fault):
    with pytest.raises(AssertionError) as caught:
        check_strategist(STRATEGISTS[fault])
    assert fault in str(caught.value)


# ---- recoveries and meters


@pytest.fixture
def module():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).eval()


DATA = Noise(REQUEST)


def shift(module, data):
    with torch.no_grad():
        module[0].bias += 1
    return "shifted 3 biases"


def shift_in_silence(module, data):
    shift(module, data)
    return ""


def freeze(module, data):
    module[0].bias.requires_grad_(requires_grad=False)
    return shift(module, data)


def explode(module, data):
    with torch.no_grad():
        module[0].bias.fill_(float("inf"))
    return "done"


def stir(module, data):
    with torch.no_grad():
        module[0].bias += torch.randn(3)
    return "done"


RECOVERIES = {
    "it said '' and changed 1 tensors": shift_in_silence,
    "it said 'done' and changed 0 tensors": lambda module, data: "done",
    "it changed requires_grad of 0.bias": freeze,
    "it left 0.bias not finite": explode,
    "it does not do the same each time": stir,
    "instead of a line of text": lambda module, data: None,
    "it returned several lines": lambda module, data: "one\ntwo",
}


def test_a_good_recovery_passes_and_the_network_is_left_alone(module):
    before = module[0].bias.clone()
    check_recovery(shift, module, DATA)
    assert torch.equal(module[0].bias, before)


@pytest.mark.parametrize("fault", RECOVERIES)
def test_a_bad_recovery_is_found(fault, module):
    with pytest.raises(AssertionError) as caught:
        check_recovery(RECOVERIES[fault], module, DATA)
    assert fault in str(caught.value)


def weights(module, *, input_size, data):
    return {"weights": sum(p.numel() for p in module.parameters())}


def changing(module, *, input_size, data):
    module.train()
    return weights(module, input_size=input_size, data=data)


KEYS = count()

METERS = {
    "the meter changed training mode of": changing,
    "it measured nothing": lambda module, **_: {},
    "its keys differ": lambda module, **_: {f"key{next(KEYS)}": 1},
    "loss is nan": lambda module, **_: {"loss": float("nan")},
    "loss is tensor(1.), no int or float": lambda module, **_: {"loss": torch.tensor(1.0)},
    "loss is True, no int or float": lambda module, **_: {"loss": True},
}


class Clock:
    """A timer of made-up seconds."""

    def __init__(self, seconds=0.5, about=None, rounds=None):
        self.seconds, self.rounds = seconds, rounds
        self.abouts = iter(about or [])

    def about(self):
        return next(self.abouts, {"processor": "made up"})

    def beside(self, module, *, rounds):
        return [Pair(whole=1.0, other=self.seconds)] * (self.rounds or rounds)


class TrainingClock(Clock):
    def beside(self, module, *, rounds):
        module.train()
        return super().beside(module, rounds=rounds)


TIMERS = {
    "it says nothing of what its times depend on": Clock(about=[{}]),
    "'processors': 2 is no text": Clock(about=[{"processors": 2}]),
    "what it says of itself has changed": Clock(about=[{"load": "1"}, {"load": "2"}]),
    "asked for 3 rounds, it made 1": Clock(rounds=1),
    "1 is no float": Clock(seconds=1),
    "nan are no seconds": Clock(seconds=float("nan")),
    "0.0 are no seconds": Clock(seconds=0.0),
    "the timer changed training mode of": TrainingClock(),
}


def timed(clock, module):
    offer = TimerOffer(name="mine", summary="", load=lambda: lambda *_: clock)
    check_timer(offer, module, module, input_size=(1, 2, 2))


def test_a_good_timer_passes(module):
    timed(Clock(), module)


@pytest.mark.parametrize("fault", TIMERS)
def test_a_bad_timer_is_found(fault, module):
    with pytest.raises(AssertionError) as caught:
        timed(TIMERS[fault], module)
    assert fault in str(caught.value)


def test_a_good_meter_passes(module):
    check_meter(weights, module, input_size=(1, 2, 2))


@pytest.mark.parametrize("fault", METERS)
def test_a_bad_meter_is_found(fault, module):
    with pytest.raises(AssertionError) as caught:
        check_meter(METERS[fault], module, input_size=(1, 2, 2))
    assert fault in str(caught.value)


# ---- exporters

LINEAR = """
import sys
import numpy as np
import torch

file, asked, answered = sys.argv[1:]
weights = torch.load(file, weights_only=True)
with np.load(asked) as batches:
    images = {name: torch.from_numpy(batches[name]).flatten(1) for name in batches}
outputs = {name: each @ weights["1.weight"].T + weights["1.bias"] for name, each in images.items()}
np.savez(answered, **outputs)
"""


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Name of a program that reads what `write` writes of a linear layer."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "linear_reader.py").write_text(LINEAR)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    return "linear_reader"


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3)).eval()


@pytest.fixture
def place(tmp_path):
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def write(module, request, path):
    torch.save(module.state_dict(), path)


def write_and_train(module, request, path):
    module.train()
    write(module, request, path)


def write_once(module, request, path):
    if not path.exists():
        write(module, request, path)


def write_two(module, request, path):
    write(module, request, path)
    path.with_suffix(".data").touch()


def write_others(module, request, path):
    torch.save({name: value + 1 for name, value in module.state_dict().items()}, path)


EXPORTERS = {
    "the exporter changed training mode of": write_and_train,
    "it did not write the file that was asked for": lambda module, request, path: None,
    "it left the file empty": lambda module, request, path: path.touch(),
    "it left .fp32-None.data beside the file": write_two,
    "it keeps a file that is there already": write_once,
    "in fp32 the file's outputs differ by": write_others,
}


def exporter(write, **settings):
    return ExporterOffer(name="mine", summary="", load=lambda: write, **settings)


def test_a_good_exporter_passes(linear, place, reader):
    check_exporter(exporter(write, reader=reader), linear, input_size=(1, 2, 2), place=place)


def test_an_exporter_without_a_reader_passes(module, place):
    check_exporter(exporter(write), module, input_size=(1, 2, 2), place=place)


def test_an_exporter_is_asked_for_every_precision_that_it_offers(linear, place):
    seen = []

    def record(module, request, path):
        seen.append((str(module[1].weight.dtype), request.precision, request.batch_size))
        write(module, request, path)

    offer = exporter(record, precisions=("fp16", "bf16"))
    check_exporter(offer, linear, input_size=(1, 2, 2), place=place)
    assert seen[::2] == [
        ("torch.float16", "fp16", None),
        ("torch.float16", "fp16", 3),
        ("torch.bfloat16", "bf16", None),
        ("torch.bfloat16", "bf16", 3),
    ]


@pytest.mark.parametrize("fault", EXPORTERS)
def test_a_bad_exporter_is_found(fault, linear, place, reader):
    offer = exporter(EXPORTERS[fault], reader=reader)
    with pytest.raises(AssertionError) as caught:
        check_exporter(offer, linear, input_size=(1, 2, 2), place=place)
    assert fault in str(caught.value)


# ---- commands


@click.command()
@click.option("--loud", is_flag=True, help="In capitals.")
def hello(loud):
    """Say hello."""


@click.command()
def silent():
    pass


@click.command()
@click.option("--loud", is_flag=True)
def undocumented(loud):
    """Say hello."""


@click.command()
@click.option("-q", "--queue", help="Where to.")
def greedy(queue):
    """Say hello."""


@click.command(cls=type("Broken", (click.Command,), {"format_help": lambda *_: 1 / 0}))
def broken():
    """Say hello."""


COMMANDS = {
    "is no click.Command": print,
    "it does not say what it does": silent,
    "--loud does not say what it is for": undocumented,
    "-q is what every command has already": greedy,
    "--help ends with 1: ZeroDivisionError": broken,
}


def test_a_good_command_passes():
    check_command(hello)


@pytest.mark.parametrize("fault", COMMANDS)
def test_a_bad_command_is_found(fault):
    with pytest.raises(AssertionError) as caught:
        check_command(COMMANDS[fault])
    assert fault in str(caught.value)


@pytest.mark.parametrize("name", sorted(Registry.from_entry_points().commands))
def test_every_command_that_is_installed_conforms(name):
    check_command(Registry.from_entry_points().commands[name].make())


# ---- LLM backends

REPLY = LlmReply(text='{"answer": 1}', model="m", input_tokens=3, output_tokens=2)


class Scripted:
    def __init__(self, reply):
        self.reply = reply

    def complete(self, *, system, prompt, schema):
        return self.reply


REPLIES = {
    "which is no LlmReply": "text",
    "the reply holds no text": replace(REPLY, text=""),
    "the reply names no model": replace(REPLY, model=""),
    "-1 is no count of tokens": replace(REPLY, output_tokens=-1),
}


def test_a_good_backend_passes():
    check_llm_backend(lambda: Scripted(REPLY))


@pytest.mark.parametrize("fault", REPLIES)
def test_a_bad_backend_is_found(fault):
    with pytest.raises(AssertionError) as caught:
        check_llm_backend(lambda: Scripted(REPLIES[fault]))
    assert fault in str(caught.value)
