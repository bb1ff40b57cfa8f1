"""The registry, over plugins that are made on the spot."""

from types import ModuleType, SimpleNamespace

import pytest

from ap_core.errors import ExitCode, ModelError, PluginError, UnknownNameError
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.loading import Plugin
from ap_core.plugins.offers import ImportanceOffer, MeterOffer
from ap_core.plugins.problems import Owner
from ap_core.plugins.registry import Registry

SCORE = object()


def offer(name="mine", **settings):
    return ImportanceOffer(
        **{"name": name, "summary": "for a test", "load": lambda: SCORE} | settings
    )


def plugin(distribution="ap-third", **hooks):
    """Plugin whose hooks, unless they are functions, return these values."""
    made = {
        name: hookimpl(each if callable(each) else _returning(each)) for name, each in hooks.items()
    }
    owner = Owner(distribution=distribution, version="2.0", plugin=distribution)
    return Plugin(owner=owner, implementation=SimpleNamespace(**made))


def _returning(value):
    def hook():
        return value

    return hook


def registry_of(*plugins):
    return Registry.from_plugins(plugins)


def only_problem(*plugins):
    [problem] = registry_of(*plugins).problems
    return problem


def test_an_offer_is_found_by_its_name_and_makes_its_thing():
    registry = registry_of(plugin(ap_importances=[offer()]))
    assert list(registry.importances) == ["mine"]
    assert len(registry.importances) == 1
    assert "mine" in registry.importances
    assert registry.importances["mine"].make() is SCORE
    assert registry.importances.get("mine").summary == "for a test"
    assert registry.problems == ()


def test_the_owner_is_kept_beside_the_offer():
    registry = registry_of(plugin(ap_importances=[offer()]))
    expected = Owner(distribution="ap-third", version="2.0", plugin="ap-third")
    assert registry.importances.owner("mine") == expected
    assert registry.owners == (expected,)


def test_offers_of_one_kind_come_in_alphabetical_order():
    registry = registry_of(
        plugin(ap_importances=[offer("c"), offer("a")]),
        plugin("ap-other", ap_importances=[offer("b")]),
    )
    assert list(registry.importances) == ["a", "b", "c"]


def test_an_unknown_name_suggests_the_nearest():
    registry = registry_of(plugin(ap_importances=[offer("taylor"), offer("fisher")]))
    with pytest.raises(UnknownNameError, match="unknown importance 'tailor'") as caught:
        registry.importances["tailor"]
    assert caught.value.hint == "did you mean taylor?"
    assert "tailor" not in registry.importances
    assert registry.importances.get("tailor") is None
    assert registry.importances.get("tailor", 3) == 3


def test_a_hook_that_raises_loses_its_own_offers_only():
    def ap_meters():
        raise RuntimeError("out of luck")

    third = plugin(ap_meters=ap_meters, ap_importances=[offer()])
    problem = only_problem(third)
    assert problem.what == "ap_meters failed: RuntimeError: out of luck"
    assert problem.hint == "report it to the plugin's author"
    assert "mine" in registry_of(third).importances


def test_a_hook_that_raises_while_it_yields_is_survived():
    def ap_importances():
        yield offer()
        raise RuntimeError("half way")

    assert only_problem(plugin(ap_importances=ap_importances)).what == (
        "ap_importances failed: RuntimeError: half way"
    )


def test_a_hook_that_exits_is_survived():
    def ap_importances():
        raise SystemExit(3)

    assert only_problem(plugin(ap_importances=ap_importances)).what == (
        "ap_importances failed: SystemExit: 3"
    )


def test_a_hook_may_be_a_generator():
    def ap_importances():
        yield offer("a")
        yield offer("b")

    assert list(registry_of(plugin(ap_importances=ap_importances)).importances) == ["a", "b"]


@pytest.mark.parametrize("value", [None, 3, "l2", offer()])
def test_a_hook_that_returns_no_list_is_reported(value):
    problem = only_problem(plugin(ap_importances=value))
    assert problem.what == f"ap_importances returned {value!r} instead of a list of offers"
    assert problem.hint == "return a list, empty if need be"


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (("l2", "a tuple"), "which is no ImportanceOffer"),
        (MeterOffer(name="m", summary="", load="a:b"), "which is no ImportanceOffer"),
        (offer(""), "whose name is no single word"),
        (offer("two words"), "whose name is no single word"),
        (offer(load="module.attribute"), "whose import string is not 'module:attribute'"),
        (offer(load=3), "whose `load` is neither function nor import string"),
    ],
)
def test_a_wrong_record_is_reported_and_the_others_are_kept(record, fault):
    third = plugin(ap_importances=[record, offer("good")])
    problem = only_problem(third)
    assert problem.what == f"ap_importances returned {record!r}, {fault}"
    assert problem.hint == "return records of type ImportanceOffer"
    assert list(registry_of(third).importances) == ["good"]


def test_an_importance_among_the_meters_is_reported():
    assert only_problem(plugin(ap_meters=[offer()])).what.endswith("which is no MeterOffer")


def test_a_misspelt_hook_is_reported_with_the_nearest():
    problem = only_problem(plugin(ap_importence=[offer()]))
    assert problem.what == "there is no hook 'ap_importence'"
    assert problem.hint.startswith("did you mean ap_importances")


def test_a_hook_like_no_other_is_reported_with_all_that_there_are():
    problem = only_problem(plugin(zzz=[]))
    assert problem.hint.startswith("hooks: ap_model_adapters, ap_importances")


def test_a_hook_without_its_marker_is_reported():
    module = ModuleType("third.plugin")
    exec("def ap_importances():\n    return []\ndef ap():\n    pass\n", vars(module))  # noqa: S102
    owner = Owner(distribution="ap-third", version="2.0", plugin="ap-third")
    module.ap_importances.__module__ = "third.plugin"
    problem = only_problem(Plugin(owner=owner, implementation=module))
    assert problem.what == (
        "the function 'ap_importances' looks like a hook, but is not marked as one"
    )


def test_a_hook_that_wants_arguments_is_reported_and_its_plugin_skipped():
    def ap_importances(config):
        return [offer()]

    third = plugin(ap_importances=ap_importances, ap_meters=[])
    problem = only_problem(third)
    assert "'ap_importances'" in problem.what
    assert "config" in problem.what
    assert problem.hint == "hooks of ap take no arguments"
    assert list(registry_of(third, plugin("ap-other", ap_importances=[offer()])).importances) == [
        "mine"
    ]


def test_a_clash_names_both_owners_and_neither_can_be_used():
    registry = registry_of(
        plugin("ap-one", ap_importances=[offer(), offer("alone")]),
        plugin("ap-two", ap_importances=[offer()]),
    )
    [problem] = registry.problems
    assert problem.what == "the importance 'mine' is offered by ap-one 2.0 and by ap-two 2.0"
    assert problem.distribution == "ap-one and ap-two"
    assert list(registry.importances) == ["alone"]
    assert "mine" not in registry.importances
    for use in (registry.importances.__getitem__, registry.importances.get):
        with pytest.raises(PluginError, match=r"by ap-one 2\.0 and by ap-two 2\.0") as caught:
            use("mine")
        assert caught.value.exit_code == ExitCode.PLUGIN
        assert caught.value.hint == "neither can be used: uninstall one of them"


def test_one_name_for_two_kinds_is_no_clash():
    meter = MeterOffer(name="mine", summary="", load=lambda: SCORE)
    registry = registry_of(plugin(ap_importances=[offer()], ap_meters=[meter]))
    assert registry.problems == ()
    assert "mine" in registry.meters


def test_two_entry_points_that_lead_to_one_plugin_are_loaded_once():
    one = plugin("ap-one", ap_importances=[offer()])
    two = Plugin(
        owner=Owner(distribution="ap-two", version="2.0", plugin="ap-two"),
        implementation=one.implementation,
    )
    registry = registry_of(one, two)
    [problem] = registry.problems
    assert problem.what == "ap-one 2.0 and ap-two 2.0 lead to the same plugin; it is loaded once"
    assert registry.importances["mine"].make() is SCORE


@pytest.mark.parametrize(
    ("load", "cause"),
    [
        ("no_such_module:thing", ModuleNotFoundError),
        ("json:no_such_attribute", AttributeError),
        (lambda: 1 / 0, ZeroDivisionError),
    ],
)
def test_a_thing_that_cannot_be_made_names_its_plugin(load, cause):
    registry = registry_of(plugin(ap_importances=[offer(load=load)]))
    with pytest.raises(PluginError, match=r"the importance .mine. of ap-third 2\.0") as caught:
        registry.importances["mine"].make()
    assert caught.value.hint.startswith("reinstall or uninstall ap-third; -v shows")
    assert isinstance(caught.value.__cause__, cause)


def test_an_expected_failure_while_making_passes_through():
    def fail():
        raise ModelError("no such network")

    registry = registry_of(plugin(ap_importances=[offer(load=fail)]))
    with pytest.raises(ModelError, match="no such network"):
        registry.importances["mine"].make()


def test_a_class_is_made_and_a_function_is_taken_as_it_is():
    registry = registry_of(
        plugin(ap_importances=[offer("made", load="collections:Counter")]),
        plugin("ap-f", ap_importances=[offer("taken", load="math:sqrt")]),
    )
    assert registry.importances["made"].make() == {}
    assert registry.importances["taken"].make()(9) == 3
