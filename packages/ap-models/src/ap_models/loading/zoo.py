"""Names and builders of the networks that timm and torchvision publish."""

import re
import warnings
from collections.abc import Collection, Mapping
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from torch.nn import Module

from ap_core.errors import CheckpointError, ModelError, unknown_name
from ap_models.loading.checkpoints import State, read_checkpoint
from ap_models.loading.published import fetch, publication

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

TIMM = "timm/"
TORCHVISION = "torchvision/"
ALIASES: Mapping[str, str] = {
    "deit_tiny": "deit_tiny_distilled_patch16_224",
    "deit_small": "deit_small_distilled_patch16_224",
    "deit_base": "deit_base_distilled_patch16_224",
}
"""The DeiT names that papers use, beyond the general rule that `_patch16_224` may be left out."""

_AUXILIARY = {"googlenet", "inception_v3"}
_AUXILIARY_HEADS = ("aux1.", "aux2.", "AuxLogits.")
_OLD_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
"""Names in the published DenseNets: "norm.1" of what is "norm1" since names hold no dots."""


def resolve(name: str) -> str | None:
    """Canonical name, `timm/resnet50.a1_in1k` or `torchvision/resnet50.IMAGENET1K_V2`.

    name: with or without the prefix and the tag of the weights; where both have a network of that
        name and there is no prefix, timm's. None where neither has one.
    Raises: UnknownNameError for a tag that the network does not have.
    """
    if name.startswith(TORCHVISION):
        return _resolve_torchvision(name.removeprefix(TORCHVISION))
    if name.startswith(TIMM):
        return _resolve_timm(name.removeprefix(TIMM))
    return _resolve_timm(name) or _resolve_torchvision(name)


def family_module(canonical: str) -> str:
    """Python module that defines the network: "timm.models.resnet", "torchvision.models.vgg"."""
    if canonical.startswith(TORCHVISION):
        from torchvision.models import get_model_builder

        return str(get_model_builder(_torchvision_parts(canonical)[0]).__module__)
    from timm.models import model_entrypoint

    return str(model_entrypoint(canonical.removeprefix(TIMM)).__module__)


def zoo_names(modules: Collection[str] | None = None) -> list[str]:
    """Names that a user can type, sorted: timm's bare, torchvision's with their prefix.

    modules: python modules whose networks are wanted; None for all.
    """
    import timm
    from torchvision import models

    named = {name: f"{TIMM}{name}" for name in timm.list_models()}
    named |= {f"{TORCHVISION}{n}": f"{TORCHVISION}{n}" for n in models.list_models(module=models)}
    return sorted(
        name for name, full in named.items() if modules is None or family_module(full) in modules
    )


def build(
    name: str,
    *,
    num_classes: int | None = None,
    input_size: tuple[int, int, int] | None = None,
    pretrained: bool = False,
) -> Module:
    """Network in eval mode, on torch's current default device (meta included).

    input_size: its configuration says it, too.
    Raises: ModelError where the arguments do not go with it, CheckpointError where its published
    weights cannot be had within seconds.
    """
    canonical = resolve(name)
    if canonical is None:
        raise unknown_name("model", name, zoo_names())
    make = _make_torchvision if canonical.startswith(TORCHVISION) else _make_timm
    try:
        with warnings.catch_warnings():
            # torchvision announces changes of its default initialisation this way.
            warnings.simplefilter("ignore", FutureWarning)
            module = make(canonical, num_classes, input_size, pretrained=pretrained).eval()
    except (EOFError, RuntimeError, SafetensorError, UnpicklingError) as error:
        if not pretrained:
            raise _cannot_build(canonical, error) from error
        raise _damaged(canonical, error) from error
    except (AssertionError, TypeError, ValueError) as error:
        raise _cannot_build(canonical, error) from error
    if input_size is not None:
        # Whoever has the network alone, such as one of a run, reads its size off it.
        stated = getattr(module, "pretrained_cfg", {})
        module.pretrained_cfg = {**stated, "input_size": input_size}  # type: ignore[assignment]
    return module


def published_classes(name: str) -> int | None:
    """How many classes the published weights of a network tell apart; None where unknown."""
    canonical = resolve(name)
    if canonical is None:
        return None
    if canonical.startswith(TORCHVISION):
        return len(torchvision_weights(canonical).meta["categories"])
    import timm

    config = timm.get_pretrained_cfg(canonical.removeprefix(TIMM), allow_unregistered=False)
    return int(config.num_classes)


def torchvision_weights(canonical: str) -> "WeightsEnum":
    """Published weights that a canonical torchvision name stands for."""
    from torchvision.models import get_model_weights

    name, tag = _torchvision_parts(canonical)
    known = get_model_weights(name)
    if tag and tag not in known.__members__:
        raise unknown_name(f"weights tag of {TORCHVISION}{name}", tag, known.__members__)
    found: WeightsEnum = known[tag or "DEFAULT"]
    return found


def _damaged(canonical: str, why: object) -> CheckpointError:
    return CheckpointError(
        f"the published weights of {canonical} are damaged or do not fit: {why}",
        hint="delete them from the cache, so that they are fetched anew",
    )


def _cannot_build(canonical: str, error: Exception) -> ModelError:
    return ModelError(
        f"{canonical} cannot be built: {error}",
        hint="check --num-classes and --input-size against what the network supports",
    )


def _resolve_timm(name: str) -> str | None:
    from timm.models import get_arch_pretrained_cfgs, get_deprecated_models, is_model

    architecture, _, tag = name.partition(".")
    replaced = get_deprecated_models().get(architecture)
    if replaced:
        architecture, _, own_tag = replaced.partition(".")
        tag = tag or own_tag
    architecture = ALIASES.get(architecture, architecture)
    if not is_model(architecture):
        architecture = f"{architecture}_patch16_224"
    if not is_model(architecture):
        return None
    tags = [known.partition(".")[2] for known in get_arch_pretrained_cfgs(architecture)]
    if tag and tag not in tags:
        raise unknown_name(f"weights tag of {architecture}", tag, filter(None, tags))
    chosen = tag or next(iter(tags), "")
    return f"{TIMM}{architecture}.{chosen}" if chosen else f"{TIMM}{architecture}"


def _resolve_torchvision(name: str) -> str | None:
    from torchvision import models

    architecture = name.partition(".")[0]
    if architecture not in models.list_models(module=models):
        return None
    return f"{TORCHVISION}{architecture}.{torchvision_weights(TORCHVISION + name).name}"


def _torchvision_parts(canonical: str) -> tuple[str, str]:
    name, _, tag = canonical.removeprefix(TORCHVISION).partition(".")
    return name, tag


def _make_timm(
    canonical: str,
    num_classes: int | None,
    input_size: tuple[int, int, int] | None,
    *,
    pretrained: bool,
) -> Module:
    import timm

    name = canonical.removeprefix(TIMM)
    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    options: dict[str, object] = {}
    if num_classes is not None:
        options["num_classes"] = num_classes
    if input_size is not None and input_size[0] != config.input_size[0]:
        options["in_chans"] = input_size[0]
    if input_size is not None and config.fixed_input_size:
        options["img_size"] = input_size[1:]
    if pretrained:
        file = fetch(publication(canonical))
        # A file is not looked up anywhere; custom loaders are for formats the hub no longer holds.
        options["pretrained_cfg_overlay"] = {"file": str(file), "custom_load": False}
    module: Module = timm.create_model(name, pretrained=pretrained, **options)
    return module


def _make_torchvision(
    canonical: str,
    num_classes: int | None,
    input_size: tuple[int, int, int] | None,
    *,
    pretrained: bool,
) -> Module:
    published = published_classes(canonical)
    classes = published if num_classes is None else num_classes
    own, options = (_torchvision_options(canonical, size) for size in (None, input_size))
    if not pretrained:
        return _torchvision_network(canonical, classes, options, fresh=True)
    state = _published_state(canonical)
    whole = _torchvision_network(canonical, published, own, fresh=False)
    whole.load_state_dict(state)
    if (classes, options) == (published, own):
        return whole
    return _carry_over(whole, _torchvision_network(canonical, classes, options, fresh=True))


def _torchvision_network(
    canonical: str, classes: int | None, options: Mapping[str, object], *, fresh: bool
) -> Module:
    """Network with random weights. fresh: they are kept, and must be drawn by its own rule."""
    from torchvision.models import get_model

    name, _ = _torchvision_parts(canonical)
    rule = {"init_weights": fresh} if name in _AUXILIARY else {}
    module: Module = get_model(name, weights=None, num_classes=classes, **rule, **options)
    return module


def _published_state(canonical: str) -> State:
    """Tensors that torchvision publishes, under the names of its network today.

    torchvision's own loader unpickles whatever the file holds.
    """
    file = fetch(publication(canonical))
    try:
        state = read_checkpoint(file)
    except CheckpointError as error:
        raise _damaged(canonical, error.message) from error
    for key in list(state):
        tensor = state.pop(key)
        if not key.startswith(_AUXILIARY_HEADS):
            state[_OLD_DENSE_LAYER.sub(r"\1\2", key)] = tensor
    return state


def _torchvision_options(
    canonical: str, input_size: tuple[int, int, int] | None
) -> dict[str, object]:
    """Arguments that depend on the size of the images."""
    name, _ = _torchvision_parts(canonical)
    family = family_module(canonical)
    options: dict[str, object] = {}
    if name in _AUXILIARY:
        # The auxiliary heads are for training only.
        options |= {"transform_input": True, "aux_logits": False}
    crop = int(torchvision_weights(canonical).transforms().crop_size[0])
    channels, height, width = input_size or (3, crop, crop)
    if channels != 3:
        raise ValueError(f"torchvision's networks take 3 channels, not {channels}")
    if family.endswith(".vision_transformer"):
        if height != width:
            raise ValueError(f"it takes square images, not {height} x {width}")
        options["image_size"] = height
    if family.endswith(".maxvit"):
        options["input_size"] = (height, width)
    return options


def _carry_over(whole: Module, part: Module) -> Module:
    """`part` with all tensors of `whole` that fit, positions interpolated."""
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

    state = whole.state_dict()
    if isinstance(part, VisionTransformer):
        state = interpolate_embeddings(part.image_size, part.patch_size, state)
    shapes = {name: tensor.shape for name, tensor in part.state_dict().items()}
    fitting = {name: tensor for name, tensor in state.items() if shapes[name] == tensor.shape}
    part.load_state_dict(fitting, strict=False)
    return part
