"""How wide a kernel is: rules, and cross-validation."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_real, shown
from hellgan.execution import programs
from hellgan.kernels.shapes import Kernel
from hellgan.kernels.sums import log_sums
from hellgan.samples.robust import quantile, robust_scale

AUTO = 1.5  # robust scales, times n^(-1/(d + 4)): section 9 of docs/theory.md has the figures behind it


def auto(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1.5 n^(-1/(d+4)) times the median absolute deviation, made consistent at the normal law: (d,)."""
    return AUTO * robust_scale(rows.T, weights) * _rate(rows, weights)


def silverman(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Silverman's rule: (4/(d+2))^(1/(d+4)) n^(-1/(d+4)) min(sd, IQR/1.349), on the line .9 in the place of 1.06."""
    d = rows.shape[1]
    range_ = quantile(rows.T, 0.75, weights) - quantile(rows.T, 0.25, weights)
    sd = _deviations(rows, weights)
    scale = np.where(range_ > 0, np.minimum(sd, range_ / 1.349), sd)
    return (0.9 if d == 1 else (4 / (d + 2)) ** (1 / (d + 4))) * scale * _rate(rows, weights)


def scott(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Scott's rule: n^(-1/(d+4)) standard deviations, on the line 1.06 times that."""
    return (1.06 if rows.shape[1] == 1 else 1.0) * _deviations(rows, weights) * _rate(rows, weights)


def cross_validated(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The multiple of ``auto``, between a sixteenth and four, of the largest leave-one-out log likelihood.

    Isolated observations count as if the density there were that of a hundredth of one observation at least, so that
    they do not widen the kernel without bound.
    """
    base = auto(rows, weights)
    from scipy import optimize

    at = optimize.minimize_scalar(
        lambda log_factor: -float(_likelihood(rows, weights, base * np.exp(log_factor))),
        bounds=(np.log(1 / 16), np.log(4.0)),
        method="bounded",
        options={"xatol": 1e-3},
    ).x  # pyright: ignore[reportAttributeAccessIssue]
    return base * np.exp(at)


RULES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "auto": auto,
    "silverman": silverman,
    "scott": scott,
    "cross-validated": cross_validated,
}


def bandwidth(value, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Read one bandwidth as the kernel's standard deviation in each coordinate.

    Parameters
    ----------
    value : str, number or (d,) sequence of numbers
        A rule's name, or positive numbers in the data's units.
    rows : (n, d) array
    weights : (n,) array
        With sum 1.

    Returns
    -------
    (d,) array

    Raises
    ------
    ValueError
        For an unknown rule, and for numbers that are not positive and finite or not one for each coordinate.
    """
    d = rows.shape[1]
    if isinstance(value, str):
        if value not in RULES:
            raise ValueError(f"bandwidth: {shown(value)} is not known; give a positive number or one of {_named()}.")
        return np.asarray(RULES[value](rows, weights), np.float64)
    advice = f"a positive number{'' if d == 1 else f', or {d} of them'}, or one of {_named()}"
    given = list(value) if np.ndim(value) == 1 else [value]
    if len(given) not in (1, d):
        raise ValueError(f"bandwidth: got {shown(value)}; give {advice}.")
    return np.broadcast_to([checked_real("bandwidth", each, advice, most=1e150) for each in given], (d,)).copy()


def _named() -> str:
    return ", ".join(repr(name) for name in RULES)


def _rate(rows, weights) -> float:
    return float(np.sum(weights**2) ** (1 / (rows.shape[1] + 4)))


def _deviations(rows, weights) -> np.ndarray:
    away = rows - weights @ rows
    return np.sqrt(weights @ away**2 / (1 - np.sum(weights**2)))


@programs.program
def _likelihood(rows, weights, bandwidth):
    """Mean log of the leave-one-out density."""
    kernel = Kernel(bandwidth[None])
    found = log_sums(kernel, rows, rows, weights, 0.0) - jnp.log(1 - weights)
    floor = kernel.log_peaks()[0] + jnp.log(jnp.sum(weights**2) / 100)
    return weights @ jax.numpy.logaddexp(found, floor * jnp.ones_like(found))
