"""`ap plugins`."""

import click

from ap_core.cli.app import App, pass_app
from ap_core.plugins.catalogue import list_plugins
from ap_core.runs.schema import SCHEMA


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def plugins(app: App, *, as_json: bool) -> None:
    """List plugins, what they offer, and what is wrong with them."""
    listed = list_plugins(app.registry)
    if as_json:
        documents = [
            {
                "distribution": each.owner.distribution,
                "version": each.owner.version,
                "plugin": each.owner.plugin,
                "status": "problem" if each.problems else "ok",
                "offers": each.offers,
                "problems": [{"what": one.what, "hint": one.hint} for one in each.problems],
            }
            for each in listed
        ]
        app.console.json({"schema": SCHEMA, "plugins": documents})
        return
    rows = [
        (
            each.owner.distribution,
            each.owner.version,
            "problem" if each.problems else "ok",
            kind,
            ", ".join(names),
        )
        for each in listed
        for kind, names in (each.offers or {"-": ()}).items()
    ]
    app.console.table(("distribution", "version", "status", "kind", "offers"), rows)
    for problem in app.registry.problems:
        app.console.warn(str(problem), hint=problem.hint)
