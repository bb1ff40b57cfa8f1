"""The size of one image, as it is typed."""


def parse_input_size(text: str) -> tuple[int, int, int]:
    """(channels, height, width): "224" is (3, 224, 224), "1,28,28" and "1x28x28" are in full.

    Raises: ValueError.
    """
    parts = text.replace("x", ",").split(",")
    if all(part.strip().isdigit() and int(part) > 0 for part in parts):
        match [int(part) for part in parts]:
            case [side]:
                return (3, side, side)
            case [channels, height, width]:
                return (channels, height, width)
    raise ValueError(f"{text!r} is not a size; write it like 224 or 3,224,224")
