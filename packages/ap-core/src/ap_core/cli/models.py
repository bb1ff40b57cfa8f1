"""`ap models`."""

import click

from ap_core.cli.app import App, pass_app
from ap_core.plugins.catalogue import list_models
from ap_core.runs.schema import SCHEMA


@click.command()
@click.argument("globs", nargs=-1, metavar="[GLOB]...")
@click.option("--adapter", metavar="NAME", help="List the models of this adapter only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def models(app: App, *, globs: tuple[str, ...], adapter: str | None, as_json: bool) -> None:
    """List the networks that can be named, and the adapter that takes each.

    Besides these, --model takes the function that makes a network of your own, written as
    package.module:function.
    """
    listed, failures = list_models(app.registry, globs=globs, adapter=adapter)
    for failure in failures:
        app.console.warn(failure.message, hint=failure.hint)
    if as_json:
        documents = [{"name": each.name, "adapter": each.adapter} for each in listed]
        app.console.json({"schema": SCHEMA, "models": documents})
        return
    app.console.table(("model", "adapter"), [(each.name, each.adapter) for each in listed])
