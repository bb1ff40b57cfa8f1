"""Reports in a real browser: on a phone and on a screen, by day and by night."""

from functools import cache
from pathlib import Path

import pytest
from browser import browser, look_at
from held_runs import Held
from latency_samples import latency
from networks import vit
from PIL import ImageStat
from run_samples import record, result, trial

from ap_core.cost import CostModel
from ap_core.plan import Plan
from ap_core.report.html import render_report, render_targets
from ap_core.runs.records import (
    BudgetRecord,
    CapRecord,
    EpochRecord,
    QualityRecord,
    RecoveryRecord,
    TrainingRecord,
    WeightsRecord,
)
from ap_core.strategy import Strategy

pytestmark = pytest.mark.skipif(not browser(), reason="no Chromium on PATH that starts")

PHONE, SCREEN = 400, 1200

WHOLE, CUT, RECOVERED, TRAINED = (
    QualityRecord(images=50_000, loss=1.0, top1=top1, top5=0.95)
    for top1 in (0.8012, 0.2145, 0.7712, 0.7923)
)


def made(number=1, **changes):
    """Result of a run whose budget is so many tenths of the whole network."""
    fields = {
        "macs": 800_000_000 * number, "base_macs": 8_000_000_000, "params": 2_000_000 * number,
        "base_params": 20_000_000, "value": 0.9 + number / 100, "baseline": WHOLE,
        "quality": RECOVERED,
        "latency": latency(seconds=0.0004 * number, machine={"processor": "Model T " * 4}),
    }  # fmt: skip
    return result(**fields | changes)


def one_run():
    """A run with everything that a page of one can show, and long names."""
    network = vit(6)
    widths = {group.name: max(1, group.width // 2) for group in network.groups}
    model = CostModel(network)
    plan = Plan(
        widths=widths, kept={name: tuple(range(width)) for name, width in widths.items()},
        macs=model.macs(widths), params=model.params(widths), value=0.75, bound=0.8,
    )  # fmt: skip
    epochs = [
        EpochRecord(epoch=n, loss=2 / (n + 1), learning_rate=1e-3, selection_loss=1.8 / (n + 1),
                    selection_top1=0.7 + n / 100, seconds=9.0, speed=800.0)
        for n in range(9)
    ]  # fmt: skip
    training = TrainingRecord(
        status="done", version="0.1.0", created="2026-01-02T03:04:05+00:00", command=("finetune",),
        options={"training": {"epochs": 9}}, data={"name": "glyphs"}, teacher="runs/teacher",
        processes=1, history=tuple(epochs), best=8, baseline=WHOLE, before=RECOVERED,
        after=TRAINED,
    )  # fmt: skip
    steered = Strategy(pressure={"block3.*": 1.5}, rationale="The last blocks are wide. " * 8)
    budget = BudgetRecord(caps=(CapRecord(metric="macs", limit=4_000_000_001),), band=0.005)
    done = record(
        status="done",
        budget=budget,
        command=("ap", "prune", "--model", "toy", "--output", "/a/" + "long/" * 20),
        weights=WeightsRecord(
            origin="random", sha256="0123456789abcdef" * 4, checkpoint="/x" * 60,
            warnings=("The classifier of the checkpoint has other classes.",),
        ),
        environment={"platform": "Linux-6.18-with-a-very-long-name-of-a-kernel", "torch": "2.0"},
        data={"name": "glyphs", "splits": {"train": {"images": 80, "sha256": "ab" * 32}}},
        result=made(
            5,
            counters={"torch_pruning_macs": 4_100_000_000},
            base_counters={"torch_pruning_macs": 8_200_000_000},
            recoveries=(RecoveryRecord(name="batchnorm", note="of 15 layers", before=CUT,
                                       after=RECOVERED),),
            latency=latency(),
        ),
        finetuned=TRAINED,
    )  # fmt: skip
    return Held(
        held=done,
        path=Path("runs", "a-run-with-a-name-that-is-rather-long"),
        whole=network,
        cut=plan,
        trained=training,
        tried=(trial(0, strategy=steered), trial(1, note="The plan of the first.")),
    )


def several_runs():
    """Two series that have most of their points side by side, and one run of other settings."""
    for number in (2, 4, 6, 8):
        budget = BudgetRecord(
            caps=(CapRecord(metric="macs", limit=800_000_001 * number),), band=0.005
        )
        for strategist in ("solver", "a-strategist-of-a-rather-long-name"):
            name = f"{strategist}-{number}"
            made_so = made(number, strategist=strategist)
            done = record(status="done", budget=budget, result=made_so)
            yield Held(held=done, path=Path("runs", "of-some-directory", name))
    other = made(5, latency=latency(batch_size=64, seconds=0.1, base_seconds=0.25))
    budget = BudgetRecord(caps=(CapRecord(metric="params", limit=10_000_000),), band=0.005)
    done = record(status="done", budget=budget, result=other)
    yield Held(held=done, path=Path("runs", "other"))


PAGES = {
    "one": lambda: render_report(one_run()),
    "several": lambda: render_targets(list(several_runs()), beside=Path()),
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Looks at a page, once for each scheme."""

    @cache
    def looked(name, scheme):
        place = tmp_path_factory.mktemp(name)
        return look_at(PAGES[name](), place, widths=(PHONE, SCREEN), scheme=scheme)

    return lambda name, width, scheme: looked(name, scheme)[width]


every_way = pytest.mark.parametrize(
    ("width", "scheme"),
    [(PHONE, "dark"), (PHONE, "light"), (SCREEN, "dark"), (SCREEN, "light")],
    ids=["phone-dark", "phone-light", "screen-dark", "screen-light"],
)
both_pages = pytest.mark.parametrize("name", PAGES)


@both_pages
@every_way
def test_a_page_is_no_wider_than_its_window(seen, name, width, scheme):
    found = seen(name, width, scheme).found
    assert found["width"] == width
    assert (found["scrolls"], found["sticking_out"], found["spilling"]) == (0, [], [])


@both_pages
@every_way
def test_a_page_asks_for_nothing_and_its_policy_forbids_nothing_of_it(seen, name, width, scheme):
    shown = seen(name, width, scheme)
    assert (shown.found["asked_for"], shown.console) == ([], [])


@both_pages
@every_way
def test_every_picture_is_told_of_in_words(seen, name, width, scheme):
    told = seen(name, width, scheme).found["pictures"]
    assert told
    assert all(told)


@both_pages
@every_way
def test_a_curve_is_drawn_once_for_the_width_of_the_window(seen, name, width, scheme):
    kinds = seen(name, width, scheme).found["curves"]
    curves = {"one": 2, "several": 3}[name]
    assert kinds == ["narrow" if width == PHONE else "wide"] * curves


@both_pages
@every_way
def test_texts_in_pictures_are_whole_and_not_over_each_other(seen, name, width, scheme):
    found = seen(name, width, scheme).found
    assert (found["overlapping"], found["cut_off"]) == ([], [])


@both_pages
@every_way
def test_all_text_stands_out_from_what_is_behind_it(seen, name, width, scheme):
    assert seen(name, width, scheme).found["faint"] == []


@both_pages
@every_way
def test_a_page_is_dark_for_those_who_prefer_it_and_else_light(seen, name, width, scheme):
    shown = seen(name, width, scheme)
    assert shown.found["dark"] is (scheme == "dark")
    middle = ImageStat.Stat(shown.picture.convert("L")).median[0]
    corner = sum(shown.picture.getpixel((2, 2))) / 3
    assert shown.picture.width == width
    if scheme == "dark":
        assert max(middle, corner) < 50
    else:
        assert min(middle, corner) > 230


def test_what_a_page_must_not_do_is_noticed(tmp_path):
    bad = (
        "<body><div style='width: 900px; color: #ccc; background: #fff'>wide and faint</div>"
        "<img src='http://127.0.0.1:9/x.png'>"
        "<svg width='90' height='20'><text x='80' y='12'>one</text><text x='82' y='14'>two</text>"
        "</svg></body>"
    )
    page = PAGES["several"]()
    page = page[: page.index("<body>")] + bad
    shown = look_at(page, tmp_path, widths=(PHONE,), scheme="light")[PHONE]
    found = shown.found
    assert found["scrolls"] >= 500
    assert len(found["sticking_out"]) == 1
    assert found["asked_for"] or shown.console
    assert found["pictures"] == ["", ""]
    assert found["overlapping"] == ["one / two"]
    assert found["cut_off"] == ["one", "two"]
    assert [text for _, text in found["faint"]] == ["wide and faint"]
