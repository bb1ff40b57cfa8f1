"""Reading a configuration: one that is shipped, or a TOML file, with settings put over it."""

from collections.abc import Iterable

from ap_bench.ablations.configuration import Configuration, parse
from ap_core.shelf import Shelf

CONFIGURATIONS = Shelf(
    kind="configuration",
    package="ap_bench.ablations",
    example="prune.trials=8 or --set contender.grid.trials=8",
)


def read_configuration(
    name: str, overrides: Iterable[str] = (), *, data: str | None = None
) -> Configuration:
    """Configuration of this name, or of this file, with settings like "prune.trials=8" over it.

    data: images for all cells, where given.
    Raises: UnknownNameError, UsageError.
    """
    found = parse(CONFIGURATIONS.read(name, overrides))
    if data is None:
        return found
    return found.model_copy(update={"prune": {**found.prune, "data": data}})
