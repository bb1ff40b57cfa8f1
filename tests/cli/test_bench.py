"""`ap bench`: what it says of runs that it cannot measure."""

import pytest
from test_runs import BUDGET, record

from ap_bench.comparison import measure
from ap_core.errors import RunError
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RunDirectory


def test_a_run_that_was_killed_is_interrupted_here_too(tmp_path) -> None:
    path = tmp_path / "run"
    with RunDirectory.create(path, model="toy", budget=BUDGET) as run:
        run.write_record(record(status="running", result=None))
    with pytest.raises(RunError, match="is not finished: interrupted") as caught:
        measure(Registry.from_plugins([]), [str(path)], batch_size=1, threads=1, rounds=3)
    assert caught.value.hint == f"go on with: ap prune --resume {path}"
