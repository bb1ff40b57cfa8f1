"""Beginning a run: what can be refused is refused before any work is spent."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ap_core.budget import Budget
from ap_core.network import Network
from ap_core.pipeline.finishing.recording import started
from ap_core.pipeline.opening.data import located
from ap_core.pipeline.opening.session import Session, open_session
from ap_core.pipeline.opening.targets import budgets_of
from ap_core.pipeline.options import PruneOptions
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import HOME, RunDirectory, check_place
from ap_core.runs.files import check_writable
from ap_core.solver import check_reach
from ap_core.solver.reach import reach
from ap_core.strategy import Strategy

if TYPE_CHECKING:
    from torch.nn import Module


def check_output(output: Path | None) -> None:
    """Refuse a place that no run can be made in; None for one below ./runs. Raises: RunError."""
    check_writable(HOME) if output is None else check_place(output)


def new_session(
    registry: Registry,
    options: PruneOptions,
    progress: Progress,
    *,
    module: "Module | None" = None,
) -> Session:
    """Session whose targets are within reach. Raises: OutOfReachError; else as `open_session`.

    options: its paths are made absolute: a later command may be typed in another directory.
    module: a live network, in the place of the one that the options name.
    """

    def check(network: Network, base: Strategy) -> None:
        # Refuses names that match nothing, also where a latency that is not known yet is all.
        reach(network, base)
        asked = options if network.latency else options.model_copy(update={"target_latency": ""})
        if asked.target_macs or asked.target_params or asked.target_latency:
            for budget in budgets_of(asked, network):
                check_reach(network, base, budget)

    options = located(registry, options)
    return open_session(registry, options, progress, module=module, check=check)


@contextmanager
def new_run(
    session: Session, budget: Budget, place: Path | None, command: Sequence[str]
) -> Iterator[RunDirectory]:
    """New run, locked, with its record. place: None for a new one below ./runs."""
    with RunDirectory.create(place, model=session.options.model, budget=budget) as run:
        run.write_record(started(session, budget, command))
        run.write_network(session.network)
        yield run
