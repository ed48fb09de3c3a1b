"""How far an observation is believed to be of the generator's law: a function of its log density ratio."""

import jax

# An observation counts half where the log density ratio is _HALF, that is where the data are 4.5 times as dense as the
# fitted law; at ratios below 2 and above 10 it counts more than .96 and less than .04.
_HALF, _STEEPNESS = 1.5, 4.0


def belief(v):
    """The weight of an observation at whose place the log density ratio, real over fitted, is v: between 0 and 1."""
    return jax.nn.sigmoid(_STEEPNESS * (_HALF - v))
