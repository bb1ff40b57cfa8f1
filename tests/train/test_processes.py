"""Several processes: what one decides, what all are told, what all end with."""

import json
from pathlib import Path

import pytest
from accelerate import Accelerator
from runs import launched

from ap_core.errors import DataError
from ap_train.training.options import TrainOptions
from ap_train.training.setup import PATIENCE, accelerator_of
from ap_train.training.world import world_of

PREAMBLE = """
import json, sys
from dataclasses import replace
from pathlib import Path

import timm
import torch
from accelerate.utils import gather_object

from ap_core.contracts import Architecture, DataRequest
from ap_core.errors import DataError
from ap_core.plugins.registry import Registry
from ap_train.training.options import TrainOptions
from ap_train.training.setup import accelerator_of

accelerator = accelerator_of(TrainOptions())
main = accelerator.is_main_process
architecture = Architecture(
    adapter="resnet", name="timm/test_resnet", num_classes=10, input_size=(3, 32, 32),
)


def tell(found):
    told = gather_object([found])
    if main:
        print(json.dumps(told))
    accelerator.end_training()
"""

OPENING = (
    PREAMBLE
    + """
from ap_train.data.folder import Folder
from ap_train.processes import open_together
from ap_train.training.world import world_of

root = Path(sys.argv[1])
read = []
before = Folder.read
Folder.read = lambda self, index: (read.append(index), before(self, index))[1]
request = DataRequest(
    name=str(root), root=None, architecture=replace(architecture, num_classes=2), calibration=4,
    on_corrupt="skip",
)
source = open_together(accelerator, Registry.from_entry_points(), request)


def refuse():
    raise DataError("no images", hint="give some")


try:
    world_of(accelerator).on_main(refuse)
except DataError as error:
    refused = [error.message, error.hint]
said = world_of(accelerator).on_main(lambda: accelerator.process_index)
tell([len(read), len(source.skipped), source.record()["splits"], refused, said])
"""
)

TRAINING = (
    PREAMBLE
    + """
from ap_train.data.digits import open_digits
from ap_train.training.loop import fit
from ap_train.training.presets import options_of

images = open_digits(DataRequest(name="digits", root=None, architecture=architecture))
torch.manual_seed(0)
network = timm.create_model("test_resnet", num_classes=10)
fit(
    network, images, architecture,
    options_of("short", {
        "batch_size": 32, "max_steps": 4, "lr": 1e-2, "workers": 0, "distillation": "none",
    }),
    accelerator=accelerator,
)
tell([network.bn1.running_mean.tolist(), network.bn1.running_var.tolist()])
"""
)


def told(tmp_path: Path, program: str, *arguments: object) -> list[list[object]]:
    """What each of two processes tells."""
    (tmp_path / "program.py").write_text(program)
    done = launched(2, tmp_path / "program.py", *arguments)
    assert done.returncode == 0, done.stderr
    answers: list[list[object]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_images_are_looked_at_once_and_all_take_the_main_processs_word(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "cats" / "3.png").write_bytes(b"no image")
    one, other = told(tmp_path, OPENING, folder)
    assert (one[0], other[0]) == (16, 0)
    assert one[1:] == other[1:]
    assert one[3] == ["no images", "give some"]
    assert one[4] == 0


def test_batch_norms_on_two_processes_end_alike(tmp_path: Path) -> None:
    one, other = told(tmp_path, TRAINING)
    assert one == other


def test_one_process_takes_its_own_word() -> None:
    assert world_of(Accelerator()).on_main(lambda: "so") == "so"
    with pytest.raises(DataError, match="no images"):
        world_of(Accelerator()).on_main(_refuse)


def _refuse() -> None:
    raise DataError("no images")


def test_processes_wait_for_one_that_prunes() -> None:
    accelerator = accelerator_of(TrainOptions())
    assert accelerator.init_handler.timeout == PATIENCE
