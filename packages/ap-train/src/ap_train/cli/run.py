"""`ap run`."""

from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.errors import UsageError
from ap_core.runs.schema import SCHEMA


@click.command()
@click.argument("recipe", required=False, metavar="RECIPE")
@click.option("--list", "listing", is_flag=True, help="List the recipes that are shipped.")
@click.option("--data", metavar="NAME|DIR", help="Images for every stage.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Run directory; default: runs/RECIPE. Stages whose results are there are skipped.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="TABLE.KEY=VALUE",
    help="Another value for a setting of the recipe: finetune.epochs=2, prune.band=0.01.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def run(
    app: App,
    /,
    *,
    recipe: str | None,
    listing: bool,
    data: str | None,
    output: Path | None,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Follow a recipe: load, prune, recover, fine-tune, evaluate, benchmark, report.

    A recipe is the name of one that is shipped, or a TOML file. Started again, it skips what is
    done. On several GPUs or machines, start it with torchrun.

    \b
    ap run --list
    ap run resnet50-2.06g --data /path/to/imagenet
    torchrun --nproc_per_node 8 -m ap_core run deit-tiny-0.62g --data /path/to/imagenet
    """
    from ap_train.recipes.recipe import RECIPES, merged, read_recipe

    if listing:
        recipes = {name: read_recipe(name) for name in RECIPES.names()}
        rows = [(name, each.prune["model"], each.title) for name, each in recipes.items()]
        if as_json:
            documents = [{"name": n, "model": model, "title": t} for n, model, t in rows]
            app.console.json({"schema": SCHEMA, "recipes": documents})
            return
        app.console.table(("recipe", "model", "what"), rows)
        return
    if recipe is None:
        raise UsageError("no recipe", hint="'ap run --list' shows those that are shipped")
    wanted = read_recipe(recipe, overrides)
    if data is not None:
        wanted = merged(wanted, "prune", {"data": data})
    place = output or Path("runs") / Path(recipe).name.removesuffix(".toml")
    from ap_train.cli.recipe_view import recipe_document, show_recipe
    from ap_train.pipeline import run_recipe

    done = run_recipe(
        wanted,
        place,
        command=("ap", *app.arguments),
        registry=app.registry,
        progress=app.console,
    )
    if not done.main:
        return
    if as_json:
        app.console.json(recipe_document(done))
        return
    show_recipe(app.console, wanted, done)
