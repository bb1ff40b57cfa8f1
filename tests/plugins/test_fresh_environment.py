"""Third-party plugins, good and bad, installed with pip into a fresh virtual environment."""

import json
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "ap-plugin-example"

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{distribution}"
version = "0.3.0"
dependencies = ["ap-core"]

[project.entry-points.ap]
{entry_point} = "{module}"

[tool.hatch.build.targets.wheel]
include = ["{module}.py"]
"""

IMPORTANCE = """\
from ap_core.plugins.hooks import hookimpl
from ap_core.plugins.offers import ImportanceOffer

{marker}
def {hook}():
    return [ImportanceOffer(name="{name}", summary="for a test", load="{module}:score")]

def score(part, generator):
    return part.weight.abs().sum(dim=1)
"""


def importance(module, *, name, hook="ap_importances", marker="@hookimpl"):
    return IMPORTANCE.format(module=module, name=name, hook=hook, marker=marker)


# distribution -> (entry point, module, source)
PLUGINS = {
    "ap-broken": ("ap-broken", "broken_plugin", "import a_library_that_nobody_has\n"),
    "ap-misspelt": (
        "ap-misspelt",
        "misspelt_plugin",
        importance("misspelt_plugin", name="never", hook="ap_importance"),
    ),
    "ap-unmarked": (
        "ap-unmarked",
        "unmarked_plugin",
        importance("unmarked_plugin", name="never", marker=""),
    ),
    "ap-clash": ("ap-clash", "clash_plugin", importance("clash_plugin", name="fpgm")),
    "ap-twin-one": ("ap-twin", "twin_one", importance("twin_one", name="twin-one")),
    "ap-twin-two": ("ap-twin", "twin_two", importance("twin_two", name="twin-two")),
}


class Environment:
    """A virtual environment that also sees the packages of the one the tests run in."""

    def __init__(self, folder):
        venv.create(folder, with_pip=True)
        self.python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
        places = {"base": str(folder), "platbase": str(folder)}
        site_packages = Path(sysconfig.get_path("purelib", vars=places))
        outer = sysconfig.get_path("purelib")
        # addsitedir, unlike a bare path, also heeds the .pth files of editable installs
        (site_packages / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")

    def run(self, *arguments):
        return subprocess.run(
            [self.python, *arguments],
            capture_output=True,
            text=True,
            cwd=self.python.parent,
            env={**os.environ, "NO_COLOR": "1", "OMP_NUM_THREADS": "2"},
            timeout=300,
            check=False,
        )

    def ap(self, *arguments):
        return self.run("-m", "ap_core", *arguments)

    def install(self, *projects):
        flags = ("--quiet", "--no-deps", "--no-index", "--no-build-isolation")
        done = self.run("-m", "pip", "install", *flags, *projects)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Environment with the example package."""
    environment = Environment(tmp_path_factory.mktemp("good"))
    environment.install(EXAMPLE)
    return environment


def test_the_examples_family_is_pruned_by_the_examples_importance_and_loaded_again(good, tmp_path):
    run = tmp_path / "run"
    asked = ("prune", "--model", "toymixer/tiny", "--weights", "random", "--importance", "fpgm")
    done = good.ap(*asked, "--target-macs", "50%", "--output", run, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["importance"] == "fpgm"
    assert 0.995 * found["target_macs"] <= found["macs"] <= found["target_macs"]
    script = f"""
from ap_core import load_model
model = load_model({str(run)!r})
print(type(model).__module__, sum(p.numel() for p in model.parameters()))
"""
    again = good.run("-c", script)
    assert again.stdout.split() == ["ap_plugin_example.network", str(found["params"])], again.stderr


@pytest.fixture(scope="module")
def crowded(tmp_path_factory, good):
    """The same environment, with everything that can go wrong beside the example.

    Depends on `good`, and is used by the tests further down only.
    """
    projects = tmp_path_factory.mktemp("projects")
    for distribution, (entry_point, module, source) in PLUGINS.items():
        project = projects / distribution
        project.mkdir()
        text = PYPROJECT.format(distribution=distribution, entry_point=entry_point, module=module)
        (project / "pyproject.toml").write_text(text)
        (project / f"{module}.py").write_text(source)
    good.install(*sorted(projects.iterdir()))
    return good


@pytest.fixture(scope="module")
def listed(crowded):
    """What `ap plugins --json` prints, by distribution."""
    done = crowded.ap("plugins", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    plugins = json.loads(done.stdout)["plugins"]
    return {each["distribution"]: each for each in plugins}


def problem_of(listed, distribution):
    [problem] = listed[distribution]["problems"]
    return f"{problem['what']} | {problem['hint']}"


def test_the_example_is_listed_with_what_it_offers(good):
    done = good.ap("plugins", "--json")
    [found] = [
        each
        for each in json.loads(done.stdout)["plugins"]
        if each["distribution"] == "ap-plugin-example"
    ]
    assert found == {
        "distribution": "ap-plugin-example",
        "version": "0.1.0",
        "plugin": "ap-plugin-example",
        "status": "ok",
        "offers": {"model_adapters": ["toymixer"], "importances": ["fpgm"]},
        "problems": [],
    }


def test_the_models_of_the_example_are_listed(good):
    done = good.ap("models", "toymixer/*", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"] == [
        {"name": "toymixer/small", "adapter": "toymixer"},
        {"name": "toymixer/tiny", "adapter": "toymixer"},
    ]


def test_the_example_conforms(good):
    script = """
from ap_core.plugins.registry import Registry
from ap_core.testing import check_importance, check_model_adapter

registry = Registry.from_entry_points()
check_importance(registry.importances["fpgm"])
adapter = registry.model_adapters["toymixer"].make()
check_model_adapter(adapter, ["toymixer/tiny"], num_classes=7, input_size=(1, 16, 16))
print("conforms")
"""
    done = good.run("-c", script)
    assert (done.returncode, done.stdout) == (0, "conforms\n"), done.stderr


def test_bad_plugins_take_nothing_down(listed):
    assert listed["ap-core"]["status"] == "ok"
    assert "prune" in listed["ap-core"]["offers"]["commands"]
    assert listed["ap-plugin-example"]["offers"] == {"model_adapters": ["toymixer"]}


def test_a_broken_import_is_reported(listed):
    assert listed["ap-broken"]["status"] == "problem"
    assert problem_of(listed, "ap-broken") == (
        "cannot be imported: ModuleNotFoundError: No module named 'a_library_that_nobody_has'"
        " | python -c 'import broken_plugin' shows where"
    )


def test_a_misspelt_hook_is_reported(listed):
    assert listed["ap-misspelt"]["offers"] == {}
    assert problem_of(listed, "ap-misspelt") == (
        "there is no hook 'ap_importance' | did you mean ap_importances or ap_exporters?"
    )


def test_a_hook_without_its_marker_is_reported(listed):
    assert problem_of(listed, "ap-unmarked") == (
        "the function 'ap_importances' looks like a hook, but is not marked as one"
        " | put @hookimpl of ap_core.plugins.hooks above it"
    )


def test_a_clash_of_names_is_reported_to_both(listed):
    expected = (
        "the importance 'fpgm' is offered by ap-clash 0.3.0 and by ap-plugin-example 0.1.0"
        " | neither can be used: uninstall one of them"
    )
    assert problem_of(listed, "ap-clash") == expected
    assert problem_of(listed, "ap-plugin-example") == expected


def test_two_distributions_with_one_entry_point_name_are_both_loaded_and_reported(listed):
    assert listed["ap-twin-one"]["offers"] == {"importances": ["twin-one"]}
    assert listed["ap-twin-two"]["offers"] == {"importances": ["twin-two"]}
    expected = (
        "the entry point 'ap-twin' is declared by ap-twin-one 0.3.0 and by ap-twin-two 0.3.0"
        " | both are loaded; rename it in one of them"
    )
    assert problem_of(listed, "ap-twin-one") == expected
    assert problem_of(listed, "ap-twin-two") == expected


def test_other_commands_warn_once_of_each_problem(crowded):
    done = crowded.ap("models", "toymixer/tiny")
    assert done.returncode == 0
    for distribution in ("ap-broken", "ap-misspelt", "ap-unmarked"):
        assert done.stderr.count(f"warning: plugin {distribution}: ") == 1
    assert done.stderr.count("warning: plugin ap-twin of ap-twin-one and ap-twin-two: ") == 1
    assert done.stderr.count("the importance 'fpgm' is offered by") == 1


def test_a_clashing_name_cannot_be_used(crowded):
    script = """
import sys
from ap_core.errors import PluginError
from ap_core.plugins.registry import Registry
try:
    Registry.from_entry_points().importances["fpgm"]
except PluginError as error:
    sys.exit(f"{int(error.exit_code)} {error.message}")
"""
    done = crowded.run("-c", script)
    assert done.stderr == (
        "4 the importance 'fpgm' is offered by ap-clash 0.3.0 and by ap-plugin-example 0.1.0\n"
    )
