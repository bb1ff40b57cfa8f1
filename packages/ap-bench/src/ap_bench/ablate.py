"""`ap ablate`."""

from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.errors import RunError, UsageError
from ap_core.report.amounts import counted
from ap_core.runs.schema import SCHEMA


@click.command()
@click.argument("configuration", required=False, metavar="CONFIG")
@click.option("--list", "listing", is_flag=True, help="List the configurations that are shipped.")
@click.option("--data", metavar="NAME|DIR", help="Images for every cell.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory of the comparison; default: runs/CONFIG. Cells that are there are skipped.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="TABLE.KEY=VALUE",
    help="Another value for a setting: prune.trials=8, contender.openai.llm=openai:MODEL.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def ablate(
    app: App,
    /,
    *,
    configuration: str | None,
    listing: bool,
    data: str | None,
    output: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare strategists on models, targets and seeds; each cell is a run of its own.

    A configuration is the name of one that is shipped, or a TOML file. Started again, it skips
    what is done, goes on with what was stopped, and tries again what failed.

    \b
    ap ablate --list
    ap ablate small
    ap ablate paper-llms --data /path/to/imagenet
    """
    from ap_bench.ablations.compare import ablate as compare
    from ap_bench.ablations.document import document_of
    from ap_bench.ablations.reading import CONFIGURATIONS, read_configuration
    from ap_bench.ablations.view import show_ablation, show_configurations

    if listing:
        listed = [(name, read_configuration(name).title) for name in CONFIGURATIONS.names()]
        if as_json:
            documents = [{"name": name, "title": title} for name, title in listed]
            app.console.json({"schema": SCHEMA, "configurations": documents})
            return
        show_configurations(app.console, listed)
        return
    if configuration is None:
        raise UsageError("no configuration", hint="'ap ablate --list' shows those that are shipped")
    home = output or Path("runs") / Path(configuration).name.removesuffix(".toml")
    record = compare(
        read_configuration(configuration, overrides, data=data),
        home,
        command=("ap", *app.arguments),
        registry=app.registry,
        progress=app.console,
    )
    if as_json:
        app.console.json(document_of(record))
    else:
        show_ablation(app.console, record, home)
    if record.failed:
        raise RunError(
            f"{len(record.failed)} of {counted(record.planned, 'cell')} failed",
            hint="the same command tries them again",
        )
