"""`ap runs`."""

import json
from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.cli.trial_view import SPARE, TRIALS, YARDSTICK, trial_row
from ap_core.console import Cell
from ap_core.report.amounts import amount
from ap_core.report.commands import go_on_in
from ap_core.runs.documents import Document, encode
from ap_core.runs.listing import ListedRun, ShownRun, list_runs, show_run, spell_budget
from ap_core.runs.records import QualityRecord, RunRecord, WeightsRecord
from ap_core.runs.schema import SCHEMA
from ap_core.search.trial import Trial

COLUMNS = (
    "run", "model", "weights", "budget", "MACs", "params", "value", "top-1", "status", "created",
)  # fmt: skip
LEAST_TELLING = ("created", "value", "params", "MACs")
MINUTES = len("2026-01-02T03:04")


class ListByDefault(click.Group):
    """Group whose first argument may also be the directory to list."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command named first, else `list`, which takes all arguments."""
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        return "list", self.commands["list"], args


@click.group(
    cls=ListByDefault,
    invoke_without_command=True,
    context_settings={"ignore_unknown_options": True},
    subcommand_metavar="[DIR] [--json] | show RUN",
)
@click.pass_context
def runs(context: click.Context) -> None:
    """List the runs below a directory (./runs if none is named), or show one."""
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@runs.command("list")
@click.argument("home", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def list_command(app: App, *, home: Path | None = None, as_json: bool = False) -> None:
    """List the runs below a directory (./runs if none is named)."""
    listed = list_runs(home)
    if as_json:
        app.console.json({"schema": SCHEMA, "runs": [_document(each) for each in listed]})
        return
    if not listed:
        app.console.note(f"no runs below {home or 'runs'}")
        return
    app.console.table(COLUMNS, [_row(each) for each in listed], spare=LEAST_TELLING)
    for each in listed:
        if each.problem:
            app.console.warn(each.problem)


@runs.command("show")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def show_command(app: App, *, run: Path, as_json: bool) -> None:
    """Show one run: what was asked, what came out, and its trials."""
    shown = show_run(run)
    if as_json:
        app.console.json(
            {
                "schema": SCHEMA,
                "path": str(shown.path),
                "status": shown.status,
                "training": shown.training,
                "best_trial": shown.best,
                "run": encode(shown.record, RunRecord),
                "trials": [encode(trial, Trial) for trial in shown.trials],
            }
        )
        return
    app.console.table(("", "value"), _facts(shown), title=str(shown.path))
    options = [(name, _option(value)) for name, value in shown.record.options.items()]
    app.console.table(("option", "value"), options)
    if shown.trials:
        rows = [trial_row(trial, best=trial.number == shown.best) for trial in shown.trials]
        app.console.table(TRIALS, rows, title=YARDSTICK, spare=SPARE)
    for warning in shown.record.weights.warnings:
        app.console.warn(warning)


def _document(listed: ListedRun) -> Document:
    about: Document = {
        "path": str(listed.path),
        "status": listed.status,
        "training": listed.training,
    }
    if listed.record is None:
        return about | {"problem": listed.problem}
    record, result = listed.record, listed.record.result
    quality = record.quality
    return about | {
        "model": record.model,
        "weights": record.weights.origin,
        "budget": record.budget.model_dump(mode="json"),
        "macs": result.macs if result else None,
        "base_macs": result.base_macs if result else None,
        "params": result.params if result else None,
        "base_params": result.base_params if result else None,
        "value": result.value if result else None,
        "accuracy": quality.top1 if quality else None,
        "created": record.created,
    }


def _row(listed: ListedRun) -> tuple[Cell, ...]:
    path = str(listed.path)
    if listed.record is None:
        return (path, "", "", "", None, None, None, None, listed.status, "")
    record, result = listed.record, listed.record.result
    quality = record.quality
    return (
        path,
        record.model,
        "RANDOM" if record.weights.origin == "random" else record.weights.origin,
        spell_budget(record.budget),
        amount(result.macs) if result else None,
        amount(result.params) if result else None,
        result.value if result else None,
        quality.top1 if quality else None,
        _status(listed),
        record.created[:MINUTES].replace("T", " "),
    )


def _status(run: ListedRun | ShownRun) -> str:
    over = run.training in (None, "done")
    return run.status if over else f"{run.status}, training {run.training}"


def _go_on(shown: ShownRun) -> str:
    stopped = {"interrupted", "failed"}
    return go_on_in(shown.path) if stopped & {shown.status, shown.training} else ""


def _weights(weights: WeightsRecord) -> str:
    return "RANDOM (untrained)" if weights.origin == "random" else weights.origin


def _facts(shown: ShownRun) -> list[tuple[str, str]]:
    record, result = shown.record, shown.record.result
    facts = [
        ("status", _status(shown)),
        ("go on with", _go_on(shown)),
        ("model", f"{record.model} ({record.architecture.name})"),
        ("weights", _weights(record.weights)),
        ("checkpoint", record.weights.checkpoint),
        ("budget", spell_budget(record.budget)),
        ("band", f"{record.budget.band:.2%}"),
        ("seed", str(record.seed)),
        ("created", record.created),
        ("version", record.version),
        ("command", " ".join(record.command)),
        ("failure", record.failure),
    ]
    if result is not None:
        bound = "" if result.bound is None else f" (at most {result.bound:.4f})"
        facts += [
            ("MACs", f"{result.macs:,} of {result.base_macs:,}"),
            ("params", f"{result.params:,} of {result.base_params:,}"),
            ("dropped whole", ", ".join(result.dropped)),
            ("strategist", result.strategist),
            ("importance", result.importance),
            ("value kept, by its own strategy", f"{result.value:.4f}{bound}"),
            ("top-1 before the cut", _top1(result.baseline)),
            ("top-1 right after the cut", _top1(result.unrecovered)),
            ("top-1 of the saved file", _top1(result.quality)),
            ("top-1 fine-tuned", _top1(record.finetuned)),
            ("seconds", ", ".join(f"{k} {v:.1f}" for k, v in result.seconds.items())),
        ]
    return [(name, text) for name, text in facts if text]


def _top1(quality: QualityRecord | None) -> str:
    return f"{quality.top1:.2%}" if quality else ""


def _option(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
