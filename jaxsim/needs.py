"""Needs: products belong to categories, and a customer chooses within each on its own.

N products, K segments, C categories. With one category every product competes with every other.
What is summed within a product's own category has a last axis of N, or of 1 where there is one
category only, so that it broadcasts against the products either way. Source: this project.
"""

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int


class Needs(struct.PyTreeNode):
    """Which category each product is of, and how much each segment is drawn to buying nothing."""

    category: Int[Array, " N"]
    no_purchase: Float[Array, "K C"]  # MNL weight of buying nothing in a category

    @property
    def categories(self) -> int:
        """C."""
        return self.no_purchase.shape[-1]

    @property
    def members(self) -> Bool[Array, "C N"]:
        """Which products are of each category."""
        return jnp.arange(self.categories)[:, None] == self.category[None]

    @property
    def together(self) -> Bool[Array, "N N"] | None:
        """Which products are of the same category; None where all are."""
        own = self.category
        return None if self.categories == 1 else own[:, None] == own[None]

    @property
    def outside(self) -> Float[Array, "K _"]:
        """The weight of buying nothing, by product's own category."""
        return self.no_purchase if self.categories == 1 else self.no_purchase[:, self.category]

    def sums(self, values: Float[Array, "*rows N"]) -> Float[Array, "*rows _"]:
        """Sums over the products of each one's own category."""
        if self.categories == 1:
            return values.sum(-1, keepdims=True)
        members = self.members.astype(values.dtype)
        return (values @ members.T) @ members

    def total(self, weights: Float[Array, "K N"]) -> Float[Array, "K _"]:
        """Weight of all that is offered in a product's own category, buying nothing included."""
        return self.outside + self.sums(weights)
