"""Reading a network's structure: torch-pruning traces it, channel numbers flow along its graph.

torch-pruning's own grouping walks the graph once per layer with lists of Python indices; its cost
grows with the square of the depth. Here every channel gets a number where it is produced, numbers
flow forward once, and ties between them are resolved as connected components: linear in the size
of the graph.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torch import nn
from torch_pruning import DependencyGraph, ops
from torch_pruning.dependency.node import Node

from ap_core.errors import ModelError
from ap_models.attention import Attention
from ap_models.tracing.forward import Calls, run
from ap_models.tracing.labels import Labels
from ap_models.tracing.mappings import Mapping, follow
from ap_models.tracing.ports import IntArray, Port

TYPE = ops.OPTYPE
PASSING = {
    TYPE.BN: "bn",
    TYPE.LN: "ln",
    TYPE.GN: "gn",
    TYPE.IN: "in",
    TYPE.PRELU: "prelu",
    TYPE.DEPTHWISE_CONV: "dwconv",
}
MAKING = {
    TYPE.CONV: "conv",
    TYPE.LINEAR: "linear",
    TYPE.EMBED: "embed",
    TYPE.MHA: "mha",
    TYPE.LSTM: "lstm",
}
TOO_MANY = 2**16
"""Positions beyond which a chain of reshapes has gone astray."""


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Ports with channel numbers, what is tied and locked among them, and what the layers did."""

    ports: tuple[Port, ...]
    labels: Labels
    calls: Calls


@dataclass(frozen=True, kw_only=True, eq=False)
class _Edge:
    source: Node
    mappings: tuple[Mapping, ...]


def read_structure(
    skeleton: nn.Module, attentions: Iterable[Attention], input_size: tuple[int, int, int]
) -> Structure:
    """Ports of a network on the meta device in which `StandIn`s replace its attentions.

    Raises: ModelError where the network does not run or its operators cannot be traced.
    """
    graph, calls = run(skeleton, input_size)
    reader = _Reader(skeleton, {a.path: a for a in attentions}, calls)
    reader.read(list(graph.module2node.values()), graph)
    return Structure(ports=tuple(reader.ports), labels=reader.labels, calls=calls)


class _Reader:
    """Lets channel numbers flow once through the graph; collects the ports that they meet."""

    def __init__(self, module: nn.Module, attentions: dict[str, Attention], calls: Calls) -> None:
        self.ports: list[Port] = []
        self.labels = Labels()
        self._calls = calls
        self._attentions = attentions
        self._paths = {child: path for path, child in module.named_modules()}
        self._parameters = {p: path for path, p in module.named_parameters()}
        self._signals: dict[Node, IntArray | None] = {}
        self._sharing = _sharing(module)

    def read(self, nodes: list[Node], graph: DependencyGraph) -> None:
        """Visit every node once, inputs first."""
        incoming = _edges(nodes, graph)
        makers = [node for node in nodes if self._makes(node)]
        for node in makers:
            self._make(node)
        rest = [node for node in nodes if node not in self._signals]
        for node in _topological(rest, incoming):
            arriving = self._arriving(node, incoming[node])
            self._signals[node] = self._pass(node, arriving)
        for node in makers:
            self._consume(node, self._arriving(node, incoming[node]))
        self._lock_outputs(nodes)

    def _makes(self, node: Node) -> bool:
        return node.type in MAKING or node.type is TYPE.PARAMETER or self._repeats(node)

    def _repeats(self, node: Node) -> bool:
        return self._is_reused(node) and node.type in PASSING

    def _is_reused(self, node: Node) -> bool:
        return node.module in self._sharing or self._calls.repeats(self._path(node))

    def _path(self, node: Node) -> str:
        path: str = self._paths.get(node.module, "")
        holder = path.removesuffix(".leaf")
        return holder if holder in self._attentions else path

    def _make(self, node: Node) -> None:
        """Give numbers to the channels that a layer or a parameter produces."""
        if node.type is TYPE.PARAMETER:
            path = self._parameters[node.module]
            channels = self.labels.fresh(node.module.shape[node.pruning_dim])
            self._signals[node] = channels
            axis = node.pruning_dim
            self._port(path, "parameter", "parameter", channels, ((path, axis),))
            return
        path, module = self._path(node), node.module
        size = _out_channels(module)
        channels = self.labels.fresh(size)
        self._signals[node] = channels
        if reason := self._lock_reason(node):
            self.labels.lock(channels, reason)
            return
        attention = self._attentions.get(path)
        if attention:
            where = attention.below(attention.projection)
            tensors = _existing(module, where, (("weight", 0), ("bias", 0)))
            self._port(path, "attention", "out", channels, tensors)
            return
        tensors = _existing(module, path, (("weight", 0), ("bias", 0)))
        lanes = getattr(module, "groups", 1)
        self._port(path, MAKING[node.type], "out", channels, tensors, lanes)

    def _lock_reason(self, node: Node) -> str:
        module = node.module
        if self._is_reused(node):
            return "its weights are used more than once"
        if node.type in (TYPE.EMBED, TYPE.MHA, TYPE.LSTM) or node.type in PASSING:
            return f"a {type(module).__name__} cannot be cut"
        if isinstance(module, nn.modules.conv._ConvTransposeNd):
            return "a transposed convolution cannot be cut"
        return ""

    def _consume(self, node: Node, arriving: IntArray | None) -> None:
        """Bind what arrives at a layer to its input side."""
        if node.type is TYPE.PARAMETER:
            return
        path, module = self._path(node), node.module
        size = _in_channels(module)
        if arriving is None or len(arriving) != size or self._lock_reason(node):
            if arriving is not None:
                self.labels.lock(arriving, f"cannot be followed into {path}")
            channels = self.labels.fresh(size)
            self.labels.lock(channels, "input, or cannot be followed", outside=True)
            arriving = channels
        attention = self._attentions.get(path)
        where = attention.below(attention.weight) if attention else f"{path}.weight"
        kind = "attention" if attention else MAKING.get(node.type, PASSING.get(node.type, ""))
        lanes = getattr(module, "groups", 1)
        if kind in ("conv", "linear", "attention") and not self._lock_reason(node):
            self._port(path, kind, "in", arriving, ((where, 1),), lanes)

    def _pass(self, node: Node, arriving: IntArray | None) -> IntArray | None:
        """What leaves a node that produces no channels of its own."""
        kind = PASSING.get(node.type)
        if kind is None:
            return arriving
        path, module = self._path(node), node.module
        size = _out_channels(module)
        if arriving is None or len(arriving) != size or not _passes(module):
            if arriving is not None:
                self.labels.lock(arriving, f"cannot be followed through {path}")
            arriving = self.labels.fresh(size)
            self.labels.lock(arriving, f"cannot be followed through {path}")
        names = (("weight", 0), ("bias", 0), ("running_mean", 0), ("running_var", 0))
        lanes = module.num_groups if isinstance(module, nn.GroupNorm) else 1
        tensors = _existing(module, path, names)
        if kind == "prelu" and module.num_parameters == 1:
            return arriving
        self._port(path, kind, "norm", arriving, tensors, lanes)
        return arriving

    def _arriving(self, node: Node, edges: list[_Edge]) -> IntArray | None:
        """Channels at a node's input, tied where several tensors meet; None where unknown."""
        signals = [s for edge in edges if (s := self._along(edge)) is not None]
        if not signals:
            return None
        if node.type is TYPE.CONCAT and any(edge.mappings for edge in edges):
            return self._concatenate(signals)
        wide = [values for _, values in signals if len(values) > 1] or [signals[0][1]]
        first = wide[0]
        for other in wide[1:]:
            if len(other) != len(first):
                for values in wide:
                    self.labels.lock(values, f"meets another width in {node.name}")
                return None
            self.labels.tie(first, other)
        if len(wide) > 1 and "AddBackward" in str(node.module):
            self.labels.added.append(first)
        return first

    def _along(self, edge: _Edge) -> tuple[IntArray, IntArray] | None:
        """Positions, and the channels at them, at the far end of an edge."""
        values = self._signals.get(edge.source)
        if values is None:
            return None
        if not edge.mappings:
            return np.arange(len(values)), values
        if len(values) > TOO_MANY:
            self.labels.lock(values, "its reshapes cannot be followed")
            return None
        found = follow(edge.mappings, len(values))
        if found is None or found[0].min(initial=0) < 0:
            self.labels.lock(values, "cannot be followed")
            return None
        where, roots = found
        if not len(where):
            return None
        return self._merge(where, values[roots])

    def _merge(self, where: IntArray, values: IntArray) -> tuple[IntArray, IntArray]:
        """Sort by position; channels that land on one position are one."""
        order = np.argsort(where, kind="stable")
        where, values = where[order], values[order]
        first = np.concatenate([[True], where[1:] != where[:-1]])
        heads = values[first][np.cumsum(first) - 1]
        if not first.all():
            self.labels.tie(heads[~first], values[~first])
        return where[first], values[first]

    def _concatenate(self, signals: list[tuple[IntArray, IntArray]]) -> IntArray | None:
        size = 1 + max(int(where.max()) for where, _ in signals)
        joined = np.full(size, -1, np.int64)
        for where, values in signals:
            joined[where] = values
        if (joined < 0).any():
            for _, values in signals:
                self.labels.lock(values, "cannot be followed through a concatenation")
            return None
        return joined

    def _port(
        self,
        layer: str,
        kind: str,
        role: str,
        channels: IntArray,
        tensors: tuple[tuple[str, int], ...],
        lanes: int = 1,
    ) -> None:
        order = self._calls.order.get(layer, -1)
        self.ports.append(
            Port(
                layer=layer,
                kind=kind,
                role=role,
                channels=channels,
                tensors=tensors,
                lanes=lanes,
                order=order,
            )
        )

    def _lock_outputs(self, nodes: list[Node]) -> None:
        for node in nodes:
            signal = self._signals.get(node)
            if signal is not None and (not node.outputs or node.type is TYPE.OUTPUT):
                self.labels.lock(signal, "output of the network", outside=True)


def _sharing(module: nn.Module) -> set[nn.Module]:
    """Modules that own a parameter together with another one."""
    owners: dict[int, set[nn.Module]] = defaultdict(set)
    for child in module.modules():
        for parameter in child.parameters(recurse=False):
            owners[id(parameter)].add(child)
    return {child for several in owners.values() if len(several) > 1 for child in several}


def _edges(nodes: list[Node], graph: DependencyGraph) -> dict[Node, list[_Edge]]:
    """Edges into every node, with the index mappings that torch-pruning found."""
    incoming: dict[Node, list[_Edge]] = defaultdict(list)
    for node in nodes:
        outputs = set(map(id, node.outputs))
        trigger = graph.get_pruner_of_module(node.module).prune_out_channels
        for dependency in node.dependencies:
            if id(dependency.target) in outputs and dependency.is_triggered_by(trigger):
                mappings = tuple(m for m in dependency.index_mapping if m is not None)
                incoming[dependency.target].append(_Edge(source=node, mappings=mappings))
    return incoming


def _topological(nodes: list[Node], incoming: dict[Node, list[_Edge]]) -> list[Node]:
    """Nodes, each after those of its inputs that are among them."""
    among = set(nodes)
    waiting = {n: sum(edge.source in among for edge in incoming[n]) for n in nodes}
    following: dict[Node, list[Node]] = defaultdict(list)
    for node in nodes:
        for edge in incoming[node]:
            following[edge.source].append(node)
    ready = deque(node for node in nodes if not waiting[node])
    order: list[Node] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for after in following[node]:
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    if len(order) != len(nodes):
        raise ModelError(
            "the network's graph has a cycle that cannot be followed",
            hint="write a model adapter for it: see the plugin tutorial",
        )
    return order


def _existing(
    module: nn.Module, path: str, names: tuple[tuple[str, int], ...]
) -> tuple[tuple[str, int], ...]:
    return tuple(
        (f"{path}.{name}", axis) for name, axis in names if getattr(module, name, None) is not None
    )


def _out_channels(module: nn.Module) -> int:
    for name in (
        "out_channels",
        "out_features",
        "num_features",
        "num_channels",
        "num_parameters",
        "embedding_dim",
        "embed_dim",
        "hidden_size",
    ):
        if (size := getattr(module, name, None)) is not None:
            return int(size)
    shape: tuple[int, ...] = getattr(module, "normalized_shape")  # noqa: B009
    return shape[-1]


def _in_channels(module: nn.Module) -> int:
    for name in ("in_channels", "in_features", "input_size"):
        if (size := getattr(module, name, None)) is not None:
            return int(size)
    return _out_channels(module)


def _passes(module: nn.Module) -> bool:
    """Whether channels go through one by one, so that some can be taken out."""
    if isinstance(module, nn.LayerNorm):
        return len(module.normalized_shape) == 1
    if isinstance(module, nn.modules.conv._ConvNd):
        return module.in_channels == module.out_channels
    return True
