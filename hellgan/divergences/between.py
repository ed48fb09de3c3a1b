"""The divergence that a loss induces between two given laws."""

import numpy as np

from hellgan import losses
from hellgan.checks import shown
from hellgan.divergences.kernels import calibrated, kernel_values
from hellgan.divergences.laws import law_of
from hellgan.divergences.quadrature import Density, integrate
from hellgan.losses import Loss


def divergence(loss: str | Loss, p, q) -> float:
    r"""Compute the divergence that a loss induces between two laws on the line, by adaptive quadrature.

    .. math:: D(P, Q) = \int p [real(v) - real(0)] + q [fake(v) - fake(0)], \qquad v = \log p/q,

    for a zero-sum loss, and for the others the effective divergence (D) that the generator descends while the
    discriminator is kept at its optimum: ``log_ns`` KL(Q||P) - 2 JSD, ``root_ns`` the integral of
    p [arcsinh 1 - arcsinh(q/p)], ``kl`` KL(Q||P). Source: ``docs/theory.md``, section 1.

    Parameters
    ----------
    loss : str or Loss
        A calibrated loss.
    p, q : laws
        Anything that ``density`` takes; ``p`` is the law of the data, ``q`` that of the generator.

    Returns
    -------
    float
        Good to about 1e-12, or 1e-12 of itself when it exceeds 1; less where the laws are narrow beside their
        distance from 0, for their arguments are rounded. Infinite where ``q`` has mass without ``p`` and the
        loss does not bear it.

    Raises
    ------
    ValueError
        For a loss that is not calibrated.
    ArithmeticError
        When the integral does not settle: it is infinite, or the laws' points miss mass.

    Examples
    --------
    >>> import hellgan as hg
    >>> from scipy.stats import norm
    >>> round(hg.divergences.divergence("root", norm(0, 1), norm(1, 1)), 8)
    0.13225577
    """
    loss = calibrated(loss)
    try:
        return distance(loss, law_of(p, "p"), law_of(q, "q"))
    except ArithmeticError as error:
        raise ArithmeticError(
            f"divergence: {error}; it may be infinite, or a law's points may miss where its mass lies."
        ) from error


def distance(loss: Loss, p: Density, q: Density) -> float:
    """Integrate (D) of ``docs/theory.md`` between two laws; the loss must be calibrated."""

    def integrand(x):
        log_p, log_q = p.log_density(x), q.log_density(x)
        larger = np.exp(np.maximum(log_p, log_q))
        nowhere = larger == 0
        with np.errstate(invalid="ignore"):
            v = np.where(nowhere, 0.0, log_p) - np.where(nowhere, 0.0, log_q)
        return larger * kernel_values(loss, v)

    return float(integrate(integrand, p, q)[1].sum())


# Gaussian laws in closed form.


def gaussian_divergence(loss: str | Loss, loc0, scale0, loc1, scale1) -> float:
    r"""Compute the divergence of two Gaussian laws, P and Q, in closed form: ``hellinger`` and ``kl``.

    In one dimension, with means m_0 and m_1 and standard deviations s_0 and s_1,

    .. math:: H^2 = 2 - 2 \sqrt{2 s_0 s_1/(s_0^2 + s_1^2)} \exp(-(m_0 - m_1)^2/(4 (s_0^2 + s_1^2)))

    .. math:: KL(Q||P) = \log(s_0/s_1) + (s_1^2 + (m_0 - m_1)^2)/(2 s_0^2) - 1/2.

    Parameters
    ----------
    loss : {"hellinger", "kl"} or Loss
    loc0, loc1 : float or array (d,)
        Means.
    scale0, scale1 : float or array (d, d)
        Standard deviations in one dimension, **covariance matrices** in several.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For a loss without a closed form, shapes that do not agree, or a scale that is not positive.

    Examples
    --------
    >>> import hellgan as hg
    >>> round(hg.divergences.gaussian_divergence("hellinger", 0, 1, 1, 1), 8)
    0.23500619
    """
    loss = losses.get(loss)
    if loss not in (losses.hellinger, losses.kl):
        raise ValueError(
            f"loss: {loss.name} has no closed form between Gaussian laws, only hellinger and kl have; use "
            "hg.divergences.divergence, by quadrature."
        )
    loc0, cov0, factor0 = _gaussian(loc0, scale0, "0")
    loc1, cov1, factor1 = _gaussian(loc1, scale1, "1")
    if loc0.shape != loc1.shape:
        raise ValueError(f"loc1: {loc1.size} numbers, but loc0 has {loc0.size}; the two laws must have one dimension.")
    shift = loc0 - loc1
    if loss == losses.kl:
        relative = np.linalg.solve(factor0, factor1)
        moved = np.linalg.solve(factor0, shift)
        return float(0.5 * (np.sum(relative**2) + moved @ moved - shift.size) + _log_det(factor0) - _log_det(factor1))
    factor = np.linalg.cholesky((cov0 + cov1) / 2)
    moved = np.linalg.solve(factor, shift)
    log_affinity = (_log_det(factor0) + _log_det(factor1)) / 2 - _log_det(factor) - moved @ moved / 8
    return float(-2 * np.expm1(log_affinity))


def _log_det(factor):
    return np.log(np.diag(factor)).sum()


def _gaussian(loc, scale, which):
    """Validate one Gaussian law; returns its mean (d,), covariance and Cholesky factor (d, d)."""
    try:
        loc, scale = np.asarray(loc, np.float64), np.asarray(scale, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"loc{which}, scale{which}: got {shown(loc)} and {shown(scale)}; give numbers.") from None
    if not (np.all(np.isfinite(loc)) and np.all(np.isfinite(scale))):
        raise ValueError(f"loc{which}, scale{which}: not finite; give finite numbers.")
    if loc.ndim > 1 or scale.shape != loc.shape * 2:
        raise ValueError(
            f"scale{which}: shape {scale.shape} for loc{which} of shape {loc.shape}; give two numbers, or a "
            "mean (d,) and a covariance matrix (d, d)."
        )
    if loc.ndim == 0:
        if scale <= 0:
            raise ValueError(f"scale{which}: got {scale}; give a positive standard deviation.")
        return loc[None], scale[None, None] ** 2, scale[None, None]
    try:
        if not np.allclose(scale, scale.T):
            raise np.linalg.LinAlgError
        return loc, scale, np.linalg.cholesky(scale)
    except np.linalg.LinAlgError:
        raise ValueError(f"scale{which}: not a positive definite symmetric covariance matrix.") from None
