"""Blocks dropped whole, by the installed program: asked for, shown, kept, reloaded."""

import json

import pytest
from test_prune import RANDOM, ap, told_of_reloaded

VIT = ("--model", "test_vit", "--num-classes", "10", *RANDOM, "--target-macs", "50%")


@pytest.fixture(scope="module")
def dropped(tmp_path_factory):
    place = tmp_path_factory.mktemp("dropped")
    done = ap("prune", *VIT, "--drop", "blocks.4.*", "--output", "run", "--json", cwd=place)
    return place, json.loads(done.stdout)


def test_what_was_dropped_is_told(dropped):
    place, found = dropped
    assert found["dropped"] == ["blocks.4.attn", "blocks.4.mlp"]
    assert found["widths"]["blocks.4.mlp.fc1"] == 0
    assert found["macs"] <= found["target_macs"]
    shown = ap("runs", "show", "run", cwd=place).stdout
    assert "dropped whole" in shown
    page = (place / "run" / "report.html").read_text()
    assert "Dropped whole: blocks.4.attn, blocks.4.mlp." in page


def test_it_is_reloaded_in_another_process(dropped):
    place, found = dropped
    kind = "type(model.blocks[4]).__name__"
    said = told_of_reloaded(f"sum(p.numel() for p in model.parameters()), {kind}", place)
    assert said == [str(found["params"]), "Identity"]


def test_a_drop_that_makes_no_sense_is_a_usage_error(tmp_path):
    done = ap("prune", *VIT, "--drop", "blokcs.4.mlp", "--output", "run", cwd=tmp_path, code=2)
    assert "no block in timm/test_vit.r160_in1k matches 'blokcs.4.mlp'" in done.stderr
    assert not (tmp_path / "run").exists()
