"""Scores on disk, so that a search that goes on need not score again."""

from pathlib import Path
from urllib.parse import quote

from safetensors import SafetensorError, safe_open

from ap_core.errors import RunError
from ap_core.runs.files import replacing
from ap_core.runs.schema import SCHEMA
from ap_core.scores import Scores


def scores_path(directory: Path, *, importance: str, reduction: str) -> Path:
    """Where the scores of an importance lie; different names, different files."""
    name = f"{quote(importance, safe='')}.{quote(reduction, safe='')}.safetensors"
    return directory / "scores" / name


def save_scores(directory: Path, scores: Scores) -> None:
    """Write scores as safetensors. Raises: RunError."""
    import numpy as np
    from safetensors.numpy import save_file

    about = {
        "schema": str(SCHEMA),
        "importance": scores.importance,
        "reduction": scores.reduction,
        "additive": str(scores.additive).lower(),
    }
    values = {
        name: np.ascontiguousarray(scores.values[name], dtype=np.float64)
        for name in sorted(scores.values)
    }
    path = scores_path(directory, importance=scores.importance, reduction=scores.reduction)
    with replacing(path) as temporary:
        save_file(values, temporary, metadata=about)


def load_scores(directory: Path, *, importance: str, reduction: str) -> Scores | None:
    """Scores as they were saved, bit by bit; None where there are none. Raises: RunError."""
    path = scores_path(directory, importance=importance, reduction=reduction)
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path} is damaged: {error}", hint="delete it, and the scores are made again"
        ) from error
    additive = about.pop("additive", "")
    expected = {"schema": str(SCHEMA), "importance": importance, "reduction": reduction}
    if about != expected or additive not in ("true", "false"):
        raise RunError(
            f"{path} is damaged: it holds {about}, not {expected}",
            hint="delete it, and the scores are made again",
        )
    return Scores(
        importance=importance, reduction=reduction, values=values, additive=additive == "true"
    )
