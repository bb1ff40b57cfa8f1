"""What cells come to: means, spreads, ranks; by model and target, and over all."""

import pytest

from ap_bench.ablations.charts import contender_chart, search_curves
from ap_bench.ablations.records import CellRecord
from ap_bench.ablations.summary import Spread, by_target, overall, spread
from ap_bench.ablations.tables import overall_table, spelt
from ap_core.runs.records import LlmRecord, QualityRecord

NAMES = ("a", "b", "c")


def quality(top1: float) -> QualityRecord:
    return QualityRecord(images=100, loss=1.0, top1=top1, top5=1.0)


def cell(contender: str, top1: float | None, *, seed: int = 0, **more) -> CellRecord:
    fields = {
        "status": "done", "within": True, "limit": 1000, "macs": 998, "missed": 0.0, "trials": 4,
        "trials_to_band": 1, "held_out_loss": 0.5, "search_seconds": 2.0, "retained": 0.9,
        "quality": None if top1 is None else quality(top1), "baseline": quality(0.95),
        "seconds": {"load": 1.0, "verify": 0.5, "judge": 7.0}, "history": (0.7, 0.5),
    }  # fmt: skip
    return CellRecord(
        model="m", target="50%", seed=seed, contender=contender, run="r", **(fields | more)
    )


def missed(contender: str, share: float, **more) -> CellRecord:
    out = {"status": "missed", "within": False, "missed": share, "trials_to_band": None}
    return cell(contender, None, **(out | more))


def failed(contender: str, **more) -> CellRecord:
    return CellRecord(
        model="m", target="50%", seed=0, contender=contender, run="r", status="failed",
        failure="no room", **more,
    )  # fmt: skip


def ranks(*cells: CellRecord) -> dict[str, float | None]:
    found = overall(cells, NAMES)
    return {each.contender: each.rank and each.rank.mean for each in found}


def test_the_best_accuracy_within_the_band_ranks_first() -> None:
    assert ranks(cell("a", 0.8), cell("b", 0.9), cell("c", 0.7)) == {"a": 2, "b": 1, "c": 3}


def test_equals_share_the_mean_of_their_ranks() -> None:
    assert ranks(cell("a", 0.8), cell("b", 0.8), cell("c", 0.7)) == {"a": 1.5, "b": 1.5, "c": 3}


def test_who_missed_ranks_below_who_did_not_the_nearest_first_and_failures_last() -> None:
    assert ranks(missed("a", 0.2), cell("b", 0.1), missed("c", 0.1)) == {"a": 3, "b": 1, "c": 2}
    assert ranks(failed("a"), cell("b", 0.1), missed("c", 9.0)) == {"a": 3, "b": 1, "c": 2}


def test_without_images_the_value_retained_decides() -> None:
    found = ranks(*(cell(n, None, retained=r) for n, r in zip(NAMES, (0.5, 0.7, 0.6), strict=True)))
    assert found == {"a": 3, "b": 1, "c": 2}


def test_a_group_that_is_not_whole_has_no_ranks() -> None:
    assert ranks(cell("a", 0.8), cell("b", 0.9)) == {"a": None, "b": None}


def test_a_summary_counts_every_cell_and_means_those_that_have_the_figure() -> None:
    cells = [cell("a", 0.8), cell("a", 0.6, seed=1), missed("a", 0.1, seed=2, seconds={})]
    (found,) = by_target([*cells, failed("b")], NAMES)[:1]
    assert (found.cells, found.within, found.failed) == (3, 2, 0)
    assert found.top1 == Spread(
        mean=pytest.approx(0.7), deviation=pytest.approx(0.02**0.5), count=2
    )
    assert found.trials_to_band == Spread(mean=1.0, deviation=0.0, count=2)
    assert found.trials.count == 3
    assert found.macs.mean == pytest.approx(0.998)
    assert found.machinery_seconds == Spread(mean=1.5, deviation=0.0, count=2)
    assert found.calls is None


def test_calls_and_tokens_are_those_of_the_cells_that_asked() -> None:
    llm = LlmRecord(llm="x", model="y", calls=3, input_tokens=10, output_tokens=5, seconds=1.0)
    (found,) = overall([cell("a", 0.8, llm=llm)], ("a",))
    assert found.calls == Spread(mean=3.0, deviation=None, count=1)
    assert found.tokens.mean == 15


def test_one_value_has_no_deviation_and_none_no_mean() -> None:
    assert spread([2.0]) == Spread(mean=2.0, deviation=None, count=1)
    assert spread([None]) is None


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "-"),
        (Spread(mean=0.631, deviation=None, count=1), "63.1"),
        (Spread(mean=0.631, deviation=0.012, count=3), "63.1 ± 1.2"),
    ],
)
def test_spreads_are_spelt(found: Spread | None, text: str) -> None:
    assert spelt(found, scale=100) == text


def test_figures_that_nobody_has_are_no_columns() -> None:
    columns, rows = overall_table(overall([cell("a", 0.8)], ("a",)))
    assert "calls" not in columns
    assert "failed" not in columns
    assert len(rows[0]) == len(columns)
    columns, _ = overall_table(overall([cell("a", 0.8), failed("b")], NAMES))
    assert "failed" in columns


def test_bars_are_accuracies_beside_the_uncut_network() -> None:
    chart = contender_chart(by_target([cell("a", 0.8), missed("b", 0.1)], NAMES))
    (section,) = chart.sections
    assert section.heading == "m at 50%"
    assert [(bar.label, bar.before, bar.after) for bar in section.bars] == [
        ("a", 0.95, 0.8), ("b", 0.95, 0.0),
    ]  # fmt: skip
    assert [bar.share for bar in section.bars] == ["1/1 within", "0/1 within"]


def test_without_images_bars_are_the_cells_within() -> None:
    cells = [cell("a", None), missed("a", 0.1, seed=1)]
    chart = contender_chart(by_target(cells, ("a",)))
    assert chart.title == "Cells within the band"
    assert [(bar.before, bar.after) for bar in chart.sections[0].bars] == [(1.0, 0.5)]


def test_a_search_that_ended_early_keeps_its_loss_in_the_curve() -> None:
    cells = [
        cell("a", 0.8, history=(None, 0.5)),
        cell("a", 0.8, seed=1, history=(0.9, 0.7, 0.3)),
        missed("b", 0.1, history=(None, None)),
    ]
    (found,) = search_curves(cells, NAMES)
    assert found.summary == ("a, : 2 trials, 0.6; a, : 3 trials, 0.4")
    assert [line.name for line in found.lines] == ["a"]
