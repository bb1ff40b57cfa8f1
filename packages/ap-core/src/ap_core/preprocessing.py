"""How a network wants its images prepared."""

from ap_core.contracts import Architecture

KEYS = ("interpolation", "mean", "std", "crop_pct", "crop_mode")


def preprocessing_of(architecture: Architecture) -> dict[str, object]:
    """What timm's transforms want to know of a network; mean and std for each of its channels."""
    known = {
        key: architecture.preprocessing[key] for key in KEYS if key in architecture.preprocessing
    }
    channels = architecture.input_size[0]
    for key in ("mean", "std"):
        values = known.get(key, (0.5,))
        numbers = tuple(values) if isinstance(values, list | tuple) else (0.5,)
        known[key] = (numbers * channels)[:channels]
    return known
