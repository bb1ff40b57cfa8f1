"""What an LLM replies becomes a strategy, or a complaint; nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ap_core.agents.profiling import Names
from ap_core.agents.reply import (
    DEEPEST,
    LARGEST,
    LONGEST,
    MOST,
    ReplyError,
    parse,
    printable,
    schema_of,
    strategy_of,
)
from ap_core.strategy import Ranking, Reduction, Strategy

NAMES = Names(
    groups={"S1": "hidden(linear.out [l]inear.in)", "heads": "heads", "blocks.0": "blocks.0"},
    blocks={"blocks.1.mlp": "blocks.1.mlp", "b[2]": "b[[]2]"},
)
BASE = Strategy(importance="taylor", smoothing=0.5, keep=("stem",))
WHOLE = {
    "rationale": "S1 costs much",
    "importance": "fisher",
    "reduction": "max",
    "ranking": "global",
    "normalisation": None,
    "smoothing": 1,
    "pressure": [{"where": "S1", "value": 1.4}, {"where": "heads", "value": 0.5}],
    "floors": [{"where": "heads", "value": 0.5}],
    "widths": [],
    "keep": ["blocks.0", "blocks.1.mlp"],
    "drop": ["b[2]"],
    "depth": True,
    "round_to": 4,
    "stop": False,
}


def strategy(**fields):
    return strategy_of(parse(json.dumps(fields)), BASE, NAMES)


def test_a_whole_reply_becomes_a_strategy():
    assert strategy(**WHOLE) == Strategy(
        importance="fisher",
        reduction=Reduction.MAX,
        ranking=Ranking.GLOBAL,
        smoothing=1.0,
        pressure={NAMES.groups["S1"]: 1.4, "heads": 0.5},
        floors={"heads": 0.5},
        keep=("blocks.0", "blocks.1.mlp"),
        drop=("b[[]2]",),
        depth=True,
        round_to=4,
        rationale="S1 costs much",
    )


def test_what_is_left_out_or_null_stays_as_the_base_strategy_has_it():
    assert strategy(smoothing=None) == BASE
    assert strategy() == BASE


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"smoothing": 1.0}\n```',
        'Sure!\n{"smoothing": 1.0} Good luck.',
        ' {"smoothing":1}',
    ],
)
def test_words_round_the_json_do_no_harm(text):
    assert parse(text).smoothing == 1.0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the reply is empty"),
        (" \n\t", "the reply is empty"),
        ("I cannot help with that.", "holds no JSON object"),
        ("[1, 2]", "holds no JSON object"),
        ('{"smoothing": 1', "is no JSON"),
        ("{'smoothing': 1}", "is no JSON"),
        ('{"smoothing": NaN}', "NaN is no number of JSON"),
        ('{"smoothing": Infinity}', "Infinity is no number of JSON"),
        ('{"smoothing": 1e999}', "smoothing is wrong"),
        ('{"smoothing": "much"}', "smoothing is wrong"),
        ('{"smoothing": true}', "smoothing is wrong"),
        ('{"smoothing": [1]}', "smoothing is wrong"),
        ('{"pressure": {"S1": 2}}', "pressure is wrong"),
        ('{"pressure": [{"where": "S1"}]}', "pressure.0.value is wrong"),
        ('{"pressure": [{"where": 7, "value": 1}]}', "pressure.0.where is wrong"),
        ('{"pressure": [{"where": "S1", "value": "2"}]}', "pressure.0.value is wrong"),
        ('{"pressure": [{"where": "S1", "value": 1, "run": "rm -rf"}]}', "pressure.0.run is wrong"),
        ('{"round_to": 2.5}', "round_to is wrong"),
        ('{"stop": "yes"}', "stop is wrong"),
        ('{"keep": "stem"}', "keep is wrong"),
        ('{"command": "rm -rf /"}', "command is wrong"),
        ('{"__class__": "os.system"}', "__class__ is wrong"),
        ('{"\x1b[2J": 1}', "is no JSON"),
        ("x" * (LARGEST + 1), f"{LARGEST} are the most"),
        ('{"a":' * (DEEPEST + 1), "brackets more than"),
        ("{" + "[" * 100_000, "characters; "),
        (json.dumps({"keep": ["heads"] * (MOST + 1)}), "keep is wrong"),
    ],
)
def test_a_reply_of_no_use_is_complained_of(text, complaint):
    with pytest.raises(ReplyError) as caught:
        parse(text)
    assert complaint in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"pressure": [{"where": "S9", "value": 1}]}, "pressure names 'S9', which is in no table"),
        ({"keep": ["/etc/passwd"]}, "keep names '/etc/passwd', which is in no table"),
        ({"keep": ["*"]}, "keep names '*', which is in no table"),
        ({"drop": ["S1"]}, "drop names 'S1', which is in no table"),
        ({"keep": ["\x1b[31mred"]}, "keep names '[31mred', which is in no table"),
        ({"keep": ["x" * 5000]}, "which is in no table"),
        ({"pressure": [{"where": "S1", "value": -1}]}, "pressure.S1 is wrong"),
        ({"pressure": [{"where": "S1", "value": 1e9}]}, "pressure.S1 is wrong"),
        ({"widths": [{"where": "S1", "value": 5}]}, "widths.S1 is wrong"),
        ({"widths": [{"where": "S1", "value": 0}]}, "widths.S1 is wrong"),
        ({"floors": [{"where": "heads", "value": 1.5}]}, "floors.heads is wrong"),
        ({"smoothing": -1}, "smoothing is wrong"),
        ({"smoothing": 1e300}, "smoothing is wrong"),
        ({"round_to": 0}, "round_to is wrong"),
        ({"round_to": 10**30}, "round_to is wrong"),
        ({"ranking": "best"}, "ranking is wrong"),
        ({"reduction": "median"}, "reduction is wrong"),
    ],
)
def test_a_reply_that_makes_no_strategy_is_complained_of(fields, complaint):
    with pytest.raises(ReplyError) as caught:
        strategy(**fields)
    assert complaint in caught.value.message
    assert caught.value.message.isprintable()


def test_a_rationale_steers_no_terminal_and_is_not_endless():
    found = strategy(rationale="clear\x1b[2J\r\nthe \u202e screen " + "x" * 10_000)
    assert found.rationale.startswith("clear [2J the screen x")
    assert len(found.rationale) <= LONGEST
    assert found.rationale.isprintable()


@given(st.text())
def test_whatever_the_text_it_is_a_proposal_or_a_complaint(text):
    assert answer(text).isprintable()


def answer(text):
    """Complaint about a reply, or the name of the importance of the strategy that it makes."""
    try:
        found = strategy_of(parse(text), BASE, NAMES)
    except ReplyError as error:
        return error.message
    return Strategy.model_validate(dict(found)).importance.encode("ascii", "replace").hex()


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
AMOUNTS = st.lists(
    st.fixed_dictionaries(
        {"where": st.sampled_from(sorted(NAMES.groups)) | st.text(), "value": VALUES}
    ),
    max_size=3,
)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("pressure", "floors", "widths"), AMOUNTS | VALUES)
        | {name: VALUES for name in WHOLE if name not in ("pressure", "floors", "widths")},
    )
)
def test_whatever_the_values_it_is_a_strategy_or_a_complaint(fields):
    assert answer(json.dumps(fields)).isprintable()


def test_the_schema_is_closed_and_demands_every_field():
    schema = schema_of(("l2", "taylor"))
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"]) == set(WHOLE)
    amount = schema["properties"]["pressure"]["items"]
    assert amount["additionalProperties"] is False
    assert amount["required"] == ["where", "value"]
    assert schema["properties"]["importance"]["anyOf"][0]["enum"] == ["l2", "taylor"]
    assert "$ref" not in json.dumps(schema)
    assert "maxItems" not in json.dumps(schema)


@given(st.text())
def test_printable_text_is_printable(text):
    assert printable(text).isprintable()
