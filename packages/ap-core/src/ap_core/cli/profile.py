"""`ap profile`."""

from collections.abc import Callable
from pathlib import Path

import click

from ap_core.cli.app import App, pass_app
from ap_core.cli.inputs import INPUT_SIZE
from ap_core.errors import UsageError
from ap_core.network import Network
from ap_core.pipeline.profile import Profile
from ap_core.pipeline.profile import profile as profile_network
from ap_core.report.amounts import amount
from ap_core.report.bars import stage_chart
from ap_core.report.html import render_profile, render_svg
from ap_core.report.summary import Part, by_layer, by_stage, total
from ap_core.report.tables import (
    group_table,
    layer_table,
    scope_table,
    stage_shares,
    stage_table,
)
from ap_core.runs.files import write
from ap_core.runs.schema import SCHEMA


@click.command()
@click.option(
    "--model",
    required=True,
    metavar="NAME",
    help="Name as 'ap models' lists them, or package.module:factory.",
)
@click.option("--num-classes", type=click.IntRange(min=1), help="Classes of the network.")
@click.option(
    "--input-size",
    type=INPUT_SIZE,
    metavar="N|C,H,W",
    help="Size of one image; default: the network's own.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Show every layer and every group, not scopes; --json always holds all.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw it: .svg, or .html for a whole page.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@pass_app
def profile(
    app: App,
    /,
    *,
    model: str,
    num_classes: int | None,
    input_size: tuple[int, int, int] | None,
    layers: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Show what a network is made of, and where its computation goes.

    Needs no weights: the network is built and traced without any.
    """  # fmt: skip
    draw = None if picture is None else _drawing(picture)
    with app.console.progress(None, f"tracing {model}"):
        found = profile_network(
            model, num_classes=num_classes, input_size=input_size, registry=app.registry
        )
    for operator in found.network.uncounted:
        app.console.warn(f"{operator} does arithmetic that no counter knows")
    if picture is not None and draw is not None:
        write(picture, draw(found.network).encode())
    if as_json:
        app.console.json(document(found))
        return
    _show(app, found, layers=layers)
    if picture is not None:
        app.console.result(f"picture: {picture}")


def _drawing(picture: Path) -> Callable[[Network], str]:
    drawings = {".svg": _svg, ".html": render_profile}
    if picture.suffix not in drawings:
        raise UsageError(
            f"cannot draw a {picture.suffix or 'file without suffix'}",
            hint="name a file that ends in .svg or .html",
        )
    return drawings[picture.suffix]


def _svg(network: Network) -> str:
    stages = by_stage(network)
    charts = (stage_chart(stages), stage_chart(stages, params=True))
    return render_svg(charts, title=network.model)


def _show(app: App, found: Profile, *, layers: bool) -> None:
    network, whole = found.network, total(found.network)
    size = " x ".join(map(str, network.input_size))
    app.console.result(
        f"{network.model} at {size}: {amount(whole.macs)} MACs, {amount(whole.params)} parameters"
    )
    for name, macs in sorted(network.counters.items()):
        app.console.result(f"{name.removesuffix('_macs').replace('_', '-')} counts {amount(macs)}")
    app.console.table(*stage_table(network))
    tables = (layer_table, group_table) if layers else (scope_table,)
    for table in tables:
        app.console.table(*table(network))
    app.console.picture(stage_shares(network, network.whole), title="MACs by stage")


def document(found: Profile) -> dict[str, object]:
    """JSON of a profile: integers of MACs and parameters, shares, groups."""
    network, whole = found.network, total(found.network)
    return {
        "schema": SCHEMA,
        "model": network.model,
        "adapter": found.architecture.adapter,
        "input_size": list(network.input_size),
        "macs": whole.macs,
        "params": whole.params,
        "counters": dict(network.counters),
        "uncounted": list(network.uncounted),
        "stages": [_part(part, whole) for part in by_stage(network)],
        "layers": [_part(part, whole) for part in by_layer(network)],
        "groups": [
            {
                "name": group.name,
                "kind": group.kind.value,
                "scope": group.scope,
                "stage": group.stage,
                "width": group.width,
                "lanes": group.lanes,
                "locked": group.locked,
            }
            for group in network.groups
        ],
        "blocks": [
            {
                "name": block.name,
                "scope": block.scope,
                "stage": block.stage,
                "groups": list(block.groups),
            }
            for block in network.blocks
        ],
        "seconds": found.seconds,
    }


def _part(part: Part, whole: Part) -> dict[str, object]:
    return {
        "name": part.name,
        "macs": part.macs,
        "macs_share": part.macs / max(whole.macs, 1),
        "params": part.params,
        "params_share": part.params / max(whole.params, 1),
    }
