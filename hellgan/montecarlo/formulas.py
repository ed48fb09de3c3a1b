"""Performance measures of an estimator over replicates, each with its Monte Carlo standard error.

Every function takes the numbers of n >= 2 replicates, none missing, and gives ``(value, mcse)``. Closed forms are those
of Table 6 of Morris, White and Crowther (2019), which R's ``rsimsum`` computes too; others say where they are from.
Errors of ``empirical_se``, ``se_ratio`` and ``relative_efficiency`` hold for normal estimates: heavy tails make them
too small.

References
----------
Huber and Ronchetti (2009), *Robust Statistics*, 2nd edition, chapter 5. ·
Morris, White and Crowther (2019), Using simulation studies to evaluate statistical methods, *Statistics in
Medicine* 38. ·
Price and Bonett (2001), Estimating the variance of the sample median, *Journal of Statistical Computation and
Simulation* 68.
"""

import numpy as np
from scipy import special

# The median absolute deviation of a normal law, in standard deviations.
_NORMAL_MAD = special.ndtri(0.75)

Measured = tuple[float, float]


def mean(draws: np.ndarray) -> Measured:
    """Give the mean of draws: of errors the bias, of widths the mean width. MCSE s / sqrt(n)."""
    return float(np.mean(draws)), np.std(draws, ddof=1) / np.sqrt(len(draws))


def empirical_se(estimates: np.ndarray) -> Measured:
    """Give the standard deviation s of the estimates, over n - 1. MCSE s / sqrt(2 (n - 1))."""
    s = float(np.std(estimates, ddof=1))
    return s, s / np.sqrt(2 * (len(estimates) - 1))


def model_se(std_errors: np.ndarray) -> Measured:
    """Give m, the root of the mean squared standard error. MCSE sqrt(var(se^2) / (4 n m^2))."""
    squares = std_errors**2
    m = np.sqrt(np.mean(squares))
    return m, np.sqrt(np.var(squares, ddof=1) / (4 * len(squares))) / m


def se_ratio(estimates: np.ndarray, std_errors: np.ndarray) -> Measured:
    """Give the model standard error over the empirical one; ``rsimsum``'s relative error in % is 100 (ratio - 1).

    MCSE ratio sqrt(var(se^2) / (4 n m^4) + 1 / (2 (n - 1))), as if the two were independent.
    """
    return _ratio_of_independent(model_se(std_errors), empirical_se(estimates))


def mse(errors: np.ndarray) -> Measured:
    """Give the mean squared error. MCSE sqrt(sum((error^2 - mse)^2) / (n (n - 1)))."""
    return mean(errors**2)


def rmse(errors: np.ndarray) -> Measured:
    """Give the root of the mean squared error; its MCSE is the jackknife's.

    The MCSE is sqrt((n - 1) / n sum((rmse_(j) - rmse)^2)), as ``simhelpers`` has it, where rmse_(j) leaves out one
    squared error. (The code of ``simhelpers`` 0.3.1 takes rmse_(j) from bias^2 + s^2 with s over n - 1 but rmse with n:
    for an unbiased normal estimator the square of its error is half as large again as it should be, whatever n.)
    """
    squares = errors**2
    value = np.sqrt(np.mean(squares))
    return value, _jackknife(np.sqrt(_without_one(squares) / (len(squares) - 1)), value)


def proportion(hits: int, n: int) -> Measured:
    """Give p = hits / n. MCSE sqrt(p (1 - p) / n), which is 0, and not to be believed, where p is 0 or 1."""
    p = hits / n
    return p, np.sqrt(p * (1 - p) / n)


def relative_efficiency(estimates: np.ndarray, reference: np.ndarray) -> Measured:
    """Give the variance of the reference's estimates over that of ``estimates``: above 1 where these are better.

    ``rsimsum``'s relative precision in % is 100 (ratio - 1). MCSE 2 ratio sqrt((1 - r^2) / (n - 1)), with the
    correlation r of the two over the same samples; NaN for n = 2, where r is 1 or -1 of necessity.
    """
    x, y = estimates - np.mean(estimates), reference - np.mean(reference)
    xx, yy, n = x @ x, y @ y, len(x)
    value, r = float(yy / xx), float(x @ y / np.sqrt(xx * yy))
    # Rounding may carry r beyond 1.
    return value, 2 * value * np.sqrt(max(1 - r**2, 0.0) / (n - 1)) if n > 2 else np.nan


def relative_mse(errors: np.ndarray, reference: np.ndarray) -> Measured:
    """Give the reference's mean squared error over that of ``errors``; the MCSE is the jackknife's, over pairs."""
    a, b = reference**2, errors**2
    value = np.sum(a) / np.sum(b)
    return value, _jackknife(_without_one(a) / _without_one(b), value)


def median(draws: np.ndarray) -> Measured:
    """Give the median of draws; its MCSE is Price and Bonett's (2001), free of the draws' law.

    The MCSE is (x_(n - c + 1) - x_(c)) / (2 z), where c is (n + 1) / 2 - sqrt(n), rounded and at least 1, and z the
    normal quantile of the exact (binomial) probability that the interval between the two misses the median on one side.
    """
    ordered = np.sort(draws)
    low, high, z = _middle(len(ordered))
    return np.median(ordered), (ordered[high] - ordered[low]) / (2 * z)


def mad_se(estimates: np.ndarray) -> Measured:
    """Give the median absolute deviation from the median over .6745: the standard error, for normal estimates.

    The MCSE needs neither normality nor symmetry. With m the median, D the deviation, f the density, and densities f+
    at m + D and f- at m - D, the influence function of D (Huber and Ronchetti 2009) is

        (sign(|x - m| - D) - (f+ - f-) / f(m) sign(x - m)) / (2 (f+ + f-)).

    Of its variance, 1 / (4 n (f+ + f-)^2) and 1 / (4 n f(m)^2) are estimated as the squared errors of a median, of
    |x - m| and of x, and (f+ - f-) / (f+ + f-) by the balance of sides among the deviations next to D.
    """
    centre, centre_error = median(estimates)
    sides = np.sign(estimates - centre)
    deviations = np.abs(estimates - centre)
    value, error = median(deviations)
    low, high, _ = _middle(len(estimates))
    skew = np.mean(sides[np.argsort(deviations, kind="stable")][low : high + 1])
    # Mean of the product of the two signs.
    product = np.mean(np.sign(deviations - value) * sides)
    square = error**2 - 2 * skew * product * error * centre_error + (skew * centre_error) ** 2
    return value / _NORMAL_MAD, np.sqrt(np.maximum(square, 0)) / _NORMAL_MAD


def mad_ratio(estimates: np.ndarray, std_errors: np.ndarray) -> Measured:
    """Give the median standard error over the estimates' MAD; MCSE as if the two were independent."""
    return _ratio_of_independent(median(std_errors), mad_se(estimates))


def _ratio_of_independent(above: Measured, below: Measured) -> Measured:
    """Divide two independent measures, and give the error by the delta method."""
    value = above[0] / below[0]
    return value, value * np.hypot(above[1] / above[0], below[1] / below[0])


def _without_one(draws):
    """Sum all draws but one, for each one left out: (n,); draws are not negative."""
    # Rounding may leave less than nothing.
    return np.maximum(np.sum(draws) - draws, 0)


def _jackknife(without_one, value):
    """Give the jackknife's standard error, about the value of all draws, as ``simhelpers`` does."""
    n = len(without_one)
    return np.sqrt((n - 1) / n * np.sum((without_one - value) ** 2))


def _middle(n: int) -> tuple[int, int, float]:
    """Give two ranks, from 0, about two standard errors either side of the median, and the exact number of errors."""
    c = max(round((n + 1) / 2 - np.sqrt(n)), 1)
    return c - 1, n - c, -special.ndtri(special.bdtr(c - 1, n, 0.5))
