"""A small invented network, a solver and a judge of it, and strategists by script."""

from functools import cache
from hashlib import sha256

from networks import scores, vit

from ap_core.budget import Budget, Cap
from ap_core.cost import CostModel
from ap_core.errors import DataError, OutOfReachError, UsageError
from ap_core.network import Group, GroupKind, Metric, Network
from ap_core.plan import Plan
from ap_core.search.attempts import Quality
from ap_core.search.loop import search
from ap_core.search.trial import Evidence
from ap_core.solver import retained_value
from ap_core.solver import solve as solve_for_real
from ap_core.strategy import Strategy

NETWORK = Network(
    model="toy",
    input_size=(3, 8, 8),
    groups=(
        Group(name="a", kind=GroupKind.HEADS, scope="heads", stage="1", width=8),
        Group(name="b", kind=GroupKind.HIDDEN, scope="mlp", stage="1", width=64),
        Group(name="c", kind=GroupKind.HIDDEN, scope="mlp", stage="2", width=64),
        Group(name="d", kind=GroupKind.RESIDUAL, scope="stream", stage="", width=32),
    ),
    layers=(),
)
BUDGET = Budget(caps=(Cap(metric=Metric.MACS, limit=1000),))
IMPORTANCES = ("l2", "taylor")


def evidence(**changes):
    fields = {
        "network": NETWORK,
        "budget": BUDGET,
        "base": Strategy(),
        "importances": IMPORTANCES,
        "trials": (),
        "seed": 0,
    }
    return Evidence(**fields | changes)


def solve(strategy):
    """Plan that depends on all of the strategy's settings; floors above one half are too much."""
    if "nowhere" in strategy.pressure:
        raise UsageError("nothing is called 'nowhere'")
    if strategy.importance == "taylor" and strategy.floor == 0.25:
        raise DataError("the images are gone")
    if strategy.floor > 0.5:
        raise OutOfReachError("the floors cost more than the budget", hint="at least 2000")
    text = strategy.model_dump_json(exclude={"rationale", "pressure", "smoothing"})
    turn = sha256(text.encode()).digest()[0]
    widths, kept = {}, {}
    for group in NETWORK.groups:
        share = 0.5 / (1 + (strategy.smoothing or 0.0)) / strategy.pressure.get(group.scope, 1.0)
        width = max(1, min(group.width, round(group.width * share)))
        widths[group.name] = width
        kept[group.name] = tuple(sorted((turn + i) % group.width for i in range(width)))
    return Plan(
        widths=widths,
        kept=kept,
        macs=sum(widths.values()),
        params=sum(map(sum, kept.values())),
        value=0.5,
        bound=None,
    )


def measure(plan, *, loss=True):
    """Quality that is best where a quarter of each group stays."""
    error = sum((plan.widths[g.name] / g.width - 0.25) ** 2 for g in NETWORK.groups)
    error += plan.params / 1e5
    return Quality(
        retained=1 - error / 10, loss=error if loss else None, accuracy=0.5 if loss else None
    )


class Scripted:
    """Strategist that proposes what it is told to, in turn; exceptions are raised."""

    def __init__(self, *script):
        self.script = script
        self.seen = []

    def propose(self, evidence):
        self.seen.append(evidence)
        number = len(self.seen) - 1
        proposal = self.script[number] if number < len(self.script) else None
        if isinstance(proposal, BaseException):
            raise proposal
        return proposal


class Bench:
    """Runs searches, and keeps what they recorded, judged and warned of."""

    def __init__(self, *, loss=True, judge=None):
        self.recorded, self.judged, self.warned = [], [], []
        self.time = 0.0
        self.measure = judge or (lambda plan: measure(plan, loss=loss))

    def search(
        self,
        strategist,
        *,
        allowance=30,
        name="script",
        solve=solve,
        out_of_time=lambda: False,
        **changes,
    ):
        return search(
            evidence(**changes),
            strategist,
            name=name,
            solve=solve,
            judge=self._judge,
            allowance=allowance,
            record=self.recorded.append,
            warn=self.warned.append,
            clock=self._clock,
            out_of_time=out_of_time,
        )

    def _judge(self, plan):
        self.judged.append(plan)
        return self.measure(plan)

    def _clock(self):
        self.time += 1.5
        return self.time


VIT = vit()
VIT_SCORES = scores(VIT)
VIT_LIMIT = CostModel(VIT).macs(VIT.whole) // 2
VIT_BUDGET = Budget(caps=(Cap(metric=Metric.MACS, limit=VIT_LIMIT),))


@cache
def solved(written):
    """Plan of a strategy as it is written in JSON, once: the solver has no state."""
    return solve_for_real(VIT, VIT_SCORES, Strategy.model_validate_json(written), VIT_BUDGET)


class SolvedBench(Bench):
    """Searches over a made-up vision transformer, at half of its MACs, with the real solver."""

    def __init__(self):
        self.network, self.scores, self.limit = VIT, VIT_SCORES, VIT_LIMIT
        super().__init__(judge=self._worth)

    def search(self, strategist, **more):
        made = {"network": self.network, "budget": VIT_BUDGET, "scores": self.scores}
        return super().search(
            strategist,
            solve=lambda strategy: solved(strategy.model_dump_json(exclude={"rationale"})),
            **made | more,
        )

    def within(self, outcome):
        """Whether every trial keeps to the budget, and ends in its band."""
        return all(0.995 * self.limit <= trial.macs <= self.limit for trial in outcome.trials)

    def _worth(self, plan):
        kept = retained_value(self.network, self.scores, Strategy(), plan)
        return Quality(retained=kept, loss=2 - kept, accuracy=kept)
