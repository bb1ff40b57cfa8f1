"""Weights from a user's file."""

import pickle
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from ap_core.errors import CheckpointError
from ap_models.loading import zoo
from ap_models.loading.checkpoints import load_checkpoint, read_checkpoint
from ap_models.loading.digest import weights_digest


class Net(nn.Sequential):
    def __init__(self, classes=4):
        super().__init__(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, classes))


@pytest.fixture
def trained():
    torch.manual_seed(1)
    return Net()


@pytest.fixture
def fresh():
    torch.manual_seed(2)
    return Net()


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".safetensors"])
def test_a_state_dict_is_loaded(trained, fresh, tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(trained.state_dict(), path)
    load_checkpoint(fresh, path)
    assert weights_digest(fresh) == weights_digest(trained)


def test_the_format_from_before_archives_is_loaded(trained, fresh, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    load_checkpoint(fresh, tmp_path / "old.pth")
    assert weights_digest(fresh) == weights_digest(trained)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "optimizer": {}},
        lambda s: {"model": {"state_dict": s}},
        lambda s: {"state_dict": {k: torch.zeros_like(v) for k, v in s.items()}, "model_ema": s},
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"state_dict": {f"_orig_mod.module.{k}": v for k, v in s.items()}},
    ],
)
def test_what_trainers_wrap_around_it_is_taken_off(trained, fresh, tmp_path, wrap):
    torch.save(wrap(trained.state_dict()), tmp_path / "wrapped.pth")
    load_checkpoint(fresh, tmp_path / "wrapped.pth")
    assert weights_digest(fresh) == weights_digest(trained)


def test_a_checkpoint_in_the_authors_own_names_goes_through_timms_filter(tmp_path):
    whole = zoo.build("test_vit", num_classes=3)
    torch.save({"model": whole.state_dict()}, tmp_path / "big.pth")
    small = zoo.build("test_vit", num_classes=3, input_size=(3, 80, 80))
    load_checkpoint(small, tmp_path / "big.pth")
    assert torch.equal(small.head.weight, whole.head.weight)
    assert small.pos_embed.shape != whole.pos_embed.shape


def refusal(module, path):
    """Error of a checkpoint that must be refused, after a look that the network is untouched."""
    before = weights_digest(module)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(module, path)
    assert weights_digest(module) == before
    return caught.value


def test_other_classes_are_answered_with_the_flag_that_helps(trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "four.pth")
    error = refusal(Net(classes=7), tmp_path / "four.pth")
    assert "wrong shapes: 2.weight is 4 x 5 in the file, 7 x 5 in the network" in error.message
    assert error.hint == "only the classifier differs: say --num-classes 4"


def test_both_classifiers_of_a_distilled_network_are_known(tmp_path):
    torch.save(zoo.build("deit_tiny", num_classes=3).state_dict(), tmp_path / "three.pth")
    error = refusal(zoo.build("deit_tiny", num_classes=4), tmp_path / "three.pth")
    assert error.hint == "only the classifier differs: say --num-classes 3"


def test_wrong_shapes_are_named(trained, tmp_path):
    state = trained.state_dict() | {"0.weight": torch.zeros(5, 8)}
    torch.save(state, tmp_path / "shapes.pth")
    error = refusal(trained, tmp_path / "shapes.pth")
    assert "0.weight is 5 x 8 in the file, 5 x 3 in the network" in error.message
    assert "--num-classes" not in error.hint


def test_the_first_few_of_many_missing_tensors_are_named(trained, tmp_path):
    torch.save({"0.weight": trained[0].weight, "7.weight": torch.ones(1)}, tmp_path / "part.pth")
    message = refusal(trained, tmp_path / "part.pth").message
    assert "missing: 0.bias, 1.weight, 1.bias, 1.running_mean and 4 more" in message
    assert "not in the network: 7.weight" in message


def test_a_pickled_module_is_refused_with_the_reason(trained, tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "module.pth")
    error = refusal(trained, tmp_path / "module.pth")
    assert "holds pickled objects besides tensors, and loading them could run code" in error.message
    assert "torch.save(model.state_dict(), path)" in error.hint


@pytest.mark.parametrize("archive", [True, False])
def test_code_in_a_pickle_does_not_run(trained, tmp_path, archive):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "was here"), "w"))

    path = tmp_path / "malicious.pth"
    if archive:
        torch.save({"0.weight": Malicious()}, path)
    else:
        path.write_bytes(pickle.dumps(Malicious()))
    assert "could run code" in refusal(trained, path).message
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [3, 100, 0.9])
def test_a_truncated_file_is_refused(trained, tmp_path, suffix, keep):
    path = tmp_path / f"cut{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    save(trained.state_dict(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if keep > 1 else int(len(whole) * keep)])
    assert "damaged" in refusal(trained, path).message


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content", [b"<html>not found</html>", b"\x89PNG\r\n\x1a\n" + bytes(64), b"\x80"]
)
def test_a_foreign_file_is_refused(trained, tmp_path, suffix, content):
    path = tmp_path / f"foreign{suffix}"
    path.write_bytes(content)
    assert "damaged" in refusal(trained, path).message


@settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    start=st.sampled_from([b"", b"\x80", b"\x80\x02", b"\x80\x02}q\x00", b"PK\x03\x04"]),
    rest=st.binary(min_size=1, max_size=40),
)
def test_any_bytes_are_refused(tmp_path, start, rest):
    path = tmp_path / "any.pth"
    path.write_bytes(start + rest)
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_an_archive_of_something_else_is_refused(trained, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "damaged" in refusal(trained, tmp_path / "other.pth").message


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_empty_file_is_refused(trained, tmp_path, suffix):
    path = tmp_path / f"empty{suffix}"
    path.touch()
    assert refusal(trained, path).message == f"the checkpoint {path} is empty"


@pytest.mark.parametrize("content", [[], {}, {"epoch": 3}, torch.ones(3), {"a": {"b": 1}}])
def test_a_file_without_named_tensors_is_refused(trained, tmp_path, content):
    torch.save(content, tmp_path / "nothing.pth")
    assert "holds no tensors under names" in refusal(trained, tmp_path / "nothing.pth").message


def test_a_directory_a_missing_file_and_an_unknown_kind_are_told_apart(trained, tmp_path):
    (tmp_path / "weights.npz").touch()
    assert "is a directory" in refusal(trained, tmp_path).message
    assert "there is no checkpoint" in refusal(trained, tmp_path / "none.pth").message
    assert ".safetensors, .pth" in refusal(trained, tmp_path / "weights.npz").hint


def test_the_weights_of_a_run_are_explained(trained, tmp_path):
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "plan.json").write_text("{}")
    error = refusal(trained, tmp_path / "model.safetensors")
    assert "belongs to a run: its network was cut" in error.message
    assert f"ap_core.load_model({str(tmp_path)!r})" in error.hint


def test_reading_gives_tensors_by_their_bare_names(trained, tmp_path):
    torch.save({"state_dict": {"module.0.bias": trained[0].bias}}, tmp_path / "one.pth")
    assert read_checkpoint(tmp_path / "one.pth").keys() == {"0.bias"}
