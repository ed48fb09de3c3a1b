"""Tests of smooth restrictions of a fit's parameters, and the intervals that invert one of them.

Wald, score and distance test of h = 0 for r smooth equations h of the natural parameters: section 2 of
``docs/theory.md``. ``fit`` is a ``GANResults`` everywhere.
"""

import dataclasses
import re
import warnings
from collections.abc import Callable, Sequence
from decimal import Decimal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from formulaic.utils.constraints import LinearConstraints
from scipy import linalg, optimize, special
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from hellgan import batching, inference
from hellgan.generators import Fixed
from hellgan.objective import Game
from hellgan.overidentification import weighted_chi2_sf
from hellgan.solver.restricted import (
    Linear,
    RestrictedSaddle,
    Restriction,
    Smooth,
    schur_complement,
    solve_restricted,
)
from hellgan.validation import first_sentence, normal_quantile, shown

_DEPENDENT = 1e-9  # below this relative singular value equations say the same
_FAR = 15.0  # where a profile is given up: so many times as far from the estimate as the Wald interval reaches


@dataclasses.dataclass(frozen=True, eq=False)
class HypothesisTest:
    """Whether r smooth equations hold among the parameters.

    Attributes
    ----------
    statistic : float
    df : int
        r.
    pvalue : float
    weights : (r,) array
        The limit law is that of the sum of ``weights`` times independent chi-square variables of one degree of
        freedom; all 1 where it is chi-square with ``df`` degrees of freedom.
    kind : str
        ``wald``, ``score`` or ``distance``.
    params : Series or None
        Natural estimates under the restriction; None for a Wald test, which needs none, and where none are found.
    """

    statistic: float
    df: int
    pvalue: float
    weights: np.ndarray
    kind: str
    params: pd.Series | None

    def __str__(self):
        weights = "" if np.all(self.weights == 1) else f", weights {', '.join(f'{w:.3g}' for w in self.weights)}"
        return f"{self.kind} test: {self.statistic:.3f}, df {self.df}{weights}, p-value {self.pvalue:.4f}"


# Reading a restriction.


def read(restriction, fit) -> Restriction:
    """Read a restriction of a fit's natural parameters; the caller holds ``jax.enable_x64``.

    Parameters
    ----------
    restriction : str, sequence of str, (r, k) array, (array, values) or callable
        ``"loc = 27, scale = 5"``; rows of coefficients of all k natural numbers, equal to 0 or to the ``values``; or a
        function of the named natural parameters, zero where the hypothesis holds, that JAX can trace.

    Raises
    ------
    ValueError, TypeError
        For what is none, and for equations that depend on each other.
    """
    g = fit.generator
    if callable(restriction):
        found = Smooth(g, restriction)
        try:
            h, slope = found.at(fit.saddle.theta)
        except Exception as error:
            raise ValueError(
                f"restriction: {first_sentence(error) or type(error).__name__}; give a function of "
                f"{', '.join(g.parameters)} in jax.numpy, zero where the hypothesis holds."
            ) from error
        if not (np.all(np.isfinite(h)) and np.all(np.isfinite(slope))):
            raise ValueError(
                "restriction: the function or its derivative is not finite at the estimate; give one smooth there."
            )
    else:
        matrix, target = _linear(restriction, g.names)
        _check_inside(matrix, target, g)
        found = Linear(g, matrix, target)
        slope = found.at(fit.saddle.theta)[1]
    r = len(slope)
    if r == 0:
        raise ValueError("restriction: it has no equation; give at least one.")
    if r > g.size:
        raise ValueError(f"restriction: {r} equations for {g.size} free parameters; give at most as many as those.")
    scaled = slope * np.sqrt(np.diag(fit.covariance.theta))  # in standard errors, so that units do not count
    sizes = np.linalg.norm(scaled, axis=1)
    values = np.linalg.svd(scaled / np.where(sizes > 0, sizes, 1.0)[:, None], compute_uv=False)
    if np.any(sizes == 0) or values[-1] <= _DEPENDENT * values[0]:
        raise ValueError(
            "restriction: its equations depend on each other, or do not react to the parameters, at the estimate; give "
            "equations with linearly independent derivatives."
        )
    return found


def _linear(restriction, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Give C (r, k) and b (r,) of linear equations C natural = b."""
    is_text = isinstance(restriction, str)
    if is_text or (isinstance(restriction, list) and restriction and all(isinstance(s, str) for s in restriction)):
        return _parsed(restriction if is_text else ", ".join(restriction), names)
    matrix, target = restriction if isinstance(restriction, tuple) and len(restriction) == 2 else (restriction, None)
    try:
        matrix = np.atleast_2d(np.asarray(matrix, np.float64))
        target = np.zeros(len(matrix)) if target is None else np.ravel(np.asarray(target, np.float64))
    except (TypeError, ValueError):
        raise TypeError(
            f"restriction: got {shown(restriction)}; give equations such as '{names[0]} = 1', an array of "
            "coefficients, a pair of array and values, or a function of the parameters."
        ) from None
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or target.shape != matrix.shape[:1]:
        raise ValueError(
            f"restriction: shapes {matrix.shape} and {target.shape}; give one column for each of {', '.join(names)}, "
            "and one value for each row."
        )
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(target))):
        raise ValueError("restriction: its coefficients are not all finite; give finite numbers.")
    return matrix, target


def _parsed(text: str, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read equations; names may hold brackets, commas or operators, and stand in backquotes or not."""
    aliases = {name: f"parameter_{k}_" for k, name in enumerate(names)}
    longest = sorted(names, key=len, reverse=True)
    alternatives = "|".join(re.escape(name) for name in longest)
    plain = re.sub(
        rf"`({alternatives})`|(?<![\w.])({alternatives})(?!\w)", lambda found: aliases[found[1] or found[2]], text
    )
    plain = re.sub(r"(?<![\w.])(\d+\.?\d*|\.\d+)[eE][+-]?\d+", lambda found: f"{Decimal(found[0]):f}", plain)
    unknown = [word for word in re.findall(r"(?<![\w.])[^\W\d]\w*", plain) if word not in aliases.values()]
    if unknown:
        raise ValueError(f"restriction: {unknown[0]} is no parameter; the parameters are {', '.join(names)}.")
    example = f"give linear equations such as '{names[0]} = 1', separated by commas"
    equations = plain.split(",")
    if any(equation.count("=") > 1 or not equation.strip() for equation in equations):
        raise ValueError(f"restriction: got {shown(text)}; {example}.")
    try:
        # Of "a = -2" formulaic makes one operator "= -"; of a difference of brackets it does not.
        differences = ["-".join(f"({side})" for side in equation.split("=")) for equation in equations]
        found = LinearConstraints.from_spec(",".join(differences), variable_names=list(aliases.values()))
        matrix, target = (
            np.asarray(found.constraint_matrix, np.float64),
            np.asarray(found.constraint_values, np.float64),
        )
    except Exception as error:
        raise ValueError(f"restriction: {shown(text)} is not understood; {example}.") from error
    return matrix.reshape(-1, len(names)), target.reshape(-1)


def _check_inside(matrix, target, generator):
    """Refuse an equation for one number that lies outside its space."""
    for row, value in zip(matrix, target, strict=True):
        alone = np.flatnonzero(row)
        if len(alone) != 1:
            continue
        name, space, wanted = generator.names[alone[0]], generator.element_spaces[alone[0]], value / row[alone[0]]
        if not space.lower < wanted < space.upper:
            raise ValueError(
                f"restriction: {name} = {wanted:g} is outside ({space.lower:g}, {space.upper:g}); give a value inside."
            )


# The tests.


def wald(fit, function: Callable) -> HypothesisTest:
    """Test a function of the named natural parameters by the delta method, (7)."""
    _require(fit, "wald test", fit.covariance.natural)
    with jax.enable_x64(True):
        read(function, fit)
        h, slope = jax.device_get(_of_natural(function, fit.generator, fit.params.to_numpy()))
    statistic = float(h @ np.linalg.solve(slope @ fit.covariance.natural @ slope.T, h))  # (7)
    return _test(statistic, np.ones(len(h)), "wald", None)


def _of_natural(function, generator, natural):
    def h(vector):
        return jnp.ravel(jnp.asarray(function(**generator.named(vector))))

    return jax.jit(lambda vector: (h(vector), jax.jacfwd(h)(vector)))(natural)


def score(fit, restriction) -> HypothesisTest:
    """Test a restriction by the generator's score where it holds, (8).

    The covariance is the sandwich at the restricted estimate. Where the fit's is of another kind it is that, and the
    profile's curvature that of the fit, too: the two must be of one point.
    """
    _require(fit, "score test", fit.covariance.natural)
    with jax.enable_x64(True):
        found, game = read(restriction, fit), fit.model.game()
        at = solve_restricted(game, found, fit.saddle.theta, fit.saddle.alpha)
        cov, trouble, jacobian = fit.covariance.theta, at.reason, fit.saddle.jacobian
        if not trouble and fit.cov_type == "sandwich":
            jacobian = at.jacobian
            cov, trouble = _cov_at(game, at, fit.model.scrambles())
        params = _params(fit, at.theta)
    if trouble:
        return _unknown(len(at.multipliers), "score", trouble)
    moved = at.slope @ np.linalg.solve(schur_complement(jacobian, game.p), at.score)
    statistic = float(moved @ np.linalg.solve(at.slope @ cov @ at.slope.T, moved))  # (8)
    return _test(statistic, np.ones(len(moved)), "score", params)


def _cov_at(game: Game, at: RestrictedSaddle, scrambles) -> tuple[np.ndarray, str]:
    """Covariance (p, p) of theta by the sandwich at a restricted solution, or why there is none."""
    games, jacobians = batching.stack([game]), at.jacobian[None]
    (problem,) = inference.identification_problems(games, [at.jacobian])
    if problem:
        return np.full((game.p, game.p), np.nan), problem
    parts = batching.stack([inference.parts_of(game, at.theta, at.alpha, scrambles)])
    return inference.infer(games, jacobians, parts)[0].cov[: game.p, : game.p], ""


def distance(fit, restriction, robust: bool) -> HypothesisTest:
    """Test a restriction by how much the value of the game rises where it holds, (9)."""
    _require(fit, "distance test", fit.covariance.natural)
    _require_minimum(fit, robust)
    with jax.enable_x64(True):
        found, game = read(restriction, fit), fit.model.game()
        at = solve_restricted(game, found, fit.saddle.theta, fit.saddle.alpha)
        slope, params = found.at(fit.saddle.theta)[1], _params(fit, at.theta)
    if at.reason:
        return _unknown(len(slope), "distance", at.reason)
    return _distance(fit, game, slope, at.penalised, robust, params)


def compare_distance(fit, restricted, robust: bool) -> HypothesisTest:
    """Test the parameters that another fit holds with ``fix`` by how much higher its value is, (9)."""
    _require(fit, "compare_distance_test", fit.covariance.natural)
    _require_minimum(fit, robust)
    held = _held(fit, restricted)
    with jax.enable_x64(True):
        game = fit.model.game()
    rows = [name in held for name, space in fit.generator.parameters.items() for _ in range(space.size)]
    slope = np.eye(game.p)[np.array(rows)]
    params = pd.Series({**dict.fromkeys(fit.params.index), **_elements(fit.generator, held), **restricted.params})
    return _distance(fit, game, slope, _penalised(restricted), robust, params.astype(float).rename("coef"))


def _distance(fit, game, slope, penalised: float, robust: bool, params) -> HypothesisTest:
    # The two values are of sums over rows: what rounding leaves of their difference is no sign of another minimum.
    rise = penalised - _penalised(fit)
    if rise < -1e-10 * (1 + abs(penalised)):
        raise ValueError(
            f"distance test: the objective is {-rise:.2g} lower under the restriction than at the fit, which therefore "
            "is not its least minimum; fit again with start= at the restricted estimate."
        )
    factor = fit.model.loss.chi2_factor * _scale(fit, game)
    weights = _weights(fit, slope, factor) if robust else np.ones(len(slope))
    return _test(factor * max(rise, 0.0), weights, "distance", params)


def _weights(fit, slope, factor: float) -> np.ndarray:
    """Weights of the chi-square variables in the limit law of (9): (10)."""
    schur = schur_complement(fit.saddle.jacobian, fit.generator.size)
    form = slope @ np.linalg.solve((schur + schur.T) / 2, slope.T)
    cov = slope @ fit.covariance.theta @ slope.T
    return factor / 2 * linalg.eigh((cov + cov.T) / 2, (form + form.T) / 2, eigvals_only=True)[::-1]  # (10)


def _scale(fit, game: Game) -> float:
    """The factor s of (9): n for Sobol or tied latents, nm/(n + m) for independent ones, by effective sizes."""
    n, m = (1 / float(np.sum(np.square(weights))) for weights in (game.x_weights, game.z_weights))
    return n if game.tied or fit.model.latent == "sobol" else n * m / (n + m)


def _penalised(fit) -> float:
    return fit.saddle.value - float(np.asarray(fit.model.basis.ridge) @ fit.saddle.alpha**2)


def _params(fit, theta) -> pd.Series:
    natural = jax.device_get(inference.natural_scale(fit.generator, theta))[0]
    return pd.Series(np.array(natural), index=fit.generator.names, name="coef")


def _test(statistic: float, weights: np.ndarray, kind: str, params) -> HypothesisTest:
    r = len(weights)
    if np.all(weights == weights[0]):  # the closed form has far tails
        pvalue = float(special.gammaincc(r / 2, statistic / (2 * weights[0])))
    else:
        pvalue = weighted_chi2_sf(weights, statistic)
    return HypothesisTest(statistic, r, pvalue, weights, kind, params)


def _unknown(r: int, kind: str, reason: str) -> HypothesisTest:
    warnings.warn(f"{kind} test: {reason}.", ConvergenceWarning, stacklevel=4)
    return HypothesisTest(np.nan, r, np.nan, np.full(r, np.nan), kind, None)


def _require(fit, what: str, cov: np.ndarray) -> None:
    """Refuse a fit without a joint law, or whose covariance is not all known."""
    if not fit.model.basis.is_linear:
        inference.require_basis(fit.model.game())
    if not fit.converged or np.any(np.isnan(cov)):
        reason = fit.trouble or fit.saddle.reason or "the simulated sample says nothing of some parameters"
        raise ValueError(f"{what}: the fit has no covariance, since {reason}.")


def _require_minimum(fit, robust: bool) -> None:
    loss = fit.model.loss
    if not isinstance(robust, (bool, np.bool_)):
        raise TypeError(f"robust: got {shown(robust)}; give True or False.")
    if not loss.is_zero_sum:
        raise ValueError(
            f"distance test: the estimate with the non-zero-sum loss {loss.name} does not minimise the value of the "
            "game; use wald_test or score_test."
        )
    if not robust and not loss.is_calibrated:
        raise ValueError(
            f"distance test: the optimum of the loss {loss.name} is not the log density ratio, so that the plain form "
            "has no known law; use robust=True."
        )


def _held(fit, restricted) -> dict[str, np.ndarray]:
    """Give the values that a restricted fit holds and a fit does not; refuse what is not nested in it."""
    if type(restricted) is not type(fit):
        raise TypeError(f"restricted: got {type(restricted).__name__}; give the fit of a generator with .fix(...).")
    if not restricted.converged:
        raise ValueError(f"restricted: the fit did not converge, since {restricted.trouble}.")
    mine, its = fit.model, restricted.model
    same = {
        "data": np.array_equal(mine.x, its.x),
        "weights": np.array_equal(mine.shares(), its.shares()),
        "loss": mine.loss == its.loss,
        "discriminator": bool(eqx.tree_equal(mine.basis, its.basis)),
        "latents": (mine.latent, mine.n_simulated, mine.tied) == (its.latent, its.n_simulated, its.tied),
        "seed": mine.seed == its.seed,
    }
    different = [what for what, equal in same.items() if not equal]
    if different:
        raise ValueError(f"restricted: it has other {different[0]} than the fit; fit both alike, but for .fix(...).")
    families = [of.generator if isinstance(of, Fixed) else of for of in (mine.generator, its.generator)]
    before, after = (dict(of.values) if isinstance(of, Fixed) else {} for of in (mine.generator, its.generator))
    kept = all(name in after and np.array_equal(after[name], value) for name, value in before.items())
    if not (eqx.tree_equal(*families) and kept and len(after) > len(before)):
        raise ValueError(
            "restricted: its generator is not that of the fit with more parameters held; give the fit of "
            "generator.fix(...)."
        )
    return {name: value for name, value in after.items() if name not in before}


def _elements(generator, held: dict) -> dict[str, float]:
    return {
        element: float(number)
        for name, value in held.items()
        for element, number in zip(generator.parameters[name].element_names(name), np.ravel(value), strict=True)
    }


# Profiles.


class _Lost(Exception):
    """The profile could not be followed."""


class _Profile:
    """The signed root of the distance test of one natural number, over its link scale."""

    def __init__(self, fit, name: str, robust: bool):
        _require(fit, "profile", fit.covariance.theta)
        _require_minimum(fit, robust)
        k = fit.generator.names.index(name)
        self.fit, self.name, self.space, self.natural = fit, name, fit.generator.element_spaces[k], fit.params.iloc[k]
        self.row = np.eye(len(fit.params))[k][None]
        with jax.enable_x64(True):
            self.game = fit.model.game()
            slope = Linear(fit.generator, self.row, np.zeros(1)).at(fit.saddle.theta)[1]
        self.factor = fit.model.loss.chi2_factor * _scale(fit, self.game)
        self.weight = float(_weights(fit, slope, self.factor)[0]) if robust else 1.0
        self.at = float(self.space.link(self.natural))
        self.error = float(fit.bse.iloc[k] * self.space.link_slope(self.natural))
        self.value = _penalised(fit)
        self.known = {self.at: (fit.saddle.theta, fit.saddle.alpha)}

    def root(self, u: float) -> float:
        """Evaluate it at a point of the link scale; raises ``_Lost`` with the reason where it is not found."""
        if u == self.at:
            return 0.0
        nearest = min(self.known, key=lambda point: abs(point - u))
        target = np.atleast_1d(np.asarray(self.space.unlink(u), np.float64))
        with jax.enable_x64(True):
            restriction = Linear(self.fit.generator, self.row, target)
            found = solve_restricted(self.game, restriction, *self.known[nearest])
        if found.reason:
            raise _Lost(f"at {self.name} = {target[0]:.6g} {found.reason}")
        self.known[u] = found.theta, found.alpha
        rise = found.penalised - self.value
        if rise < -1e-10 * (1 + abs(self.value)):
            raise _Lost(f"at {self.name} = {target[0]:.6g} the objective is lower than at the fit")
        return float(np.sign(u - self.at) * np.sqrt(self.factor * max(rise, 0.0) / self.weight))

    def end(self, quantile: float, side: int) -> float:
        """Find where the root is ``side`` times ``quantile``; the space's end where it never is."""
        near, far = 0.0, quantile * self.error
        below, above = -quantile, side * self.root(self.at + side * far) - quantile
        while above < 0:
            # The next point by the chord, neither too near nor too far.
            slope = (above - below) / (far - near)
            chord = far - 1.1 * above / slope if slope > 0 else np.inf
            near, below, far = far, above, float(np.clip(chord, 1.2 * far, 2 * far))
            if far > _FAR * quantile * self.error:
                return self.space.upper if side > 0 else self.space.lower
            above = side * self.root(self.at + side * far) - quantile

        def excess(step):
            return side * self.root(self.at + side * step) - quantile

        step: float = optimize.brentq(excess, near, far, xtol=1e-10 * self.error)  # pyright: ignore[reportAssignmentType]
        return float(self.space.unlink(self.at + side * step))


def profile_intervals(fit, names: Sequence[str], alpha: float, robust: bool = True) -> np.ndarray:
    """Compute profile intervals of level 1 - alpha of some natural numbers: (k, 2); see ``profile_interval``."""
    return np.array([profile_interval(fit, name, alpha, robust) for name in names], np.float64).reshape(-1, 2)


def profile_interval(fit, name: str, alpha: float, robust: bool = True) -> tuple[float, float]:
    """Invert the distance test of one natural number.

    Parameters
    ----------
    fit : GANResults
        With a zero-sum loss.
    name : str
        One of ``generator.names``.
    alpha : float
        One minus the level.
    robust : bool
        Whether the statistic is divided by its weight (10).

    Returns
    -------
    tuple of float
        An end is that of the parameter's space where the statistic does not reach its quantile within fifteen times
        the distance from the estimate to the Wald interval's end; NaN, with a warning, where the profile cannot be
        followed so far.

    Warns
    -----
    ConvergenceWarning
    """
    quantile, profile = normal_quantile(alpha), _Profile(fit, name, robust)
    if not np.isfinite(profile.error):
        return np.nan, np.nan
    ends = []
    for side in (-1, 1):
        try:
            ends.append(profile.end(quantile, side))
        except _Lost as lost:
            warnings.warn(f"profile interval: {lost}.", ConvergenceWarning, stacklevel=2)
            ends.append(np.nan)
    return ends[0], ends[1]


def profile_curve(fit, name: str, points, robust: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the distance test of ``name = value`` at values inside its space, (k,) natural scale.

    Returns
    -------
    values, statistics : (k,) arrays
        Values in increasing order, and the statistic over its weight, chi-square with one degree of freedom; NaN
        where it is not found.
    """
    profile, values = _Profile(fit, name, robust), np.sort(np.asarray(points, np.float64))
    outwards = np.argsort(np.abs(profile.space.link(values) - profile.at), kind="stable")
    statistics = np.full(len(values), np.nan)
    for k in outwards:
        try:
            statistics[k] = profile.root(float(profile.space.link(values[k]))) ** 2
        except _Lost:
            continue
    return values, statistics


def profile_points(fit, name: str, intervals: np.ndarray, count: int = 61) -> np.ndarray:
    """Choose values (count,) that show intervals (k, 2) of a natural number, evenly on its link scale."""
    k = fit.generator.names.index(name)
    space, natural = fit.generator.element_spaces[k], fit.params.iloc[k]
    at, error = space.link(natural), fit.bse.iloc[k] * space.link_slope(natural)
    inside = intervals[np.isfinite(intervals) & (intervals > space.lower) & (intervals < space.upper)]
    links = np.append(space.link(inside), [at - error, at + error])
    return np.asarray(space.unlink(np.linspace(at + 1.25 * (links.min() - at), at + 1.25 * (links.max() - at), count)))
