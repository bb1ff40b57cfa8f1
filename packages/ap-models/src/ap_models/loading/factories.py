"""Networks that a user's own function makes: `package.module:factory`."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from torch.nn import Module

from ap_core.errors import ModelError


def is_factory(name: str) -> bool:
    """Whether a model name is of the form `package.module:factory`."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in f"{module}.{attribute}".split("."))


def build_from_factory(
    name: str,
    *,
    num_classes: int | None = None,
    input_size: tuple[int, int, int] | None = None,
) -> Module:
    """Network that the factory makes, in eval mode, on torch's current default device.

    The module is looked for in the current working directory too. `num_classes` and `input_size`
    are passed on to a factory that takes arguments of these names.
    Raises: ModelError for whatever goes wrong, with the cause.
    """
    with _current_directory_importable():
        factory = _find(name)
        options = _options(name, factory, num_classes, input_size)
        try:
            made = factory(**options)
        except Exception as error:
            raise ModelError(f"{name} raised {type(error).__name__}: {error}") from error
    if not isinstance(made, Module):
        raise ModelError(
            f"{name} returned {type(made).__name__}, not a torch.nn.Module",
            hint="the function must return the network",
        )
    return made.eval()


def _find(name: str) -> Callable[..., object]:
    path, _, attribute = name.partition(":")
    try:
        found: object = import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise _import_failed(path, error) from error
        raise ModelError(
            f"there is no module {error.name!r} for the model {name!r}",
            hint=f"it must be installed, or lie below {Path.cwd()}",
        ) from error
    except Exception as error:
        raise _import_failed(path, error) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ModelError(f"the module {path!r} has no {attribute!r}")
        found = getattr(found, part)
    if isinstance(found, Module) or not callable(found):
        raise ModelError(
            f"{name} is {type(found).__name__}, not a function that makes a network",
            hint="give a function, or a class, that returns the network when it is called",
        )
    return found


def _import_failed(path: str, error: Exception) -> ModelError:
    return ModelError(f"importing {path!r} raised {type(error).__name__}: {error}")


def _options(
    name: str,
    factory: Callable[..., object],
    num_classes: int | None,
    input_size: tuple[int, int, int] | None,
) -> dict[str, object]:
    try:
        parameters = dict(inspect.signature(factory).parameters)
    except (TypeError, ValueError):
        # Functions written in C may tell nothing of their arguments.
        parameters = {}
    takes = {p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD}
    takes_any = len(takes) < len(parameters)
    if num_classes is not None and not takes_any and "num_classes" not in takes:
        raise ModelError(
            f"{name} takes no argument num_classes",
            hint="leave --num-classes out, or add the argument to the function",
        )
    given = {"num_classes": num_classes, "input_size": input_size}
    wanted = {key for key in given if key in takes} | ({"num_classes"} if takes_any else set())
    return {key: given[key] for key in wanted if given[key] is not None}


@contextmanager
def _current_directory_importable() -> Iterator[None]:
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
