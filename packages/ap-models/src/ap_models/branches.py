"""Residual branches beside a shortcut that goes by unchanged, and what dropping one takes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

IDENTITY, NOTHING, NOTHING_ATTENDED = "identity", "nothing", "nothing_attended"
"""Names, in a run directory, of what takes the place of the modules of a dropped branch."""


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A residual branch that can be dropped.

    path: what it is called. kind: "attention", "mlp", or "block".
    holder: path of the module that adds it; one without any branch left is an identity.
    replaced: path of every module that goes -> what takes its place.
    silenced: parameters that, set to zero, let the branch add nothing.
    """

    path: str
    kind: str
    holder: str
    replaced: Mapping[str, str]
    silenced: tuple[str, ...]

    def holds(self, path: str) -> bool:
        """Whether a module, or a parameter, is in the branch."""
        return any(path == each or path.startswith(f"{each}.") for each in self.replaced)


class Nothing(nn.Module):
    """In the place of a branch's layers: a zero, whatever comes in."""

    def forward(self, x: Tensor, *others: object, **named: object) -> Tensor:
        """Zero, of shape ()."""
        del others, named
        return x.new_zeros(())


class NothingAttended(Nothing):
    """The same, in the place of nn.MultiheadAttention, which returns weights as well."""

    def forward(  # type: ignore[override]
        self, x: Tensor, *others: object, **named: object
    ) -> tuple[Tensor, None]:
        """(zero, None)."""
        return super().forward(x, *others, **named), None


STAND_INS: Mapping[str, Callable[[], nn.Module]] = {
    IDENTITY: nn.Identity,
    NOTHING: Nothing,
    NOTHING_ATTENDED: NothingAttended,
}


def stand_ins(branches: Iterable[Branch], dropped: Iterable[str]) -> dict[str, str]:
    """What takes the place of which modules, where the branches of these paths are dropped."""
    gone = set(dropped)
    branches = tuple(branches)
    left = Counter(each.holder for each in branches if each.path not in gone)
    places: dict[str, str] = {}
    for each in branches:
        if each.path in gone:
            places |= each.replaced if left[each.holder] else {each.holder: IDENTITY}
    return places


def droppable(module: nn.Module, branches: Iterable[Branch]) -> tuple[Branch, ...]:
    """Those branches that can be silenced, and that share no parameter with the rest.

    Parameters that are not there are left out of `silenced`.
    """
    places: dict[int, list[str]] = {}
    for path, parameter in module.named_parameters(remove_duplicate=False):
        places.setdefault(id(parameter), []).append(path)
    shared = [paths for paths in places.values() if len(paths) > 1]
    known = {path for paths in places.values() for path in paths}
    return tuple(
        replace(each, silenced=tuple(name for name in each.silenced if name in known))
        for each in branches
        if each.silenced[0] in known and not any(_crosses(each, paths) for paths in shared)
    )


def _crosses(branch: Branch, paths: Iterable[str]) -> bool:
    return len({branch.holds(path) for path in paths}) > 1


def residual_blocks(module: nn.Module) -> Iterator[Branch]:
    """Blocks of timm's and torchvision's ResNets that neither stride nor change the width.

    Behind the addition stands a ReLU, and before the block as well: twice is as good as once.
    """
    from timm.models import resnet as timm
    from torchvision.models import resnet as torchvision

    kinds = (timm.BasicBlock, timm.Bottleneck, torchvision.BasicBlock, torchvision.Bottleneck)
    for path, child in module.named_modules():
        if type(child) not in kinds or child.downsample is not None:
            continue
        deep = hasattr(child, "conv3")
        last = getattr(child, "relu", None) or getattr(child, "act3" if deep else "act2")
        if type(last) is nn.ReLU:
            yield _block(path, (f"bn{3 if deep else 2}.{name}" for name in ("weight", "bias")))


def convnext_blocks(module: nn.Module) -> Iterator[Branch]:
    """Blocks of timm's and torchvision's ConvNeXts that neither stride nor change the width."""
    from timm.models.convnext import ConvNeXtBlock
    from torchvision.models.convnext import CNBlock

    for path, child in module.named_modules():
        if type(child) is ConvNeXtBlock and type(child.shortcut) is nn.Identity:
            yield _block(path, ("mlp.fc2.weight", "mlp.fc2.bias"))
        elif type(child) is CNBlock:
            yield _block(path, ("block.5.weight", "block.5.bias"))


def transformer_branches(module: nn.Module) -> Iterator[Branch]:
    """Attentions and MLPs of timm's and torchvision's vision transformers, one by one."""
    from timm.models.vision_transformer import Block
    from torchvision.models.vision_transformer import EncoderBlock

    for path, child in module.named_modules():
        if type(child) is Block:
            yield from _timm_branches(path)
        elif type(child) is EncoderBlock:
            yield from _torchvision_branches(path)


def _timm_branches(path: str) -> Iterator[Branch]:
    for number, name, kind, last in ((1, "attn", "attention", "proj"), (2, "mlp", "mlp", "fc2")):
        beside = ("norm", "ls", "drop_path")
        yield Branch(
            path=f"{path}.{name}",
            kind=kind,
            holder=path,
            replaced={f"{path}.{name}": NOTHING}
            | {f"{path}.{each}{number}": IDENTITY for each in beside},
            silenced=tuple(f"{path}.{name}.{last}.{each}" for each in ("weight", "bias")),
        )


def _torchvision_branches(path: str) -> Iterator[Branch]:
    named = (
        ("self_attention", "attention", "ln_1", NOTHING_ATTENDED, "out_proj"),
        ("mlp", "mlp", "ln_2", NOTHING, "3"),
    )
    for name, kind, norm, stand_in, last in named:
        yield Branch(
            path=f"{path}.{name}",
            kind=kind,
            holder=path,
            replaced={f"{path}.{name}": stand_in, f"{path}.{norm}": IDENTITY},
            silenced=tuple(f"{path}.{name}.{last}.{each}" for each in ("weight", "bias")),
        )


def _block(path: str, last: Iterable[str]) -> Branch:
    return Branch(
        path=path,
        kind="block",
        holder=path,
        replaced={path: IDENTITY},
        silenced=tuple(f"{path}.{name}" for name in last),
    )
