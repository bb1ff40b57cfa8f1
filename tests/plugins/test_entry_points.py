"""Entry points of installed distributions, real ones on sys.path."""

from importlib.metadata import entry_points

import pytest

from ap_core.plugins.hooks import PROJECT
from ap_core.plugins.loading import load
from ap_core.plugins.registry import Registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a distribution with one module and one entry point on sys.path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(distribution, module, source, *, entry_point=None, metadata="Version: 1.0\n"):
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\n{metadata}")
        (info / "entry_points.txt").write_text(f"[ap]\n{entry_point or distribution} = {module}\n")

    return put


def loaded(prefix):
    plugins, problems = load(entry_points(group=PROJECT))
    mine = [each.owner for each in plugins if each.owner.distribution.startswith(prefix)]
    return mine, [each for each in problems if each.distribution.startswith(prefix)]


def test_a_plugin_is_found_with_distribution_and_version(install):
    install("zz-good", "zz_good_module", "")
    [owner], problems = loaded("zz-")
    assert (owner.distribution, owner.version, owner.plugin) == ("zz-good", "1.0", "zz-good")
    assert problems == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit('no licence')", "SystemExit: no licence"),
        ("def broken(:", "SyntaxError: "),
    ],
)
def test_a_module_that_cannot_be_imported_is_a_problem(install, source, what):
    install("zz-broken", "zz_broken_module", source)
    install("zz-good", "zz_good_module2", "")
    owners, [problem] = loaded("zz-")
    assert problem.what.startswith(f"cannot be imported: {what}")
    assert problem.hint == "python -c 'import zz_broken_module' shows where"
    assert str(problem).startswith("plugin zz-broken: cannot be imported")
    assert [owner.distribution for owner in owners] == ["zz-good"]


def test_a_distribution_without_version_is_still_loaded(install):
    install("zz-odd", "zz_odd_module", "", metadata="")
    [owner], _ = loaded("zz-")
    assert owner.distribution == "zz-odd"


def test_one_entry_point_name_in_two_distributions_loads_both(install):
    install("zz-one", "zz_one", "", entry_point="zz-same")
    install("zz-two", "zz_two", "", entry_point="zz-same")
    owners, [problem] = loaded("zz-")
    assert [owner.distribution for owner in owners] == ["zz-one", "zz-two"]
    assert problem.what == "the entry point 'zz-same' is declared by zz-one 1.0 and by zz-two 1.0"
    assert problem.hint == "both are loaded; rename it in one of them"
    assert str(problem).startswith("plugin zz-same of zz-one and zz-two: ")


def test_the_built_in_offers_come_through_the_same_hooks():
    registry = Registry.from_entry_points()
    assert registry.commands.owner("prune").distribution == "ap-core"
    assert {"solver", "grid", "random", "tpe"} <= set(registry.strategists)
    assert [registry.strategists[n].trials for n in ("solver", "grid", "random", "tpe")] == [
        1,
        12,
        16,
        16,
    ]


def test_every_built_in_offer_can_be_made():
    registry = Registry.from_entry_points()
    for kind, offers in registry.kinds():
        for name, offer in offers.items():
            if offers.owner(name).distribution.startswith("ap-"):
                assert offer.make() is not None, f"{kind} {name}"


def test_no_built_in_plugin_has_a_problem():
    assert Registry.from_entry_points().problems == ()
