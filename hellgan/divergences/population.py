"""The parameters that minimise a divergence from a law: what a GAN estimates when the model is wrong."""

import dataclasses
import functools
import itertools

import numpy as np

from hellgan import latents
from hellgan.divergences.between import distance
from hellgan.divergences.kernels import calibrated
from hellgan.divergences.laws import check_family, family_law, law_of, mixture
from hellgan.divergences.quadrature import quantiles
from hellgan.generators import Generator
from hellgan.losses import Loss
from hellgan.parameters import natural_rows, read_start
from hellgan.samples.robust import robust_scale


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationFit:
    """The member of a family at the least divergence from a law.

    Attributes
    ----------
    params : dict
        Parameters, natural scale; ``(family, params)`` is a law that ``density`` takes.
    value : float
        The divergence at ``params``.
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

    The minimiser is what the estimator tends to when the discriminator is ideal, v = log p/p_theta
    (``docs/theory.md``, sections 3 and 6). For a loss that is not zero-sum the effective divergence is
    minimised.

    Parameters
    ----------
    loss : str or Loss
        A calibrated loss.
    law : law
        Law of the data; anything that ``density`` takes.
    family : Generator
        A generator of one dimension that has a density; ``family.fix(...)`` has fewer parameters.
    start : dict, optional
        Parameters, natural scale, from which a local minimum is sought. By default four good points, apart from
        each other, of a box around the family's own robust start are tried, since a divergence may have several
        minima, and the lowest minimum is kept; that it is the lowest of all is not certain.

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
    loss = calibrated(loss)
    law = law_of(law, "law")
    check_family(family, "family")
    sample = quantiles(law, (np.arange(401) + 0.5) / 401)
    centre = _start(family, sample, start)
    unit = _units(family, sample)

    @functools.cache
    def cached(steps):
        try:
            value = distance(loss, law, family_law(family, centre + unit * np.array(steps)))
        except ArithmeticError:
            return np.inf
        return value

    def objective(steps):
        return cached(tuple(np.asarray(steps, np.float64).tolist()))

    starts = [np.zeros(family.size)]
    if start is None:
        box = 4 * latents.draw("sobol", latents.uniform, 8 << family.size, family.size, seed=0)[0] - 2
        ranked = sorted([*starts, *box], key=objective)
        starts = _apart([point for point in ranked if np.isfinite(objective(point))] or ranked[:1])
    if not np.isfinite(objective(starts[0])):
        raise ValueError(
            f"start: the divergence of {loss.name} from {family.name} is infinite wherever it was tried; "
            "give a start where it is finite, or another loss."
        )
    steps = min((_simplex(objective, s, 0.2, 1e-3).x for s in starts), key=objective)
    steps, converged = _polish(objective, steps)
    natural = family.named(natural_rows(family, (centre + unit * steps)[None])[0])
    params = {name: value if value.ndim else float(value) for name, value in natural.items()}
    return PopulationFit(params, objective(steps), loss, family, converged)


def _apart(ranked: list[np.ndarray], count: int = 4, least: float = 1.0) -> list[np.ndarray]:
    """Choose the best of ranked points that are not next to each other, since these may lead to different minima."""
    chosen = ranked[:1]
    for point in ranked[1:]:
        if len(chosen) < count and min(np.linalg.norm(point - other) for other in chosen) > least:
            chosen.append(point)
    return chosen


def population_bias(loss: str | Loss, family: Generator, params: dict, contaminations, eps) -> np.ndarray:
    """Compute the bias of ``population_fit`` under contamination: the bias curve of an ideal discriminator.

    Parameters
    ----------
    loss, family
        As for ``population_fit``.
    params : dict
        The truth within the family, natural scale.
    contaminations : sequence of Y laws
        The laws Q of foreign observations, such as ``scipy.stats.norm(c, 1)`` for several c. Each has a density, since
        a point mass is at the same distance from every member of the family.
    eps : float or sequence of E floats
        Shares of contamination.

    Returns
    -------
    (E, Y, r) array
        Minimiser of the divergence from (1 - eps) P + eps Q, less the truth, natural scale, of r natural elements.

    Raises
    ------
    ValueError
        As ``population_fit``.

    Examples
    --------
    >>> import hellgan as hg
    >>> from scipy.stats import norm
    >>> location = hg.generators.Normal().fix(scale=1.0)
    >>> bias = hg.divergences.population_bias("log", location, {"loc": 0.0}, [norm(3, 1), norm(5, 1)], 0.1)
    >>> bias.round(4).ravel().tolist()
    [0.1267, 0.021]
    """
    truth, shares = family.theta(**params), np.atleast_1d(np.asarray(eps, np.float64))
    values = natural_rows(family, truth[None])[0]

    def one(share, law):
        mixed = mixture([1 - share, share], [(family, params), law])
        found = population_fit(loss, mixed, family).params
        return np.concatenate([np.ravel(value) for value in found.values()]) - values

    return np.array([[one(share, law) for law in contaminations] for share in shares])


def _start(family, sample, start):
    if start is not None:
        return read_start(start, family)
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
