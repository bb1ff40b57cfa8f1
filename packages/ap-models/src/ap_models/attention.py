"""Self-attention modules: where their projections are, and how to see them as one leaf."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from timm.layers import Attention as TimmAttention


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One self-attention with packed query, key and value.

    path: of the module. weight, bias: names, below it, of the packed projection, (3 * heads *
    head_size, in): all queries, then all keys, then all values; head-major in each. bias is ""
    where there is none. projection: path below it of the output projection, a Linear.
    norms: paths below it of normalisations over one head's query or key.
    heads_locked, size_locked: why heads, or their size, cannot be cut; "" where they can.
    """

    path: str
    weight: str
    bias: str
    projection: str
    in_features: int
    out_features: int
    heads: int
    head_size: int
    norms: tuple[str, ...] = ()
    heads_locked: str = ""
    size_locked: str = ""

    def below(self, name: str) -> str:
        """Full path of a module or parameter of this attention."""
        return f"{self.path}.{name}" if self.path else name


class StandIn(nn.Module):
    """A linear layer in the place of an attention, for tracing only.

    Tracing needs to know that the residual stream goes in and comes out, not what happens inside.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.leaf = nn.Linear(attention.in_features, attention.out_features, device="meta")
        self.returns_pair = attention.weight == "in_proj_weight"

    def forward(self, query: Tensor, *others: object, **named: object) -> object:
        """Output in the shape of the attention's; (output, None) as nn.MultiheadAttention does.

        Raises: ValueError where keys or values are not the queries.
        """
        given = (*others, *named.values())
        tensors = [x for x in given if isinstance(x, Tensor)]
        if self.returns_pair and any(x is not query for x in tensors[:2]):
            raise ValueError("attention to other tokens than its own cannot be cut")
        out = self.leaf(query)
        return (out, None) if self.returns_pair else out


class PackedAttention(nn.Module):
    """nn.MultiheadAttention for self-attention whose inner width is its own.

    nn.MultiheadAttention insists on heads * head size = width of the residual stream, so neither
    can be cut alone. Same parameter names, same function, and the same call as torchvision's.
    """

    def __init__(
        self, *, embed_dim: int, num_heads: int, head_dim: int, bias: bool, dropout: float
    ) -> None:
        super().__init__()
        inner = num_heads * head_dim
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * inner, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * inner)) if bias else None
        self.out_proj = nn.Linear(inner, embed_dim, bias=bias)

    @classmethod
    def of(cls, module: nn.MultiheadAttention) -> "PackedAttention":
        """Same function as the module, sharing its parameters."""
        with torch.device("meta"):
            twin = cls(
                embed_dim=module.embed_dim,
                num_heads=module.num_heads,
                head_dim=module.head_dim,
                bias=module.in_proj_bias is not None,
                dropout=module.dropout,
            )
        twin.in_proj_weight = module.in_proj_weight
        twin.in_proj_bias = module.in_proj_bias
        twin.out_proj.weight = module.out_proj.weight
        twin.out_proj.bias = module.out_proj.bias
        return twin.train(module.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        need_weights: bool = False,  # noqa: FBT001, FBT002
    ) -> tuple[Tensor, None]:
        """Attention of the tokens (batch, n, width) to each other; (output, None)."""
        del key, value, need_weights
        batch, tokens, _ = query.shape
        packed = F.linear(query, self.in_proj_weight, self.in_proj_bias)
        shape = (batch, tokens, 3, self.num_heads, self.head_dim)
        q, k, v = packed.reshape(shape).permute(2, 0, 3, 1, 4).unbind(0)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        out = out.transpose(1, 2).reshape(batch, tokens, self.num_heads * self.head_dim)
        return self.out_proj(out), None


def find_attentions(module: nn.Module) -> tuple[Attention, ...]:
    """Self-attentions that the surgery knows how to cut, in the order of the modules."""
    from timm.layers import Attention as TimmAttention

    found = []
    for path, child in module.named_modules():
        if type(child) is TimmAttention:
            found.append(_of_timm(path, child))
        elif isinstance(child, PackedAttention) or _is_packed(child):
            found.append(_of_torch(path, child))
    return tuple(found)


def _is_packed(module: nn.Module) -> TypeGuard[nn.MultiheadAttention]:
    return (
        type(module) is nn.MultiheadAttention
        and module.in_proj_weight is not None
        and module.batch_first
        and module.bias_k is None
        and not module.add_zero_attn
    )


def _of_timm(path: str, module: "TimmAttention") -> Attention:
    norms = tuple(
        name
        for name in ("q_norm", "k_norm", "norm")
        if not isinstance(getattr(module, name, nn.Identity()), nn.Identity)
    )
    gated = getattr(module, "gate", None) is not None
    over_all = "norm" in norms
    reason = "gated attention" if gated else "normalisation over all heads" if over_all else ""
    return Attention(
        path=path,
        weight="qkv.weight",
        bias="qkv.bias" if module.qkv.bias is not None else "",
        projection="proj",
        in_features=module.qkv.in_features,
        out_features=module.proj.out_features,
        heads=module.num_heads,
        head_size=module.head_dim,
        norms=norms,
        heads_locked=reason,
        size_locked=reason or ("normalisation inside a head" if norms else ""),
    )


def _of_torch(path: str, module: "nn.MultiheadAttention | PackedAttention") -> Attention:
    width = module.out_proj.out_features
    return Attention(
        path=path,
        weight="in_proj_weight",
        bias="in_proj_bias" if module.in_proj_bias is not None else "",
        projection="out_proj",
        in_features=width,
        out_features=width,
        heads=module.num_heads,
        head_size=module.head_dim,
    )
