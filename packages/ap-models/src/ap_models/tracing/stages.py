"""Stages: the part of a network that a layer belongs to, read off its path."""


def stage_of(path: str) -> str:
    """Path up to the first component that counts: "layer1.0.conv1" is of "layer1".

    A layer that is numbered itself ("stem.0", "conv1") is of its first component.
    """
    parts = path.split(".")
    for number, part in enumerate(parts[:-1]):
        if part[-1].isdigit():
            return ".".join(parts[: number + 1])
    return parts[0]
