"""Optimisers of both players: optax's, imported when first needed."""

import functools
import importlib.util
from typing import Any

from hellgan.checks import checked_real, shown
from hellgan.neural.updates import Optimisers

_FIRST, _SECOND = 0.5, 0.999  # Adam's decay rates, as a DCGAN's are


def require_optax() -> Any:
    """Import optax, or say in a sentence how to install it."""
    if importlib.util.find_spec("optax") is None:
        raise ImportError('hellgan.neural trains by optax: pip install "hellgan[neural]".')
    import optax

    return optax


def optimisers_of(rate, optimizer, is_optimistic: bool) -> Optimisers:
    """Read a rate, or a pair (generator's, discriminator's), and optax transformations, one or a pair.

    Adam with beta_1 = .5 unless an optimiser is given, which has its own rate.
    """
    require_optax()
    if optimizer is not None:
        pair = _pair(optimizer)
        for each in pair:
            if not (callable(getattr(each, "init", None)) and callable(getattr(each, "update", None))):
                raise TypeError(
                    f"optimizer: got {shown(each)}; give an optax optimiser, or a pair of them, the generator's first."
                )
        return Optimisers(*(_looking_back(each) if is_optimistic else each for each in pair))
    rates = [
        checked_real("rate", each, "a positive number, or a pair of them, the generator's first")
        for each in _pair(rate)
    ]
    return Optimisers(*(_adam(each, is_optimistic) for each in rates))


def _pair(given) -> tuple:
    # An optax transformation is itself a pair of functions.
    is_pair = isinstance(given, (tuple, list)) and not hasattr(given, "update") and len(given) == 2
    return tuple(given) if is_pair else (given, given)


# Cached, so that equal rates are one object and share their compiled programs.
@functools.lru_cache(maxsize=64)
def _adam(rate: float, is_optimistic: bool):
    adam = require_optax().adam(rate, b1=_FIRST, b2=_SECOND)
    return _looking_back(adam) if is_optimistic else adam


@functools.lru_cache(maxsize=64)
def _looking_back(optimiser):
    """Step twice as far, less the last step: optimistic updates, whatever the optimiser."""
    optax = require_optax()
    return optax.chain(optimiser, optax.scale_by_optimistic_gradient())
