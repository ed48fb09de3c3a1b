"""Median and median absolute deviation."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.generators import Fixed, Generator, LocationScale, MultivariateNormal, MultivariateStudentT
from hellgan.latents import Law
from hellgan.montecarlo.comparators.comparator import Comparator, Stack, unfixed
from hellgan.samples import robust

_ESTIMATED = ("loc", "scale")


@dataclasses.dataclass(frozen=True)
class MedianMAD(Comparator):
    """Median and median absolute deviation, made consistent at the family: a location-scale family on the line.

    In several dimensions both are taken coordinate by coordinate (normal law and Student's t of given degrees of
    freedom), and correlations are not estimated.

    Notes
    -----
    With f the standardised symmetric density, m its median and d its upper quartile less m, the limit laws of the
    sample's median and median absolute deviation from it are independent (Huber and Ronchetti 2009, section 5.1;
    Serfling and Mazumder 2009) with

        sd(median) = scale / (2 f(m) sqrt(n)),  sd(MAD / d) = scale / (4 f(m + d) d sqrt(n)):

    1.2533 and 1.1664 scale / sqrt(n) at the normal law, efficiencies .64 and .37. Standard errors are these at the
    fitted scale; they hold for data of the family.
    """

    @property
    def label(self):
        return "median and MAD"

    @property
    def chunk(self):
        return 8192

    def problem(self, family, n):
        if _noise(family) is None:
            return (
                f"{family.name} is no location-scale family; give model=, such as Normal(), or in several dimensions "
                "MultivariateNormal(d)"
            )
        if not self.estimated(family):
            return "location and scale are both fixed; leave one to estimate"
        return None

    def estimated(self, family):
        return [e for name, space in family.parameters.items() if name in _ESTIMATED for e in space.element_names(name)]

    def together(self, family, samples):
        return _stack(family, samples)


def _noise(family: Generator) -> Law | None:
    """Law of a standardised coordinate; None for a family without a known one."""
    family = unfixed(family)
    if isinstance(family, LocationScale):
        return family.noise
    if isinstance(family, MultivariateNormal):
        return latents.normal
    if isinstance(family, MultivariateStudentT) and family.df is not None:
        return latents.student_t(family.df)
    return None


def _stack(family: Generator, samples: np.ndarray) -> Stack:
    noise = _noise(family)
    assert noise is not None
    middle, upper = noise.quantile(np.array([0.5, 0.75]))
    reach = upper - middle
    with jax.enable_x64(True):
        at_middle, at_upper = (float(np.exp(noise.log_density(jnp.asarray(z)))) for z in (middle, upper))
    columns = np.moveaxis(samples, 1, -1)  # (R, n) or (R, d, n)
    n = columns.shape[-1]
    equal = np.full(n, 1 / n)
    center = robust.quantile(columns, 0.5, equal)
    scale = robust.deviation(columns, equal) / (robust.MAD * reach)
    scale = np.broadcast_to(_held(family, "scale", scale), scale.shape)
    loc = center - scale * middle
    # Where the law is not centred at 0 the scale's error enters the location's.
    of_scale = scale / (4 * at_upper * reach * np.sqrt(n)) * (0 if "scale" in _fixed(family) else 1)
    of_loc = np.hypot(scale / (2 * at_middle * np.sqrt(n)), middle * of_scale)
    flat = np.atleast_1d(scale).reshape(len(samples), -1).min(axis=1) <= 0
    chosen = [name for name in _ESTIMATED if name in family.parameters]
    values, errors = {"loc": loc, "scale": scale}, {"loc": of_loc, "scale": of_scale}
    stacked = [
        np.concatenate([part[name].reshape(len(samples), -1) for name in chosen], axis=1) for part in (values, errors)
    ]
    trouble = "the median absolute deviation is 0: half of the sample is one value"
    return Stack(stacked[0], stacked[1], [trouble if each else "" for each in flat])


def _fixed(family: Generator) -> dict:
    return family.values if isinstance(family, Fixed) else {}


def _held(family: Generator, name: str, value):
    return _fixed(family).get(name, value)
