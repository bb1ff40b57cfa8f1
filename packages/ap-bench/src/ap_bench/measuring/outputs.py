"""Files that results are written to: a picture, a table."""

from collections.abc import Sequence
from pathlib import Path

from ap_bench.measuring.document import bench_csv
from ap_bench.measuring.results import Bench
from ap_bench.measuring.subjects import ONNX
from ap_core.errors import UsageError
from ap_core.runs.files import check_writable, write

PICTURES = (".png", ".svg")


def check_outputs(subjects: Sequence[str], plot: Path | None, table: Path | None) -> None:
    """Refuse, before anything is measured, files that cannot be written.

    plot: of the picture; table: of the results as CSV; None for neither.
    Raises: UsageError, RunError.
    """
    if plot is not None and plot.suffix not in PICTURES:
        raise UsageError(
            f"--plot {plot} is neither a {' nor a '.join(PICTURES)} file",
            hint=f"name it {plot.with_suffix(PICTURES[0])}",
        )
    if plot is not None and all(Path(each).suffix == ONNX for each in subjects):
        raise nothing_to_draw(plot)
    for path in (plot, table):
        if path is not None and path.is_dir():
            raise UsageError(f"{path} is a directory", hint="name a file in it")
        if path is not None:
            check_writable(path.parent)


def write_outputs(found: Bench, *, plot: Path | None, table: Path | None) -> None:
    """Write those that are asked for. Raises: UsageError, RunError."""
    if table is not None:
        write(table, bench_csv(found).encode())
    if plot is not None:
        from ap_bench.measuring.plot import draw

        draw(found, plot)


def nothing_to_draw(plot: Path) -> UsageError:
    """Error for subjects of which nothing is known to draw latencies against."""
    return UsageError(
        f"nothing to draw in {plot}: neither MACs nor an accuracy is known of any subject",
        hint="leave --plot out, or name a model or a run",
    )
