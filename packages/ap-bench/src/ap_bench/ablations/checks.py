"""What can be refused before any cell is begun."""

from collections.abc import Callable, Iterable, Sequence

from ap_bench.ablations.cells import Cell, about
from ap_core.budget import parse_tolerance
from ap_core.contracts import ModelRequest
from ap_core.errors import DataError, UsageError
from ap_core.pipeline.opening.data import open_data
from ap_core.pipeline.opening.llm import AUTO, open_llm, settled
from ap_core.pipeline.opening.scorebook import require_data
from ap_core.pipeline.opening.subject import skeleton_subject
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress, Silent
from ap_core.plugins.registry import Registry


def check_cells(
    cells: Sequence[Cell], registry: Registry, progress: Progress, *, needs_data: bool
) -> None:
    """Refuse names that nobody offers, keys and files that are missing, and images of no use.

    cells: those that are to be run. needs_data: whether all need images.
    Raises: ApError, of the class that says what is wrong.
    """
    for cell in _first(cells, lambda cell: cell.contender):
        with about(f"contender {cell.contender!r}"):
            _check_contender(cell.options, registry)
    if needs_data and not all(cell.options.data for cell in cells):
        raise DataError(
            "this comparison needs images", hint="name them: --data /path/to/folder-of-classes"
        )
    _check_checkpoints(cells)
    if not cells:
        return
    firsts = _first(cells, lambda cell: cell.model)
    with progress.progress(len(firsts), "checking models and images") as advance:
        for cell in firsts:
            _check_model(cell.options, registry)
            advance(1)


def _check_contender(options: PruneOptions, registry: Registry) -> None:
    if options.llm == AUTO:
        raise UsageError(
            "llm = 'auto' leaves open which LLM it is", hint="name one: anthropic, openai:MODEL"
        )
    registry.strategists.require(settled(options, registry, Silent()).strategist)
    registry.recoveries.require(*options.recoveries or ())
    if options.importance is not None:
        require_data(registry.importances[options.importance], given=bool(options.data))
    if options.raw:
        parse_tolerance(options.raw)
    open_llm(options, registry)


def _check_checkpoints(cells: Iterable[Cell]) -> None:
    for cell in cells:
        path = cell.options.checkpoint
        if path is not None and not path.is_file():
            raise UsageError(
                f"model {cell.model!r}, seed {cell.seed}: there is no checkpoint {path}",
                hint="{seed} in its path stands for the seed of each cell",
            )


def _check_model(options: PruneOptions, registry: Registry) -> None:
    request = ModelRequest(
        name=options.model, num_classes=options.num_classes, input_size=options.input_size
    )
    subject = skeleton_subject(registry, request)
    open_data(registry, options, subject.loaded.architecture)


def _first(cells: Iterable[Cell], name: Callable[[Cell], str]) -> list[Cell]:
    """First cell of every name."""
    found: dict[str, Cell] = {}
    for cell in cells:
        found.setdefault(name(cell), cell)
    return list(found.values())
