"""The format that is asked for: whether it can be written here, before any work is spent."""

from dataclasses import replace
from importlib.util import find_spec

from ap_bench.exporting.options import ExportOptions
from ap_core.errors import UsageError
from ap_core.plugins.offers import ExporterOffer
from ap_core.plugins.registry import Registry


def format_of(registry: Registry, options: ExportOptions) -> ExporterOffer:
    """Exporter of the format that is asked for; its opset is the one to write.

    Raises: UnknownNameError with the nearest formats; UsageError for what the format cannot, and
    where a package is missing.
    """
    offer = registry.exporters[options.to]
    _check_precision(registry, offer, options.dtype)
    _check_opset(offer, options.opset)
    _check_packages(offer)
    return replace(offer, opset=options.opset or offer.opset)


def _check_precision(registry: Registry, offer: ExporterOffer, precision: str) -> None:
    if precision in offer.precisions:
        return
    others = [name for name, each in registry.exporters.items() if precision in each.precisions]
    elsewhere = f", or --to {' or '.join(others)}" if others else ""
    raise UsageError(
        f"the format {offer.name} cannot hold {precision}",
        hint=f"--dtype {' or '.join(offer.precisions)}{elsewhere}",
    )


def _check_opset(offer: ExporterOffer, opset: int | None) -> None:
    if opset is None:
        return
    if offer.opsets is None:
        raise UsageError(
            f"--opset cannot be given: the format {offer.name} has none", hint="leave it out"
        )
    least, greatest = offer.opsets
    if not least <= opset <= greatest:
        raise UsageError(
            f"the opset {opset} is out of range for {offer.name}",
            hint=f"--opset {least} to {greatest}; default: {offer.opset}",
        )


def _check_packages(offer: ExporterOffer) -> None:
    missing = [name for name in offer.needs if find_spec(name) is None]
    if missing:
        there = offer.install or " ".join(missing)
        raise UsageError(
            f"the format {offer.name} needs {' and '.join(missing)}, not installed here",
            hint=f"pip install '{there}'",
        )
