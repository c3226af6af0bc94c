"""Separate randomness for each purpose, from one seed."""

import jax


def keys_of(seed: int) -> dict[str, jax.Array]:
    """A key each to tune, learn, validate, evaluate and trace: what is tuned on is never reported
    on.

    The heuristics are tuned on the same customers whatever the seed, so that trainings of one
    store with different seeds start from the same pair and are held against the same pairs.
    """
    names = ("tune", "learn", "validate", "evaluate", "trace")
    keys, first = (jax.random.split(jax.random.key(each), len(names)) for each in (seed, 0))
    return dict(zip(names, keys, strict=True)) | {"tune": first[0]}
