"""Weights for a network: published, from a file, or random."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn import Module

from ap_core.contracts import ModelRequest, WeightsOrigin, WeightsPolicy
from ap_core.errors import CheckpointError
from ap_models.loading.checkpoints import load_checkpoint
from ap_models.loading.digest import not_finite, weights_digest
from ap_models.loading.factories import is_factory
from ap_models.loading.zoo import published_classes


class Build(Protocol):
    """Makes a network under its canonical name; `ModelAdapter.build` is one."""

    def __call__(
        self,
        name: str,
        *,
        num_classes: int | None = None,
        input_size: tuple[int, int, int] | None = None,
        pretrained: bool = False,
    ) -> Module:
        """Network; CheckpointError where pretrained weights cannot be had."""


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """A network with weights, and where they came from.

    warnings: what the user must be told.
    """

    module: Module
    origin: WeightsOrigin
    sha256: str
    warnings: tuple[str, ...] = ()


def load(request: ModelRequest, name: str, build: Build) -> Weighted:
    """Network with the weights that the request asks for.

    name: canonical name of what the request names.
    Raises: CheckpointError where they cannot be had, do not fit, or hold a NaN.
    """
    make = _seeded(request, name, build)
    if request.checkpoint is not None:
        module = make(pretrained=False)
        load_checkpoint(module, request.checkpoint)
        return _checked(module, WeightsOrigin.CHECKPOINT)
    if is_factory(name):
        return _from_factory(request, make)
    if request.weights is WeightsPolicy.RANDOM:
        return _checked(make(pretrained=False), WeightsOrigin.RANDOM)
    try:
        module = make(pretrained=True)
    except CheckpointError as error:
        if request.weights is WeightsPolicy.PRETRAINED:
            raise
        warning = f"RANDOM WEIGHTS, accuracy means nothing: {error.message}"
        return _checked(make(pretrained=False), WeightsOrigin.RANDOM, warning)
    return _checked(module, WeightsOrigin.PRETRAINED, *_new_classifier(request, name))


class _Make(Protocol):
    def __call__(self, *, pretrained: bool) -> Module: ...


def _seeded(request: ModelRequest, name: str, build: Build) -> _Make:
    """`build` for this request, random parts drawn by its seed, no global state changed."""

    def make(*, pretrained: bool) -> Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(request.seed)
            return build(
                name,
                num_classes=request.num_classes,
                input_size=request.input_size,
                pretrained=pretrained,
            )

    return make


def _from_factory(request: ModelRequest, make: _Make) -> Weighted:
    if request.weights is WeightsPolicy.PRETRAINED:
        raise CheckpointError(
            f"no weights are published for {request.name}",
            hint="give them with --checkpoint, or leave --weights out to take the function's own",
        )
    module = make(pretrained=False)
    if request.weights is WeightsPolicy.RANDOM:
        return _checked(module, WeightsOrigin.RANDOM)
    warning = (
        f"the weights are those that {request.name} gave; nothing tells whether it trained them"
    )
    return _checked(module, WeightsOrigin.LIVE, warning)


def _new_classifier(request: ModelRequest, name: str) -> tuple[str, ...]:
    published = published_classes(name)
    if request.num_classes is None or published in {None, request.num_classes}:
        return ()
    return (
        f"RANDOM CLASSIFIER: the published weights know {published} classes, "
        f"not {request.num_classes}",
    )


def _checked(module: Module, origin: WeightsOrigin, *warnings: str) -> Weighted:
    broken = not_finite(module)
    if broken:
        raise CheckpointError(
            f"the weights hold a NaN or an infinity in {broken}",
            hint="the training that made them diverged; take an earlier checkpoint",
        )
    return Weighted(module=module, origin=origin, sha256=weights_digest(module), warnings=warnings)
