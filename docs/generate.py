"""Writes the pages of the documentation that say what the code says: `python docs/generate.py`.

A test compares what is there with what this would write.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import BaseModel

from ap_bench.exporting.export import Exported, export
from ap_bench.exporting.options import ExportOptions
from ap_bench.measuring.bench import bench
from ap_bench.measuring.options import BenchOptions
from ap_bench.measuring.results import Bench, Facts, Result
from ap_core.cli.main import command_line
from ap_core.pipeline.api import load_model, profile, prune
from ap_core.pipeline.driving import attempt, finish, restart, show, start
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.profile import Profile
from ap_core.pipeline.prune import Pruned
from ap_core.pipeline.searching.situation import Situation
from ap_core.plugins.registry import Registry
from ap_core.strategy import Strategy
from ap_train.evaluation.evaluate import Evaluation, Own, evaluate
from ap_train.evaluation.options import EvalOptions
from ap_train.finetuning.finetune import Finetuned, Given, finetune, resume
from ap_train.finetuning.options import FinetuneOptions
from ap_train.training.loop import Fitted, fit
from ap_train.training.options import TrainOptions

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
COLUMNS = 96


def pages() -> dict[Path, str]:
    """Every generated page by its path."""
    return {
        HERE / "reference" / "cli.md": command_line_page(),
        HERE / "reference" / "strategy.md": strategy_page(),
        HERE / "reference" / "api.md": api_page(),
        HERE / "explanation" / "measurements.md": measurements_page(),
    }


def command_line_page() -> str:
    """Help of every built-in command."""
    group = command_line(Registry.from_entry_points(), columns=COLUMNS)
    parts = ["# Command line", "", "What `ap COMMAND --help` shows."]
    root = click.Context(
        group, info_name="ap", terminal_width=COLUMNS, help_option_names=["-h", "--help"]
    )
    for context in _contexts(root):
        page = context.command.get_help(context)
        parts += ["", f"## {context.command_path}", "", "```text", page, "```"]
    return "\n".join(parts) + "\n"


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """Contexts of a command and all below it."""
    yield context
    if not isinstance(context.command, click.Group):
        return
    for name in context.command.list_commands(context):
        command = context.command.get_command(context, name)
        if command is not None:
            yield from _contexts(click.Context(command, parent=context, info_name=name))


def strategy_page() -> str:
    """Fields of a strategy."""
    parts = ["# Strategy", "", inspect.cleandoc(Strategy.__doc__ or ""), "", *_fields(Strategy), ""]
    return "\n".join(parts)


def _fields(model: type[BaseModel]) -> list[str]:
    """Table of the fields of a model, each of which has a description."""
    schema = model.model_json_schema()
    rows = [_field(name, about, schema) for name, about in schema["properties"].items()]
    return ["| field | values | default | what it does |", "|---|---|---|---|", *rows]


def _field(name: str, about: Mapping[str, object], schema: Mapping[str, object]) -> str:
    default = json.dumps(about.get("default", {} if about.get("type") == "object" else None))
    purpose = about.get("description", "")
    return f"| `{name}` | {_values(about, schema)} | `{default}` | {purpose} |"


def _values(about: Mapping[str, object], schema: Mapping[str, object]) -> str:
    if "$ref" in about:
        kind = str(about["$ref"]).rpartition("/")[2]
        return ", ".join(f"`{each}`" for each in schema["$defs"][kind]["enum"])  # type: ignore[index]
    options = about.get("anyOf", [about])
    return " or ".join(_range(each) for each in options)  # type: ignore[attr-defined]


def _range(about: Mapping[str, object]) -> str:
    inner = about.get("additionalProperties") or about.get("items")
    if isinstance(inner, Mapping):
        lead = "glob: " if about.get("type") == "object" else "list of "
        return lead + _range(inner)
    low = about.get("minimum", about.get("exclusiveMinimum"))
    high = about.get("maximum")
    kind = str(about.get("type", ""))
    return kind if high is None else f"{kind}, {low} to {high}"


def api_page() -> str:
    """Docstrings of what `ap_core` exports, and of what that takes and returns."""
    parts = [
        "# Python API",
        "",
        "    from ap_core import load_model, profile, prune",
        "",
        "What goes wrong raises `ap_core.errors.ApError`, with a `message` and a `hint`.",
    ]
    for thing in (prune, load_model, profile, Pruned, Profile, PruneOptions):
        parts += _documented(thing.__name__, thing)
    parts += [
        "",
        "## Training and evaluation",
        "",
        "What `ap finetune` and `ap eval` call, in `ap_train.finetuning.finetune`,",
        "`ap_train.evaluation.evaluate` and `ap_train.training.loop`; the options of each are in",
        "`ap_train.finetuning.options` and `ap_train.evaluation.options`.",
    ]
    for thing in (finetune, resume, FinetuneOptions, Given, Finetuned):
        parts += _documented(thing.__name__, thing, depth=3)
    for thing in (evaluate, EvalOptions, Own, Evaluation, fit, Fitted):
        parts += _documented(thing.__name__, thing, depth=3)
    parts += ["", "### TrainOptions", "", inspect.getdoc(TrainOptions) or "", ""]
    parts += _fields(TrainOptions)
    parts += [
        "",
        "## Export",
        "",
        "What [`ap export`](../how-to/export.md) calls, in `ap_bench.exporting.export`.",
    ]
    for thing in (export, ExportOptions, Exported):
        parts += _documented(thing.__name__, thing, depth=3)
    parts += [
        "",
        "## A search step by step",
        "",
        "What [`ap drive`](../how-to/drive.md) calls, in `ap_core.pipeline.driving`.",
    ]
    for thing in (start, restart, show, attempt, finish, Situation):
        parts += _documented(thing.__name__, thing, depth=3)
    parts += [
        "",
        "## Measuring on this machine",
        "",
        "What [`ap bench`](../how-to/bench.md) calls, in `ap_bench.measuring.bench`; the options",
        "are in `ap_bench.measuring.options`, the results in `ap_bench.measuring.results`.",
    ]
    for thing in (bench, BenchOptions, Bench, Facts, Result):
        parts += _documented(thing.__name__, thing, depth=3)
    return "\n".join(parts) + "\n"


def _documented(name: str, thing: Callable[..., object], *, depth: int = 2) -> list[str]:
    head = ["", f"{'#' * depth} {name}", "", "```text", _signature(name, thing), ""]
    return [*head, inspect.getdoc(thing) or "", "```"]


def _signature(name: str, thing: Callable[..., object]) -> str:
    inside = ",\n    ".join(_parameters(thing))
    return f"{name}(\n    {inside},\n)"


def _parameters(thing: Callable[..., object]) -> Iterator[str]:
    star = False
    for each in inspect.signature(thing).parameters.values():
        if each.kind is each.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        yield str(each.replace(default=_bare(each.default)))


def _bare(default: object) -> object:
    """A default as it is shown: of a record its kind alone, of a function nothing."""
    if isinstance(default, BaseModel):
        return _Spelt(f"{type(default).__name__}()")
    return _Spelt("...") if inspect.isfunction(default) else default


@dataclass(frozen=True)
class _Spelt:
    """What is shown as this text."""

    text: str

    def __repr__(self) -> str:
        return self.text


def measurements_page() -> str:
    """Tables of the benchmarks, as they were last run."""
    parts = [
        "# What was measured",
        "",
        "Each table is printed by a script in `benchmarks/` (`make bench` runs all of them), which",
        "also writes it to `benchmarks/results`. `make docs` puts it here.",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        parts += ["", *_table(json.loads(path.read_text("utf-8")))]
    return "\n".join(parts) + "\n"


def _table(document: dict[str, object]) -> Iterator[str]:
    rows: list[dict[str, object]] = document["rows"]  # type: ignore[assignment]
    machine: dict[str, str] = document["machine"]  # type: ignore[assignment]
    columns = list(rows[0])
    yield f"## {document['benchmark']}"
    yield ""
    if document.get("about"):
        yield from (str(document["about"]), "")
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(_cell(row[column]) for column in columns) + " |"
    yield ""
    note = f"{document['note']}. " if document.get("note") else ""
    versions = ", ".join(f"{k} {v}" for k, v in machine.items() if k not in ("processor", "cores"))
    yield f"{note}On {machine['cores']} cores of {machine['processor']}; {versions}."
    picture = RESULTS / f"{document['benchmark']}.png"
    if picture.exists():
        yield from ("", f"![{document['benchmark']}](../../benchmarks/results/{picture.name})")


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def main() -> None:
    """Write all pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
