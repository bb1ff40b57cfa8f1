"""Whole networks that the user names, to be used as they are: random weights are refused there."""

from collections.abc import Callable
from pathlib import Path

from ap_core.contracts import LoadedModel, ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import RunError, UnknownNameError, UsageError
from ap_core.pipeline.opening.subject import builder_of, load_subject, made_by_function
from ap_core.pipeline.progress import Progress
from ap_core.plugins.registry import Registry
from ap_core.runs.directory import RECORD


def load_named(
    registry: Registry,
    request: Callable[[WeightsPolicy], ModelRequest],
    asked: WeightsPolicy | None,
    progress: Progress,
    *,
    meaningless: str,
) -> LoadedModel:
    """Network of a name. Its weights are random only where that was asked for.

    request: what to load, by this policy. asked: policy of the user; None for published weights.
    meaningless: what random weights would make so, for the error: "its accuracy".
    Raises: UsageError, CheckpointError where there are no others; as loading does.
    """
    policy = asked or WeightsPolicy.AUTO
    name = request(policy).name
    if policy is WeightsPolicy.AUTO and not made_by_function(name):
        policy = WeightsPolicy.PRETRAINED
    loaded = load_subject(registry, request(policy), progress).loaded
    if loaded.origin is WeightsOrigin.RANDOM and policy is not WeightsPolicy.RANDOM:
        raise UsageError(
            f"the weights of {name} are random: {meaningless} would mean nothing",
            hint="give some with --checkpoint, or say --weights random",
        )
    for warning in loaded.warnings:
        progress.warn(warning)
    return loaded


def check_known(registry: Registry, name: str, progress: Progress) -> None:
    """See that a name is a model's. Raises: UnknownNameError; RunError for another directory."""
    try:
        builder_of(registry, name, progress)
    except UnknownNameError as error:
        if Path(name).exists():
            raise RunError(f"{name} holds no run: there is no {RECORD} in it") from error
        raise UnknownNameError(
            f"{name!r} is neither a run directory nor a model", hint=error.hint
        ) from error
