"""The best few by a score: S rounds of max-and-mask, on a CPU about twice as fast as a sort.
Also slates drawn at random, without scores."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

TAKEN = -1e30


def first_best(scores: Float[Array, "K N"]) -> Int[Array, " K"]:
    """Index of the highest score in each row, the lowest index on ties."""
    count = scores.shape[-1]
    best = scores == scores.max(-1, keepdims=True)
    return jnp.where(best, jnp.arange(count), count - 1).min(-1)


def top_slate(scores: Float[Array, "K N"], slots: int) -> Int[Array, "K S"]:
    """The products with the highest scores, best slot first."""
    chosen = []
    for _ in range(slots):
        best = first_best(scores)
        chosen.append(best)
        scores = jnp.where(jnp.arange(scores.shape[-1]) == best[:, None], TAKEN, scores)
    return jnp.stack(chosen, -1)


def shuffled_slate(uniforms: Float[Array, "K S"], products: int) -> Int[Array, "K S"]:
    """Distinct products in every order alike, from one uniform in [0, 1) a slot.

    The first S steps of a shuffle (Durstenfeld, 1964), followed back instead of carried out: slot s
    takes what lies at a place drawn from s..N-1, which an earlier slot may have put there.
    """
    places = []
    for slot in range(uniforms.shape[-1]):
        free = products - slot
        place = slot + jnp.minimum((uniforms[:, slot] * free).astype(jnp.int32), free - 1)
        places.append(place)
    chosen = []
    for slot, place in enumerate(places):
        for earlier in range(slot - 1, -1, -1):
            place = jnp.where(place == places[earlier], earlier, place)
        chosen.append(place)
    return jnp.stack(chosen, -1)
