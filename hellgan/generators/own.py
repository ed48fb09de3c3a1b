"""Families that users write as classes: checks of their functions that the decorator makes of a simulator."""

import jax
import jax.numpy as jnp

from hellgan.execution import tracing
from hellgan.generators.family import Fixed, Generator

_STEADY: set[type] = set()  # classes that have been found to be


def check_steady(generator: Generator) -> None:
    """Refuse a class of a user's whose draws hold random numbers of their own; a class is asked once.

    Raises ``ValueError``. A ``draw`` that fails otherwise is left to whoever needs it.
    """
    family = generator.generator if isinstance(generator, Fixed) else generator
    kind = type(family)
    if kind.__module__.partition(".")[0] == "hellgan" or kind in _STEADY:
        return
    sizes = generator.size, generator.covariates + generator.latent_dim
    shapes = [jax.ShapeDtypeStruct((size,), jnp.float32) for size in sizes]
    try:
        why = tracing.trouble(generator, *shapes)
    except Exception:
        return
    if why:
        raise ValueError(f"generator: draw of {generator.name} {why}.")
    _STEADY.add(kind)
