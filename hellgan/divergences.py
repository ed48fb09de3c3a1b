"""The divergence that a loss induces between two laws on the line, and the parameters that minimise it.

A calibrated loss has its optimal discriminator at v = log p/q. There, by the envelope theorem, the slope of
the game's value in q is the generator's payoff at v, so what the generator descends is

    D(P, Q) = integral of F(p, q),    F(p, q) = integral from t = p to t = q of [g(log p/t) - g(0)] dt    (D)

with g what the generator minimises. For a zero-sum game g is ``fake``, and F is the value of the game above
its value at equality, p [real(v) - real(0)] + q [fake(v) - fake(0)]; for the others D is the *effective*
divergence (``docs/theory.md``, section 1). F is nonnegative where g decreases.

Everything is integrated over panels cut at the quantiles of both laws, so that a narrow law far from the
origin is not missed, and bisected until nested rules agree.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import latents, losses
from hellgan.generators import Generator, robust_scale
from hellgan.losses import Loss

# Laws on the line.


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """A law on the line; made by ``density`` and ``mixture``.

    Attributes
    ----------
    log_density : callable
        Elementwise in NumPy; -inf outside the support.
    support : (float, float)
        An interval that holds all mass.
    points : array (k,)
        Finite, increasing points that lay out the mass, such as quantiles; integrals are cut there.
    """

    log_density: Callable[[np.ndarray], np.ndarray]
    support: tuple[float, float]
    points: np.ndarray


# Levels of the quantiles that lay out a law: decades in both tails.
_TAILS = 10.0 ** -np.array([16, 13, 10, 8, 6, 5, 4, 3, 2, 1])
_LEVELS = np.concatenate([_TAILS, [0.25, 0.5, 0.75], 1 - _TAILS[::-1]])


def density(law, *, support=None, points=None) -> Density:
    """Turn a description of a one-dimensional law into a ``Density``.

    Parameters
    ----------
    law : Density, frozen scipy distribution, (generator, parameters) or callable
        A pair holds a generator of one dimension that has a density and a dict of its parameters on the
        natural scale. A callable is a normalised log density, elementwise in NumPy or ``jax.numpy``.
    support : (float, float), optional
        For a callable, which needs it: the interval of all its mass; may be infinite.
    points : array, optional
        For a callable: where its mass lies and where it has kinks; needed where that is narrow or far from 0.

    Returns
    -------
    Density

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For a generator without a density, parameters outside their space, or a callable that does not
        integrate to 1 over its support.

    Examples
    --------
    >>> import hellgan as hg
    >>> law = hg.divergences.density((hg.generators.Exponential(), {"scale": 2.0}))
    >>> law.support
    (0.0, inf)
    """
    return _density(law, "law", support, points)


def mixture(weights, parts) -> Density:
    """Mix laws: the density ``sum_j weights_j part_j``.

    Parameters
    ----------
    weights : sequence of float
        Positive, of sum 1.
    parts : sequence
        As many laws, each anything that ``density`` takes.

    Returns
    -------
    Density
    """
    laws = [_density(part, f"parts[{j}]") for j, part in enumerate(parts)]
    weights = np.asarray(weights, np.float64)
    if weights.shape != (len(laws),) or not laws:
        raise ValueError(f"weights: shape {weights.shape} for {len(laws)} parts; give one weight for each part.")
    if not (np.all(weights > 0) and np.isclose(weights.sum(), 1.0, rtol=1e-9)):
        raise ValueError(f"weights: {weights.tolist()}; give positive weights that sum to 1.")

    def log_density(x):
        return np.logaddexp.reduce([np.log(w) + law.log_density(x) for w, law in zip(weights, laws, strict=True)])

    lower, upper = zip(*(law.support for law in laws), strict=True)
    return Density(log_density, (min(lower), max(upper)), _tidy(*(law.points for law in laws)))


def _density(law, name, support=None, points=None) -> Density:
    is_function = callable(law) and not _is_distribution(law) and not isinstance(law, Generator)
    if not is_function and (support is not None or points is not None):
        raise TypeError(f"{name}: support and points describe a log-density function; a {_kind(law)} has its own.")
    if isinstance(law, Density):
        return law
    if isinstance(law, tuple) and len(law) == 2 and isinstance(law[0], Generator) and isinstance(law[1], dict):
        _check_family(law[0], name)
        return _of_generator(law[0], law[0].theta(**law[1]))
    if _is_distribution(law):
        return _of_distribution(law)
    if is_function and not isinstance(law, type) and not hasattr(law, "freeze"):
        return _of_function(law, name, support, points)
    raise TypeError(
        f"{name}: got a {_kind(law)}; give a frozen scipy distribution such as scipy.stats.norm(0, 1), a "
        "pair (generator, parameters), or what hg.divergences.mixture or hg.divergences.density makes."
    )


def _kind(thing):
    return type(thing).__name__


def _is_distribution(law):
    has_quantiles = hasattr(law, "ppf") or hasattr(law, "icdf")
    return has_quantiles and hasattr(law, "logpdf") and hasattr(law, "support") and not hasattr(law, "freeze")


def _of_distribution(law) -> Density:
    lower, upper = law.support()
    quantile = law.ppf if hasattr(law, "ppf") else law.icdf

    def log_density(x):
        with np.errstate(all="ignore"):
            return np.asarray(law.logpdf(x), np.float64)

    with np.errstate(all="ignore"):
        points = _tidy(quantile(_LEVELS), [lower, upper])
    return Density(log_density, (float(lower), float(upper)), points)


def _of_generator(generator: Generator, theta: np.ndarray) -> Density:
    """Lay out the law of ``generator.draw``, which is monotone in its one latent number."""

    def log_density(x):
        with jax.enable_x64(True):
            return _in_buckets(functools.partial(_generator_log_density, generator, theta), x)

    with jax.enable_x64(True):
        places = np.asarray(_generator_draws(generator, theta, _latent_levels(generator.law)))
    support = float(places.min()), float(places.max())
    return Density(log_density, support, _tidy(places))


@functools.lru_cache(maxsize=64)
def _latent_levels(law: latents.Law) -> np.ndarray:
    with np.errstate(all="ignore"):
        return law.quantile(np.concatenate([[0.0], _LEVELS, [1.0]]))


@jax.jit
def _generator_log_density(generator, theta, x):
    natural = generator.natural(theta)
    return jax.vmap(lambda x: generator.log_density(x, **natural))(x)


@jax.jit
def _generator_draws(generator, theta, z):
    natural = generator.natural(theta)
    return jax.vmap(lambda z: generator.draw(z, **natural))(z)


def _of_function(function, name, support, points) -> Density:
    if support is None:
        raise ValueError(
            f"{name}: a log-density function needs its support; use hg.divergences.density(f, support=...)."
        )
    lower, upper = (float(end) for end in support)
    if not lower < upper:
        raise ValueError(f"support: got ({lower:g}, {upper:g}); give two ends, the lower one first.")
    ends = [end for end in (lower, upper) if np.isfinite(end)]
    if points is None:
        middle = ends[0] if len(ends) == 1 else sum(ends) / 2
        points = [middle - 1.0, middle, middle + 1.0] if len(ends) < 2 else [middle]
    places = np.concatenate([np.ravel(np.asarray(points, np.float64)), ends])
    places = _tidy(places[(places >= lower) & (places <= upper)])
    if places.size < 2:
        raise ValueError("points: give at least two different points inside the support, where the mass lies.")
    inside = (places[0] + places[1]) / 2

    def log_density(x):
        is_in = (x > lower) & (x < upper)
        with jax.enable_x64(True), np.errstate(all="ignore"):
            values = _in_buckets(function, np.where(is_in, x, inside))
        return np.where(is_in, values, -np.inf)

    _check_elementwise(function, name, inside)
    rough = Density(log_density, (lower, upper), places)
    try:
        total = _quadrature(lambda x: np.exp(log_density(x)), rough)[1].sum()
    except ArithmeticError as error:
        raise ValueError(f"{name}: {error}; give a log density that can be integrated over its support.") from error
    if not abs(total - 1) < 1e-6:
        raise ValueError(
            f"{name}: the density integrates to {total:.6g} over its support; give a normalised one, and "
            "points where its mass lies."
        )
    return dataclasses.replace(rough, points=_tidy(places, _quantiles(rough, _LEVELS)))


def _check_elementwise(function, name, x):
    try:
        with jax.enable_x64(True), np.errstate(all="ignore"):
            shape = np.shape(function(np.full(3, x)))
    except Exception as error:
        raise ValueError(
            f"{name}: the log density fails on an array ({type(error).__name__}: {error}); write it "
            "elementwise with numpy or jax.numpy."
        ) from error
    if shape != (3,):
        raise ValueError(f"{name}: the log density of 3 points has shape {shape}; write it elementwise.")


def _check_family(family, name):
    if not isinstance(family, Generator):
        raise TypeError(f"{name}: got {family!r}; give a generator such as hg.generators.Normal().")
    if not family.has_density:
        raise ValueError(f"{name}: {family.name} has no density in closed form; give a family that has one.")
    if family.dim != 1 or family.latent_dim != 1:
        raise ValueError(
            f"{name}: {family.name} draws {family.dim} numbers from {family.latent_dim}; divergences are "
            "computed for families that draw one number from one."
        )


def _tidy(*points) -> np.ndarray:
    """Sort, keep what is finite, and drop points that double precision hardly tells apart."""
    points = np.concatenate([np.ravel(p) for p in points]).astype(np.float64)
    points = np.sort(points[np.isfinite(points)])
    return points[np.diff(points, prepend=-np.inf) > 16 * np.finfo(float).eps * np.abs(points)]


def _in_buckets(function, x: np.ndarray) -> np.ndarray:
    """Evaluate elementwise on few different sizes, so that JAX compiles few programs."""
    size = max(2048, 1 << (x.size - 1).bit_length())
    padded = np.full(size, x.flat[-1])
    padded[: x.size] = x.ravel()
    return np.asarray(function(padded), np.float64)[: x.size].reshape(x.shape)


# The integrand (D), as F(p, q) = max(p, q) kernel(v): neither density underflows before the integrand does.


def divergence_function(loss: str | Loss) -> Callable[[np.ndarray], np.ndarray]:
    """Give the function f of the induced f-divergence ``D(P, P_theta) = integral of p_theta f(p/p_theta)``.

    Of all functions that differ by a multiple of r - 1, which induce the same divergence, it is the one with
    f(1) = f'(1) = 0, that is ``f(r) = F(r, 1)`` in (D).

    Parameters
    ----------
    loss : str or Loss
        A calibrated loss.

    Returns
    -------
    callable
        Elementwise in NumPy, of r = p/p_theta >= 0.

    Examples
    --------
    >>> import hellgan as hg
    >>> f = hg.divergences.divergence_function("hellinger")
    >>> f([0.0, 1.0, 4.0]).tolist()  # (sqrt(r) - 1)^2
    [1.0, 0.0, 1.0]
    """
    loss = _calibrated(loss)

    def f(r):
        r = np.asarray(r, np.float64)
        if not np.all(r >= 0):
            raise ValueError("r: a ratio of densities is nonnegative.")
        with np.errstate(divide="ignore"):
            return (np.maximum(r, 1.0) * _kernel_values(loss, np.asarray(np.log(r))))[()]

    return f


def _kernel_values(loss, v):
    with jax.enable_x64(True):
        return _in_buckets(functools.partial(_kernel, loss), v)


@jax.jit
def _kernel(loss: Loss, v):
    """F(p, q)/max(p, q) as a function of v = log p/q, infinite v included."""
    p, q = jnp.exp(jnp.minimum(v, 0.0)), jnp.exp(-jnp.maximum(v, 0.0))
    if loss.is_zero_sum:
        # A density that vanishes still counts through its limit: e^-v fake(v) -> -1 for Kullback-Leibler.
        real = _rise(loss.real, jnp.maximum(v, -_FAR))
        fake = _rise(loss.fake, jnp.minimum(v, _FAR))
        p_floor, q_floor = jnp.maximum(p, np.exp(-_FAR)), jnp.maximum(q, np.exp(-_FAR))
        return p_floor * real + q_floor * fake
    if loss.generator in _EFFECTIVE:
        return _EFFECTIVE[loss.generator](v, p, q)
    return _effective_kernel(loss.generator, v, p, q)


_FAR = 700.0


def _rise(function, v):
    """function(v) - function(0), where it is NaN at a far v by its value nearer by."""
    values = function(v)
    values = jnp.where(jnp.isnan(values), function(jnp.clip(v, -_FAR, _FAR)), values)
    return values - function(jnp.zeros_like(v))


def _tanh_sinh(step: float, count: int):
    """Nodes in (0, 1) by their distance from 1, and weights, of the double exponential rule."""
    t = step * np.arange(-count, count + 1)
    a = np.pi * np.sinh(t)
    near, far = 1 / (1 + np.exp(-a)), 1 / (1 + np.exp(a))
    return far, step * np.pi * np.cosh(t) * near * far


_FROM_ONE, _RULE = _tanh_sinh(0.0625, 64)


def _effective_kernel(g, v, p, q):
    """(D) for any g: t goes linearly from the larger density to the smaller one."""
    smaller = jnp.minimum(p, q)[:, None]
    t = smaller + -jnp.expm1(-jnp.abs(v))[:, None] * _FROM_ONE[None, :]
    u = jnp.where(v < 0, v, 0.0)[:, None] - jnp.log(t)
    return jnp.where(v < 0, 1.0, -1.0) * -jnp.expm1(-jnp.abs(v)) * (_rise(g, u) @ _RULE)


def _log_ns_kernel(v, p, q):
    # (p + q) log((p + q)/2p), plus what makes f'(1) = 0: Kullback-Leibler less twice Jensen-Shannon.
    log_sum = q * jax.nn.softplus(-v) + p * jax.nn.softplus(-jnp.maximum(v, -_FAR))
    return log_sum - 2 * jnp.log(2.0) * p - (1 + jnp.log(2.0)) * (q - p)


def _root_ns_kernel(v, p, q):
    return p * (np.arcsinh(1.0) - jnp.arcsinh(jnp.exp(-jnp.maximum(v, -_FAR)))) + (q - p) / np.sqrt(2.0)


def _kl_kernel(v, p, q):
    return -q * jnp.minimum(v, _FAR) - (q - p)


_EFFECTIVE = {
    losses.log_ns.generator: _log_ns_kernel,
    losses.root_ns.generator: _root_ns_kernel,
    losses.kl.generator: _kl_kernel,
}


def _calibrated(loss) -> Loss:
    loss = losses.get(loss)
    if not loss.is_calibrated:
        raise ValueError(
            f"loss: {loss.name} is not calibrated (real'(v) exp(v) + fake'(v) is not 0), so that its optimal "
            "discriminator is not the log density ratio; give a loss for which it is."
        )
    return loss


# Quadrature.


def _fejer(n: int):
    """Fejer's second rule on (-1, 1): n - 1 open nodes; every other one is a node of the rule of n/2."""
    angles = np.pi * np.arange(1, n) / n
    odd = np.arange(1, n, 2)
    weights = 4 / n * np.sin(angles) * (np.sin(np.outer(angles, odd)) / odd).sum(axis=1)
    return np.cos(angles), weights


_NODES, _FINE = _fejer(24)
_COARSE = _fejer(12)[1]
_TOLERANCE = 1e-14  # of one panel, relative to a total of 1 or more
_ROUNDS = 120  # a pole x^(-1/2) needs 90


def _quadrature(integrand, *laws: Density) -> tuple[np.ndarray, np.ndarray]:
    """Integrate over the supports of some laws by bisection of all panels that need it at once.

    Returns
    -------
    x, masses : arrays (k,)
        Nodes, and the integrand at them times their weights; the masses sum to the integral.

    Raises
    ------
    ArithmeticError
        When bisection does not settle.
    """
    edges = _tidy(*(law.points for law in laws))
    reach = (edges[-1] - edges[0]) / 2
    lower, upper = min(law.support[0] for law in laws), max(law.support[1] for law in laws)
    # A panel is an interval of x, or of t in (0, 1) with x = end -+ reach t/(1 - t) in the tails.
    left, right, side = edges[:-1], edges[1:], np.zeros(edges.size - 1)
    for sign, end in ((-1, lower), (1, upper)):
        if np.isinf(end):
            left, right, side = np.append(left, 0.0), np.append(right, 1.0), np.append(side, sign)
    nodes, masses, total = [], [], 0.0
    eps = np.finfo(float).eps
    for _ in range(_ROUNDS):
        half = (right - left) / 2
        t = (left + right)[:, None] / 2 + half[:, None] * _NODES
        x, slope = _stretch(t, side[:, None], edges, reach)
        values = integrand(x) * slope
        if np.any(np.isnan(values)):
            raise ArithmeticError(f"the integrand is not a number near x = {x[np.isnan(values)][0]:.6g}")
        if np.any(np.isinf(values)):
            return x.ravel(), values.ravel()
        fine = half * (values @ _FINE)
        size = half * (np.abs(values) @ _FINE)
        gap = np.abs(fine - half * (values[:, 1::2] @ _COARSE))
        # QUADPACK's estimate: the fine rule is better than its distance from the coarse one.
        error = np.minimum(gap, size * (200 * gap / np.maximum(size, 1e-300)) ** 1.5)
        rounding = eps * size * (50 + np.where(side == 0, np.maximum(np.abs(left), np.abs(right)) / half, 0.0))
        done = error <= np.maximum(_TOLERANCE * max(1.0, total), rounding)
        nodes.append(x[done].ravel())
        masses.append((half[:, None] * values * _FINE)[done].ravel())
        total += fine[done].sum()
        if done.all():
            return np.concatenate(nodes), np.concatenate(masses)
        left, right, side = left[~done], right[~done], side[~done]
        middle = (left + right) / 2
        # Too narrow to bisect; in a tail that is 1e13 times as far out as the laws reach.
        if np.any((middle <= left) | (middle >= right) | ((side != 0) & (right - left < 1e-13))):
            break
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        side = np.concatenate([side, side])
    raise ArithmeticError(f"the integral does not settle near x = {x[~done][0, 0]:.6g}")


def _stretch(t, side, edges, reach):
    """Map panels to the line, with the slope of the map."""
    inner = side == 0
    rest = np.where(inner, 1.0, np.maximum(1 - t, np.finfo(float).eps / 2))
    ends = np.where(side < 0, edges[0], edges[-1])
    return np.where(inner, t, ends + side * reach * t / rest), np.where(inner, 1.0, reach / rest**2)


def _quantiles(law: Density, levels) -> np.ndarray:
    """Invert the distribution function between nodes of quadrature: three digits or so."""
    x, masses = _quadrature(lambda x: np.exp(law.log_density(x)), law)
    order = np.argsort(x)
    x, masses = x[order], masses[order]
    return np.interp(levels, np.cumsum(masses) - masses / 2, x)


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
    loss = _calibrated(loss)
    try:
        return _divergence(loss, _density(p, "p"), _density(q, "q"))
    except ArithmeticError as error:
        raise ArithmeticError(
            f"divergence: {error}; it may be infinite, or a law's points may miss where its mass lies."
        ) from error


def _divergence(loss: Loss, p: Density, q: Density) -> float:
    def integrand(x):
        log_p, log_q = p.log_density(x), q.log_density(x)
        larger = np.exp(np.maximum(log_p, log_q))
        nowhere = larger == 0
        with np.errstate(invalid="ignore"):
            v = np.where(nowhere, 0.0, log_p) - np.where(nowhere, 0.0, log_q)
        return larger * _kernel_values(loss, v)

    return float(_quadrature(integrand, p, q)[1].sum())


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
    except (TypeError, ValueError):
        raise TypeError(f"loc{which}, scale{which}: got {loc!r} and {scale!r}; give numbers.") from None
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


# Minimisers.


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationFit:
    """The member of a family at the least divergence from a law.

    Attributes
    ----------
    params : dict
        Natural scale; ``(family, params)`` is a law that ``density`` takes.
    value : float
        The divergence there.
    loss : Loss
    family : Generator
    converged : bool
        Whether the minimum was found to be stationary, or the search to have contracted onto one point.
    """

    params: dict
    value: float
    loss: Loss
    family: Generator
    converged: bool


def population_fit(loss: str | Loss, law, family: Generator, start: dict | None = None) -> PopulationFit:
    """Minimise the divergence that a loss induces between a law and a family: the limit of a GAN's fit.

    This is what the estimator tends to when the discriminator is ideal, v = log p/p_theta
    (``docs/theory.md``, sections 3 and 6). For a loss that is not zero-sum it minimises the effective
    divergence.

    Parameters
    ----------
    loss : str or Loss
        A calibrated loss.
    law : law
        Of the data; anything that ``density`` takes.
    family : Generator
        A generator of one dimension that has a density; ``family.fix(...)`` has fewer parameters.
    start : dict, optional
        Natural scale: search for a local minimum from there. By default the three best points of a box
        around the family's own robust start are tried, since a divergence may have several minima, and the
        lowest minimum is kept.

    Returns
    -------
    PopulationFit
        Parameters good to about 1e-8 of the law's scale where the divergence is smooth with a positive
        definite Hessian.

    Raises
    ------
    ValueError
        For a loss that is not calibrated, a family without a density, or a divergence that is infinite
        wherever it was tried.

    Examples
    --------
    >>> import hellgan as hg
    >>> from scipy.stats import norm
    >>> law = hg.divergences.mixture([0.8, 0.2], [norm(0, 1), norm(5, 1)])
    >>> fit = hg.divergences.population_fit("root", law, hg.generators.Normal().fix(scale=1.0))
    >>> round(fit.params["loc"], 5)
    0.02285
    """
    loss = _calibrated(loss)
    law = _density(law, "law")
    _check_family(family, "family")
    sample = _quantiles(law, (np.arange(401) + 0.5) / 401)
    centre = _start(family, sample, start)
    unit = _units(family, sample)

    @functools.cache
    def cached(steps):
        try:
            value = _divergence(loss, law, _of_generator(family, centre + unit * np.array(steps)))
        except ArithmeticError:
            return np.inf
        return value

    def objective(steps):
        return cached(tuple(np.asarray(steps, np.float64).tolist()))

    starts = [np.zeros(family.size)]
    if start is None:
        box = 4 * latents.draw("sobol", latents.uniform, 8 << family.size, family.size, seed=0)[0] - 2
        starts = sorted([*starts, *box], key=objective)[:3]
    if not np.isfinite(objective(starts[0])):
        raise ValueError(
            f"start: the divergence of {loss.name} from {family.name} is infinite wherever it was tried; "
            "give a start where it is finite, or another loss."
        )
    steps = min((_simplex(objective, s, 0.2, 1e-3).x for s in starts), key=objective)
    steps, converged = _polish(objective, steps)
    with jax.enable_x64(True):
        natural = {
            name: np.asarray(value) for name, value in family.natural(jnp.asarray(centre + unit * steps)).items()
        }
    params = {name: value if value.ndim else float(value) for name, value in natural.items()}
    return PopulationFit(params, objective(steps), loss, family, converged)


def _start(family, sample, start):
    if start is not None:
        return family.theta(**start)
    natural = family.start(sample, np.full(sample.size, 1 / sample.size))
    if natural is None:
        raise ValueError(f"start: {family.name} has no starting values of its own; give start, a dict of parameters.")
    return family.theta(**natural)


def _units(family, sample):
    """Size of a step in each free parameter: the sample's scale for a real one, 1 on a log or logit scale."""
    scale = robust_scale(sample, np.full(sample.size, 1 / sample.size))
    return np.concatenate([np.full(s.size, scale if s.kind == "real" else 1.0) for s in family.parameters.values()])


def _polish(objective, start):
    """Run Newton's method by differences; where that fails, a fine simplex search."""
    polished = _newton(objective, start)
    if polished is not None:
        return polished, True
    fine = _simplex(objective, start, 1e-3, 1e-9)
    return fine.x, bool(fine.success)


def _simplex(objective, start, size, tolerance):
    from scipy import optimize

    corners = np.vstack([start, start + size * np.eye(start.size)])
    options = {"initial_simplex": corners, "xatol": tolerance, "fatol": np.inf, "maxfev": 400 * start.size}
    with np.errstate(invalid="ignore"):
        return optimize.minimize(objective, start, method="Nelder-Mead", options=options)


_STEP = 4e-3  # differences of order 4: errors 1e-10 by truncation, 1e-12 by rounding


def _newton(objective, start):
    """Return the stationary point near ``start``, or None where Newton's method finds no minimum."""
    at, value = start, objective(start)
    hessian = _difference_hessian(objective, start)
    if not np.all(np.isfinite(hessian)) or np.linalg.eigvalsh(hessian).min() <= 1e-10:
        return None
    for _ in range(12):
        step = np.linalg.solve(hessian, _difference_gradient(objective, at))
        if not np.max(np.abs(step)) < 0.05:
            return None
        at = at - step
        if np.max(np.abs(step)) < 1e-9:
            return at if objective(at) <= value + 1e-12 * max(1.0, value) else None
    return None


def _difference_gradient(objective, at):
    def slope(e):
        near, far = (objective(at + k * _STEP * e) - objective(at - k * _STEP * e) for k in (1, 2))
        return (8 * near - far) / (12 * _STEP)

    with np.errstate(invalid="ignore"):
        return np.array([slope(e) for e in np.eye(at.size)])


def _difference_hessian(objective, at):
    hessian = np.zeros((at.size, at.size))
    directions = _STEP * np.eye(at.size)
    with np.errstate(invalid="ignore"):
        for i, j in itertools.combinations_with_replacement(range(at.size), 2):
            a, b = directions[i], directions[j]
            corners = objective(at + a + b) - objective(at + a - b) - objective(at - a + b) + objective(at - a - b)
            hessian[i, j] = hessian[j, i] = corners / (4 * _STEP**2)
    return hessian
