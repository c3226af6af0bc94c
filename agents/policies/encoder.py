"""What all networks share: an encoder that fits any catalogue, and a department's memory.

Weights are shared by all products and segments, with a pooled context, so one set of weights reads
stores of any size (Zaheer et al. 2017, "Deep Sets"). A module reads the `View` of one store; stores
are batched by `jax.vmap`.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from agents.policies.names import MemoryKind
from jaxsim.views import View

EWMA_MEMORY = (0.5, 0.8, 0.95)
"""Weights of the past in the running averages that `ewma` keeps of the news."""

Carried = Float[Array, "N _M"] | None
"""What a department carries from period to period, with a width M of its own; none where it has no
memory."""

zero_start = nn.initializers.zeros_init()
"""Output layers start at 0, so that an untrained network corrects nothing."""


class Encoder(nn.Module):
    """Per-product weights with a pooled context of all products, the segments and the store.

    Features of a segment and a product are averaged over segments.
    """

    width: int

    @nn.compact
    def __call__(
        self, view: View, memory: Carried
    ) -> tuple[Float[Array, "N W"], Float[Array, " C"]]:
        """Hidden features of every product, and the pooled context."""
        features = jnp.concatenate([view.product, view.pair.mean(0)], -1)
        if memory is not None:
            features = jnp.concatenate([features, memory], -1)
        hidden = nn.tanh(nn.Dense(self.width)(features))
        context = jnp.concatenate([hidden.mean(0), view.segment.mean(0), view.store])
        shared = nn.Dense(self.width)(context)
        hidden = nn.tanh(nn.Dense(self.width, use_bias=False)(hidden) + shared[None])
        return hidden, context


class Memory(nn.Module):
    """What a department carries from period to period, per product: nothing, running averages of
    the news at fixed rates, or a gated recurrent state that is learned (GRU, Cho et al. 2014)."""

    kind: MemoryKind
    width: int

    @nn.compact
    def __call__(self, view: View, carried: Carried) -> Carried:
        """The memory after this period's view."""
        if carried is None:
            return None
        if self.kind == "ewma":
            rates = jnp.asarray(EWMA_MEMORY)[None, None]
            past = carried.reshape(*view.news.shape, len(EWMA_MEMORY))
            return (rates * past + (1 - rates) * view.news[..., None]).reshape(carried.shape)
        carried, _ = nn.GRUCell(self.width)(carried, view.product)
        return carried


def empty_memory(kind: MemoryKind, width: int, news: int, products: int) -> Carried:
    """The memory of a store not yet seen: zeros, or nothing at all without a memory, since an array
    of size 0 that crosses `jax.shard_map` crashes the compiler of jax 0.11."""
    size = {"none": 0, "ewma": news * len(EWMA_MEMORY), "gru": width}[kind]
    return jnp.zeros((products, size)) if size else None


class Trunk(nn.Module):
    """Memory and encoder in one, for heads that share them."""

    width: int
    memory: MemoryKind

    @nn.compact
    def __call__(
        self, view: View, carried: Carried
    ) -> tuple[Float[Array, "N W"], Float[Array, " C"], Carried]:
        """Hidden features of every product, the pooled context, and the memory after this view."""
        return encoded(self, view, carried)


def encoded(
    module: Any, view: View, carried: Carried
) -> tuple[Float[Array, "N W"], Float[Array, " C"], Carried]:
    """What a compact module with `width` and `memory` makes of its view, by a memory and an encoder
    of its own."""
    carried = Memory(module.memory, module.width, name="memory")(view, carried)
    return *Encoder(module.width)(view, carried), carried
