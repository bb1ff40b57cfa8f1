"""From residual branches to blocks: which groups go with them, and what they cost."""

from collections.abc import Sequence
from dataclasses import replace

from ap_core.network import Block, Group, LayerCost, Network, Term
from ap_models.branches import Branch
from ap_models.tracing.groups import StageOf


def with_blocks(network: Network, branches: Sequence[Branch], stage_of: StageOf) -> Network:
    """The network with a block for every branch, and with costs that say what goes with it."""
    blocks = tuple(_block(network, branch, stage_of) for branch in branches)
    layers = tuple(_gated(layer, branches) for layer in network.layers)
    return replace(network, blocks=blocks, layers=layers)


def _block(network: Network, branch: Branch, stage_of: StageOf) -> Block:
    return Block(
        name=branch.path,
        scope=f"block({branch.kind})",
        stage=stage_of(branch.path),
        groups=tuple(group.name for group in network.groups if _is_inside(group, branch)),
        layers=tuple(branch.replaced),
    )


def _is_inside(group: Group, branch: Branch) -> bool:
    """Whether every layer that has channels of the group is in the branch."""
    layers = (*group.producers, *group.consumers)
    return bool(layers) and all(branch.holds(layer) for layer in layers)


def _gated(layer: LayerCost, branches: Sequence[Branch]) -> LayerCost:
    for branch in branches:
        if branch.holds(layer.layer):
            return replace(
                layer,
                macs=tuple(_times(term, branch.path) for term in layer.macs),
                params=tuple(_times(term, branch.path) for term in layer.params),
            )
    return layer


def _times(term: Term, block: str) -> Term:
    return replace(term, groups=tuple(sorted((*term.groups, block))))
