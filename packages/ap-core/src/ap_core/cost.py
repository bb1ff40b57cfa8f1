"""The cost model: MACs, parameters, and latency where it was measured, as functions of widths."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from ap_core.network import Metric, Network, Term


def evaluate(terms: Iterable[Term], widths: Mapping[str, int]) -> int:
    """Sum of the terms at these widths, as an exact integer.

    widths: kept channels per lane, for every group that a term names.
    """
    return sum(term.coefficient * term.size(widths) for term in terms)


class CostModel:
    """Cost of a network at any widths: exact, but for latency, which is a fit.

    Terms of the same size are merged, so that the cost of evaluating it grows with the number
    of distinct products, not of layers.
    """

    def __init__(self, network: Network) -> None:
        self._terms = {metric: _merge(network, metric) for metric in Metric}

    def terms(self, metric: Metric) -> tuple[Term, ...]:
        """Merged terms of one metric."""
        return self._terms[metric]

    def cost(self, metric: Metric, widths: Mapping[str, int]) -> int:
        """MACs, parameters, or femtoseconds, of the network at these widths (all groups named)."""
        return evaluate(self._terms[metric], widths)

    def macs(self, widths: Mapping[str, int]) -> int:
        """Multiply-accumulates of one forward pass at batch 1."""
        return self.cost(Metric.MACS, widths)

    def params(self, widths: Mapping[str, int]) -> int:
        """Number of parameters; buffers do not count."""
        return self.cost(Metric.PARAMS, widths)

    def latency(self, widths: Mapping[str, int]) -> int:
        """Femtoseconds of one forward pass; 0 where nothing was measured."""
        return self.cost(Metric.LATENCY, widths)


def merged(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Terms of the same size added up; none whose coefficients add up to 0."""
    sums: dict[tuple[tuple[str, ...], tuple[int, ...]], int] = defaultdict(int)
    for term in terms:
        sums[term.groups, term.multiples] += term.coefficient
    return tuple(
        Term(coefficient=coefficient, groups=groups, multiples=multiples)
        for (groups, multiples), coefficient in sums.items()
        if coefficient
    )


def _merge(network: Network, metric: Metric) -> tuple[Term, ...]:
    if metric is Metric.LATENCY:
        return merged(network.latency)
    return merged(term for layer in network.layers for term in layer.terms(metric))
