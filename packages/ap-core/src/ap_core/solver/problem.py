"""The knapsack: variables with options, what each option is worth, and what they cost together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from math import prod

import numpy as np

from ap_core.budget import Budget
from ap_core.cost import CostModel
from ap_core.network import GroupKind, Network, Term, rounded_up
from ap_core.scores import FloatArray
from ap_core.solver.options import Allowed, Choice, IntArray
from ap_core.solver.values import Worth, head_factors

Form = tuple[tuple[int, ...], ...]
"""Of each group of a variable, every power of its width: the multiple that it is rounded up to."""

LINEAR: Form = ((1,),)
"""Of one group, its width as it is."""

Factor = tuple[int, Form]
"""A variable, and what of its widths is multiplied."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A group, or the heads of an attention together with their size, or a block.

    groups: names. widths: (options, groups). values: (options,), what each option keeps.
    gate: number of the variable of the block that this is inside: where it is dropped, so is the
        value. None where nothing drops this.
    """

    groups: tuple[str, ...]
    widths: IntArray = field(repr=False)
    values: FloatArray = field(repr=False)
    gate: int | None = None

    def __len__(self) -> int:
        return len(self.values)

    def sizes(self, form: Form) -> IntArray:
        """A form of the widths, for every option: (options,)."""
        found = np.ones(len(self), np.int64)
        for widths, multiples in zip(self.widths.T, form, strict=True):
            for multiple in multiples:
                found *= rounded_up(widths, multiple)
        return found

    def rounds(self, group: int, multiple: int) -> bool:
        """Whether any width of a group is no such multiple."""
        return bool((self.widths[:, group] % multiple).any())

    def restricted(self, options: IntArray) -> "Variable":
        """With some of its options only."""
        return replace(self, widths=self.widths[options], values=self.values[options])


@dataclass(frozen=True, kw_only=True)
class Product:
    """Costs that grow with the product of one column of each of some variables.

    coefficients: (caps,), per unit of the product.
    """

    coefficients: FloatArray
    factors: tuple[Factor, ...]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Maximise the sum of values under the caps.

    limits: (caps,). fixed: (caps,), cost that no variable changes.
    total: value of all channels, whether they are free or not: what shares are shares of.
    """

    variables: tuple[Variable, ...]
    products: tuple[Product, ...]
    limits: FloatArray
    fixed: FloatArray
    total: float

    def column(self, variable: int, form: Form) -> FloatArray:
        """A form of a variable's widths, for every option."""
        return self._columns[variable, form]

    def costs(self, options: Sequence[int]) -> FloatArray:
        """Costs at these options, (caps,); exact as long as they stay below 2^53."""
        table = self._table
        sizes = table.flat[table.start + np.append(options, 0)[table.which]].prod(axis=1)
        total: FloatArray = self.fixed + sizes @ table.coefficients
        return total

    def allows(self, options: Sequence[int]) -> bool:
        """Whether these options keep to all caps."""
        return bool((self.costs(options) <= self.limits).all())

    @cached_property
    def _columns(self) -> dict[Factor, FloatArray]:
        factors = {factor for product in self.products for factor in product.factors}
        return {(v, form): self.variables[v].sizes(form).astype(np.float64) for v, form in factors}

    @cached_property
    def _table(self) -> "_CostTable":
        return _CostTable.of(self)

    def value(self, options: Sequence[int]) -> float:
        """Sum of the values of these options."""
        chosen = zip(self.variables, options, strict=True)
        return float(sum(v.values[o] * self._stays(v, options) for v, o in chosen))

    def values(self, variable: int, options: Sequence[int]) -> FloatArray:
        """What every option of a variable adds to the value, the others as given: (options,)."""
        each = self.variables[variable]
        inside = self.inside[variable]
        if not inside:
            return each.values * float(self._stays(each, options))
        kept = sum(float(self.variables[v].values[options[v]]) for v in inside)
        return each.widths[:, 0].astype(np.float64) * kept

    def encloses(self, gate: int, variable: int) -> bool:
        """Whether a variable goes where the block of another is dropped."""
        return self.variables[variable].gate == gate

    def _stays(self, variable: Variable, options: Sequence[int]) -> int:
        """1, or 0 where the block that a variable is inside is dropped."""
        if variable.gate is None:
            return 1
        return int(self.variables[variable.gate].widths[options[variable.gate], 0])

    @cached_property
    def inside(self) -> tuple[tuple[int, ...], ...]:
        """Of every variable, those whose gate it is."""
        found: list[list[int]] = [[] for _ in self.variables]
        for v, each in enumerate(self.variables):
            if each.gate is not None:
                found[each.gate].append(v)
        return tuple(map(tuple, found))

    def share(self, value: float) -> float:
        """Value as a share of all; where nothing is worth anything, all is kept."""
        return value / self.total if self.total else 1.0

    def restricted(self, options: Sequence[IntArray]) -> "Problem":
        """With some options of each variable only."""
        variables = tuple(v.restricted(o) for v, o in zip(self.variables, options, strict=True))
        return replace(self, variables=variables)


@dataclass(frozen=True, kw_only=True)
class _CostTable:
    """All columns in one array, to look up and multiply at once.

    flat: a one, then the columns. start, which: (products, factors), where a factor's column begins
    and whose option is added to it; the one stands in for factors that a product has not.
    coefficients: (products, caps).
    """

    flat: FloatArray
    start: IntArray
    which: IntArray
    coefficients: FloatArray

    @classmethod
    def of(cls, problem: Problem) -> "_CostTable":
        """Table of a problem."""
        place: dict[Factor, int] = {}
        flat = [np.ones(1)]
        end = 1
        for factor, column in problem._columns.items():
            place[factor] = end
            flat.append(column)
            end += len(column)
        most = max((len(product.factors) for product in problem.products), default=1)
        shape = (len(problem.products), most)
        start = np.zeros(shape, np.int64)
        which = np.full(shape, len(problem.variables))
        for row, product in enumerate(problem.products):
            for position, factor in enumerate(product.factors):
                start[row, position] = place[factor]
                which[row, position] = factor[0]
        coefficients = np.array([product.coefficients for product in problem.products])
        coefficients = coefficients.reshape(len(problem.products), len(problem.limits))
        return cls(flat=np.concatenate(flat), start=start, which=which, coefficients=coefficients)


def make_problem(
    network: Network,
    allowed: Allowed,
    worth: Mapping[str, Worth],
    budget: Budget,
    *,
    smoothing: float,
) -> Problem:
    """The knapsack of a network under a budget. smoothing: the prior, for heads."""
    blocks = [block for block in network.blocks if 0 in allowed.blocks[block.name]]
    gates = {name: number for number, block in enumerate(blocks) for name in block.groups}
    variables = [_gate(block.name, allowed.blocks[block.name]) for block in network.blocks]
    variables.sort(key=lambda each: 0 not in each.widths)
    for group in network.groups:
        if group.kind is GroupKind.HEADS:
            continue
        variable = (
            _pair(allowed.groups[group.inside], allowed.groups[group.name], worth, smoothing)
            if group.inside
            else _plain(allowed.groups[group.name], worth)
        )
        variables.append(replace(variable, gate=gates.get(group.name)))
    products, fixed = _products(network, variables, budget)
    return Problem(
        variables=tuple(variables),
        products=products,
        limits=np.array([float(cap.limit) for cap in budget.caps]),
        fixed=fixed,
        total=sum(float(v.sum()) for v in _whole_values(network, worth, smoothing)),
    )


def head_sums(worth: Worth, size: int, heads: int) -> FloatArray:
    """What every head keeps with `size` dimensions in each of its two lanes, (heads,)."""
    sums: FloatArray = worth.values[:, :size].sum(axis=1).reshape(heads, 2).sum(axis=1)
    return sums


def _gate(block: str, options: IntArray) -> Variable:
    """Whether a block stays: of no value by itself, but everything inside it hangs on that."""
    return Variable(groups=(block,), widths=options[:, None], values=np.zeros(len(options)))


def _plain(choice: Choice, worth: Mapping[str, Worth]) -> Variable:
    name = choice.group.name
    values = np.zeros(len(choice.widths))
    if name in worth:
        kept = np.concatenate([[0.0], np.cumsum(worth[name].values.sum(axis=0))])
        values = kept[choice.widths]
    return Variable(groups=(name,), widths=choice.widths[:, None], values=values)


def _pair(heads: Choice, size: Choice, worth: Mapping[str, Worth], smoothing: float) -> Variable:
    """Heads and their size, chosen together: for each size, the heads that keep most with it."""
    whole = heads.group.width
    factors = head_factors(smoothing, whole)
    widths, values = [], []
    for d in size.widths.tolist():
        kept = np.zeros(whole + 1)
        if size.group.name in worth:
            sums = np.sort(head_sums(worth[size.group.name], d, whole))[::-1]
            kept[1:] = np.cumsum(sums * factors)
        for h in heads.widths.tolist():
            widths.append((h, d))
            values.append(kept[h])
    return Variable(
        groups=(heads.group.name, size.group.name),
        widths=np.array(widths, np.int64),
        values=np.array(values),
    )


def _whole_values(
    network: Network, worth: Mapping[str, Worth], smoothing: float
) -> list[FloatArray]:
    found = []
    for name, each in worth.items():
        group = network.by_name[name]
        if not group.inside:
            found.append(each.values.sum(keepdims=True))
            continue
        heads = network.by_name[group.inside].width
        sums = np.sort(head_sums(each, group.width, heads))[::-1]
        found.append((sums * head_factors(smoothing, heads)).sum(keepdims=True))
    return found or [np.zeros(1)]


def _products(
    network: Network, variables: Sequence[Variable], budget: Budget
) -> tuple[tuple[Product, ...], FloatArray]:
    """Cost terms over the variables that have more than one option; the rest is in the numbers."""
    where = {name: (v, i) for v, each in enumerate(variables) for i, name in enumerate(each.groups)}
    sums: dict[tuple[Factor, ...], FloatArray] = defaultdict(lambda: np.zeros(len(budget.caps)))
    model = CostModel(network)
    for number, cap in enumerate(budget.caps):
        for term in model.terms(cap.metric):
            factors = _factors(term, variables, where)
            fixed = [f for f in factors if len(variables[f[0]]) == 1]
            size = prod(int(variables[v].sizes(form)[0]) for v, form in fixed)
            if not size:
                continue
            free = tuple(f for f in factors if f not in fixed)
            sums[free][number] += term.coefficient * size
    fixed_costs = sums.pop((), np.zeros(len(budget.caps)))
    products = tuple(Product(coefficients=c, factors=f) for f, c in sums.items())
    return products, fixed_costs


def _factors(
    term: Term, variables: Sequence[Variable], where: Mapping[str, tuple[int, int]]
) -> tuple[Factor, ...]:
    """Factors of a term. where: of every name, its variable, and the group in that."""
    forms: dict[int, list[tuple[int, ...]]] = {}
    for name, multiple in zip(term.groups, term.multiples or repeat(1), strict=False):
        v, group = where[name]
        form = forms.setdefault(v, [()] * len(variables[v].groups))
        # Where all options are multiples already, the cost is the same, and may be linear.
        rounds = variables[v].rounds(group, multiple)
        form[group] = tuple(sorted((*form[group], multiple if rounds else 1)))
    return tuple((v, tuple(form)) for v, form in sorted(forms.items()))
