"""The saddle point of the empirical objective, by nested Newton, with its certificate.

The outer iteration is Newton's on theta, through the Schur complement T = H_tt - H_ta H_aa^-1 H_at: the derivative
of the profile score. Its steps are measured in the metric M = -H_at' H_aa^-1 H_at, which at the truth is the
information about theta that the discriminator has, so that they do not depend on the units of the parameters.
The inner iteration is a damped Newton ascent in alpha, warm-started by d alpha/d theta = -H_aa^-1 H_at. The
generator's own objective (a non-zero-sum loss) takes over once the zero-sum saddle is near: then the same step is
Newton's on the stacked equations with alpha eliminated.
"""

import warnings
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import cho_factor, cho_solve, solve_triangular

from hellgan import losses, objective
from hellgan.losses import Loss
from hellgan.objective import Game
from hellgan.starts import nearby, reaches

TOLERANCE = 1e-9
MAX_OUTER = 60
MAX_INNER = 60
MAX_TOTAL = 1000  # inner steps over all outer ones
_SLACK = 1e-13  # how far rounding may move the objective, relative to 1 + |V|


class SaddlePoint(eqx.Module):
    """A solution of the adversarial game, with what is known of it.

    Attributes
    ----------
    theta : (p,) array
        Generator parameters, unconstrained scale.
    alpha : (q + 1,) array
        Discriminator parameters.
    value : float
        V_n without the ridge.
    score_norm : float
        Largest element of the mean score; the generator's part is measured in the metric M, so that it does
        not depend on units.
    iterations, inner_iterations : int
        Outer steps tried, and Newton steps in alpha over all of them.
    starts : int
        Starting values tried.
    jacobian : (p + q + 1, p + q + 1) array
        H of (2), ridge included.
    discriminator_curvature : float
        Largest eigenvalue of H_aa; a maximum in alpha needs it negative.
    generator_curvature : float
        Least eigenvalue (zero-sum: of T; else least real part of T's eigenvalues) in the metric M.
    converged : bool
        Whether ``score_norm`` is below the tolerance.
    is_saddle : bool
        Whether it is a certified strict local minimax point; for a non-zero-sum loss, locally stable.
    kind : str
        ``local minimax``, ``locally stable`` or ``not certified``.
    reason : str
        Why it is not certified; empty where it is.
    """

    theta: np.ndarray
    alpha: np.ndarray
    value: float
    score_norm: float
    iterations: int
    inner_iterations: int
    starts: int
    jacobian: np.ndarray
    discriminator_curvature: float
    generator_curvature: float
    converged: bool
    is_saddle: bool
    kind: str
    reason: str


def solve_saddle(game: Game, starts: np.ndarray, more: int = 8) -> SaddlePoint:
    """Find a saddle point from starting values; try others near them where none is certified.

    Parameters
    ----------
    game : Game
        Double precision; the caller holds the ``jax.enable_x64`` context.
    starts : (p,) or (k, p) array
        Starting values, unconstrained scale. Several are ranked by the objective's inner maximum.
    more : int
        How many further starting values to try, where none of the given is certified.

    Returns
    -------
    SaddlePoint
        The first that is certified; else the best of all, ``reason`` saying what is wrong with it.
    """
    starts = np.atleast_2d(starts)
    more = more if game.discriminator.is_linear else min(more, 1)  # a network takes seconds a start
    found = []
    for start in _from_both(game, starts, more):
        found.append(_solve_from(game, start))
        if found[-1].is_saddle:
            break
    best = min(found, key=lambda s: (not s.is_saddle, not s.converged, np.nan_to_num(s.score_norm, nan=np.inf)))
    return eqx.tree_at(lambda s: s.starts, best, len(found))


def _from_both(game, starts, more):
    """Yield the given starts, best first, then the best of those scattered around the first."""
    ordered = ranked(game, starts) if len(starts) > 1 else starts
    ordered = ordered if len(ordered) else starts
    yield from ordered[:4]
    yield from ranked(game, nearby(game, ordered[0], 8 * more))[:more]


def ranked(game: Game, starts: np.ndarray) -> np.ndarray:
    """Order starting values (k, p) by the inner maximum of the objective, least first; drop those without one."""
    values = np.asarray(_inner_values(game, jnp.asarray(starts)))
    order = np.argsort(np.where(np.isfinite(values), values, np.inf))
    return starts[order][: np.sum(np.isfinite(values))]


@jax.jit
def _inner_values(game: Game, thetas: jax.Array) -> jax.Array:
    def value(theta):
        if not game.discriminator.is_linear:
            return objective.objective(game, theta, _ascend_network(game, theta, jnp.asarray(game.discriminator.start)))
        real, simulated = (objective.features(game, x) for x in (game.x, objective.simulate(game, theta)))
        return _climb(
            game, real, simulated, jnp.zeros(game.discriminator.size, theta.dtype), not game.loss.is_concave
        ).value

    return lax.map(value, thetas)


def _solve_from(game, theta):
    if not game.discriminator.is_linear:
        return _solve_network(game, theta)
    found = jax.device_get(_search(game, jnp.asarray(theta)))
    best = found.best
    value = best.value + game.discriminator.ridge @ best.alpha**2
    return certify(game, best.theta, best.alpha, best.jacobian, value, best.score_norm, found.outer, found.inner)


def certify(
    game, theta, alpha, jacobian, value, score_norm, iterations, inner_iterations, collapsed=False
) -> SaddlePoint:
    """Judge a root of the score by its Jacobian: the certificate of ``docs/theory.md``, section 2."""
    p = game.p
    h_tt, h_ta, h_at, h_aa = jacobian[:p, :p], jacobian[:p, p:], jacobian[p:, :p], jacobian[p:, p:]
    finite = bool(np.all(np.isfinite(jacobian))) and bool(np.isfinite(score_norm))
    top = least = np.nan
    if finite:
        top = float(np.linalg.eigvalsh((h_aa + h_aa.T) / 2)[-1])
    if finite and top < 0:
        slope = np.linalg.solve(-h_aa, h_at)
        schur, metric = h_tt + h_ta @ slope, h_at.T @ slope
        least = _least_eigenvalue(schur, metric, game.loss.is_zero_sum)
    converged = finite and bool(score_norm <= 10 * TOLERANCE)
    reason = _reason(finite, converged, score_norm, top, least)
    if collapsed and not reason:
        reason = (
            "the discriminator has collapsed to a constant and tells the generator nothing; give it a smaller ridge"
        )
    kind = "not certified" if reason else "local minimax" if game.loss.is_zero_sum else "locally stable"
    return SaddlePoint(
        np.asarray(theta),
        np.asarray(alpha),
        float(value),
        float(score_norm),
        int(iterations),
        int(inner_iterations),
        1,
        np.asarray(jacobian),
        top,
        least,
        converged,
        not reason,
        kind,
        reason,
    )


def _least_eigenvalue(schur, metric, symmetric):
    size = np.sqrt(np.maximum(np.diag(metric), np.finfo(float).tiny))
    scaled, schur = metric / np.outer(size, size), schur / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    root = vectors / np.sqrt(np.maximum(values, 1e-12))
    whitened = root.T @ schur @ root
    if symmetric:
        return float(np.linalg.eigvalsh((whitened + whitened.T) / 2)[0])
    return float(np.min(np.linalg.eigvals(whitened).real))


def _reason(finite, converged, score_norm, top, least):
    if not finite:
        return "the iteration left the numbers that double precision holds; give other starting values"
    if not converged:
        return (
            f"the score norm is {score_norm:.2g} after the last step; the parameters may not be identified by these "
            "features, or the start may be too far off"
        )
    if not top < 0:
        return "the discriminator is not at a strict maximum; a larger ridge or another discriminator makes it one"
    if not least > 0:
        return "the generator is at a stationary point that is not a minimum; give other starting values"
    return ""


# The compiled search, for a basis linear in alpha.


class _Ascent(NamedTuple):
    """The inner iteration: the best alpha with its derivatives, and the next to try."""

    alpha: jax.Array
    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array
    trial: jax.Array
    damping: jax.Array
    steps: jax.Array
    on_log: jax.Array  # while the continuation still climbs the log loss


class _Local(NamedTuple):
    """A point with its local model, theta in the coordinates in which M is the identity."""

    theta: jax.Array
    alpha: jax.Array
    value: jax.Array
    jacobian: jax.Array
    score: jax.Array  # (p,) generator's score
    schur: jax.Array  # (p, p)
    root: jax.Array  # (p, p) lower triangular, M = root root'
    slope: jax.Array  # (q + 1, p) d alpha / d theta, theta in its own units
    merit: jax.Array
    score_norm: jax.Array


class _Descent(NamedTuple):
    """The outer iteration: the best point, and the next to try."""

    best: _Local
    trial: jax.Array
    trial_alpha: jax.Array
    damping: jax.Array
    outer: jax.Array
    inner: jax.Array
    on_generator: jax.Array  # a non-zero-sum loss now works on the generator's own objective


@jax.jit
def _search(game: Game, theta: jax.Array) -> _Descent:
    """Nested Newton from one start. The body is the only place where anything is evaluated: compiled once."""
    loss, p = game.loss, game.p
    real = objective.features(game, game.x)
    reach = jnp.sqrt(jax.grad(loss.real)(jnp.zeros((), theta.dtype)))

    def body(s: _Descent) -> _Descent:
        simulated = objective.features(game, objective.simulate(game, s.trial))
        ascent = _climb(game, real, simulated, s.trial_alpha, (s.outer == 0) & (not loss.is_concave))
        here = _localise(game, s.trial, ascent, s.on_generator)
        slack = _SLACK * (1 + jnp.abs(here.merit))
        better = (here.merit <= s.best.merit + slack) | (here.score_norm <= TOLERANCE)
        accept = jnp.isfinite(here.score_norm) & better
        best = jax.tree.map(lambda new, old: jnp.where(accept, new, old), here, s.best)
        damping = jnp.where(accept, jnp.where(s.damping < 1e-2, 0.0, s.damping / 10), 10 * s.damping + 0.3)
        if not loss.is_zero_sum:
            enter = ~s.on_generator & (best.score_norm < 1e-3)
            # Entering, the same point is evaluated anew: its merit is now the norm of another score.
            best = best._replace(
                merit=jnp.where(enter, jnp.inf, best.merit), score_norm=jnp.where(enter, 1.0, best.score_norm)
            )
            on_generator = s.on_generator | enter
        else:
            enter = on_generator = s.on_generator
        step = _newton_step(best, damping, on_generator, reach)
        step = jnp.where(enter, 0.0, solve_triangular(best.root, step, lower=True, trans=1))
        return _Descent(
            best,
            best.theta + step,
            best.alpha + best.slope @ step,
            damping,
            s.outer + 1,
            s.inner + ascent.steps,
            on_generator,
        )

    def unfinished(s: _Descent):
        settled = (s.best.score_norm <= TOLERANCE) & (s.on_generator | loss.is_zero_sum)
        return ~settled & (s.outer < MAX_OUTER) & (s.inner < MAX_TOTAL) & (s.damping < 1e6)

    size = game.discriminator.size

    def unknown(*shape):
        return jnp.full(shape, jnp.nan, theta.dtype)

    nothing = _Local(
        theta=theta,
        alpha=jnp.zeros(size, theta.dtype),
        value=unknown(),
        jacobian=unknown(p + size, p + size),
        score=unknown(p),
        schur=unknown(p, p),
        root=unknown(p, p),
        slope=unknown(size, p),
        merit=jnp.asarray(jnp.inf, theta.dtype),
        score_norm=jnp.asarray(jnp.inf, theta.dtype),
    )
    zero = jnp.asarray(0)
    start = _Descent(nothing, theta, nothing.alpha, jnp.zeros((), theta.dtype), zero, zero, jnp.asarray(False))
    return lax.while_loop(unfinished, body, start)


def _localise(game: Game, theta, ascent: _Ascent, on_generator) -> _Local:
    """Build the local model of the outer problem at an inner maximum."""
    loss = game.loss

    def adversary(v):
        return loss.fake(v) if loss.generator is None else lax.cond(on_generator, loss.generator, loss.fake, v)

    local = objective.expand(game, theta, ascent.alpha, adversary)
    jacobian = jnp.block([[local.d_theta_theta, local.d_theta_alpha], [local.d_alpha_theta, ascent.hessian]])
    slope = jnp.linalg.solve(-ascent.hessian, local.d_alpha_theta)
    metric = local.d_alpha_theta.T @ slope
    size = jnp.sqrt(jnp.abs(jnp.diag(metric)))
    size = jnp.where(size > 0, size, 1.0)
    scaled = (metric + metric.T) / (2 * size[:, None] * size[None, :])
    root = size[:, None] * jnp.linalg.cholesky(scaled + 1e-12 * jnp.eye(game.p, dtype=theta.dtype))
    schur = local.d_theta_theta + local.d_theta_alpha @ slope

    def whiten(columns):
        return solve_triangular(root, columns, lower=True)

    score = whiten(local.d_theta)
    schur = whiten(whiten(schur).T).T
    norm = jnp.maximum(jnp.max(jnp.abs(score)), jnp.max(jnp.abs(ascent.gradient)))
    merit = ascent.value if loss.is_zero_sum else jnp.where(on_generator, score @ score, ascent.value)
    return _Local(theta, ascent.alpha, ascent.value, jacobian, score, schur, root, slope, merit, norm)


def _newton_step(point: _Local, damping, on_generator, reach):
    """Newton's step in whitened coordinates: damped, of bounded length, and downhill where T is not positive."""
    values, vectors = jnp.linalg.eigh((point.schur + point.schur.T) / 2)
    downhill = -vectors @ ((vectors.T @ point.score) / (jnp.maximum(jnp.abs(values), 0.05) + damping))
    normal = point.schur.T @ point.schur + damping * jnp.eye(point.score.shape[0], dtype=point.score.dtype)
    rootward = -jnp.linalg.solve(normal, point.schur.T @ point.score)
    step = jnp.where(on_generator, rootward, downhill)
    return step * jnp.minimum(1.0, reach / jnp.linalg.norm(step))


def _climb(game: Game, real, simulated, alpha, start_on_log) -> _Ascent:
    """Maximise over alpha by damped Newton; from the log loss where ``start_on_log`` says so."""
    loss = game.loss
    dtype, size = alpha.dtype, alpha.shape[0]

    def problem(trial, on_log):
        if loss.is_concave:
            return objective.discriminator_problem(loss, game, real, simulated, trial)
        blend = _Blend(loss, on_log)
        return objective.discriminator_problem(blend, game, real, simulated, trial)

    def body(s: _Ascent) -> _Ascent:
        value, gradient, hessian = problem(s.trial, s.on_log)
        slack = _SLACK * (1 + jnp.abs(value))
        accept = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient)) & (value >= s.value - slack)
        new = (s.trial, value, gradient, hessian)
        alpha, value, gradient, hessian = (
            jnp.where(accept, a, b) for a, b in zip(new, (s.alpha, s.value, s.gradient, s.hessian), strict=True)
        )
        damping = jnp.where(accept, jnp.where(s.damping < 1e-3, 0.0, s.damping / 10), 10 * s.damping + 1e-2)
        change = s.on_log & (jnp.max(jnp.abs(gradient)) < 1e-4)
        bound = jnp.max(jnp.abs(jnp.diag(hessian)))
        shifted = -hessian + damping * bound * jnp.eye(size, dtype=dtype)
        step = cho_solve(cho_factor(shifted, lower=True), gradient)
        return _Ascent(
            alpha,
            jnp.where(change, -jnp.inf, value),
            jnp.where(change, jnp.inf, gradient),
            hessian,
            jnp.where(change, alpha, alpha + step),
            jnp.where(change, 0.0, damping),
            s.steps + 1,
            s.on_log & ~change,
        )

    def unfinished(s: _Ascent):
        return (jnp.max(jnp.abs(s.gradient)) > TOLERANCE / 10) & (s.steps < MAX_INNER) & (s.damping < 1e10)

    start = _Ascent(
        alpha,
        jnp.asarray(-jnp.inf, dtype),
        jnp.full(size, jnp.inf, dtype),
        jnp.zeros((size, size), dtype),
        alpha,
        jnp.zeros((), dtype),
        jnp.asarray(0),
        jnp.asarray(start_on_log),
    )
    return lax.while_loop(unfinished, body, start)


class _Blend:
    """The log loss while ``on_log``, then the loss itself: what the continuation of a non-concave loss climbs."""

    def __init__(self, loss: Loss, on_log):
        self.real = lambda v: lax.cond(on_log, losses.log.real, loss.real, v)
        self.fake = lambda v: lax.cond(on_log, losses.log.fake, loss.fake, v)


# A discriminator that is not linear in alpha: quasi-Newton on both levels, then Newton on the stacked equations.


def _solve_network(game: Game, theta: np.ndarray) -> SaddlePoint:
    from scipy import optimize

    reach = np.asarray(reaches(game, jnp.asarray(theta)))
    state = {"alpha": np.asarray(game.discriminator.start), "inner": 0}

    def profile(step):
        # The envelope theorem: the profile's slope is the partial one at the inner maximum.
        value, slope, alpha, steps = jax.device_get(_profile_network(game, theta + reach * step, state["alpha"]))
        if not np.isfinite(value):
            return 1e10, np.zeros_like(step)
        state.update(alpha=alpha, inner=state["inner"] + int(steps))
        return float(value), np.asarray(slope) * reach

    outer = optimize.minimize(
        profile, np.zeros_like(theta), jac=True, method="BFGS", options={"gtol": 1e-5, "maxiter": 100}
    )
    theta, alpha, jacobian, score, value = jax.device_get(
        _polish(game, jnp.asarray(theta + reach * outer.x), jnp.asarray(state["alpha"]))
    )
    norm = max(np.max(np.abs(score[: game.p] * reach)), np.max(np.abs(score[game.p :])))
    # Where the discriminator's score does not react to theta at all, any theta would do.
    collapsed = bool(np.max(np.abs(jacobian[game.p :, : game.p] * reach)) < 1e-6)
    return certify(game, theta, alpha, jacobian, value, norm, outer.nit, state["inner"], collapsed)


def _ascend_network(game, theta, alpha):
    return _lbfgs(game).run(alpha, theta=theta, game=game).params


@jax.jit
def _profile_network(game: Game, theta, alpha):
    found = _lbfgs(game).run(alpha, theta=theta, game=game)
    value = objective.objective(game, theta, found.params)
    slope = jax.grad(objective.objective, argnums=1)(game, theta, found.params)
    return value, slope, found.params, found.state.iter_num


def _lbfgs(game: Game):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="JAXopt is no longer maintained", category=DeprecationWarning)
        import jaxopt

    return jaxopt.LBFGS(_negative_objective, tol=1e-7, maxiter=500, implicit_diff=False)


def _negative_objective(alpha, theta, game):
    return -objective.objective(game, theta, alpha)


@jax.jit
def _polish(game: Game, theta, alpha):
    """Newton's iteration on the stacked equations, as long as it lowers their norm."""
    p = game.p

    def score(u):
        return objective.mean_score(game, u[:p], u[p:])

    def body(state):
        u, value, hessian, steps, _ = state
        trial = u - jnp.linalg.solve(hessian, value)
        new = score(trial)
        better = jnp.linalg.norm(new) < jnp.linalg.norm(value)
        u, value = jnp.where(better, trial, u), jnp.where(better, new, value)
        return u, value, jax.jacfwd(score)(u), steps + 1, better

    def unfinished(state):
        return state[4] & (state[3] < 20) & (jnp.max(jnp.abs(state[1])) > TOLERANCE / 10)

    u = jnp.concatenate([theta, alpha])
    start = (u, score(u), jax.jacfwd(score)(u), jnp.asarray(0), jnp.asarray(True))
    u, value, hessian, _, _ = lax.while_loop(unfinished, body, start)
    return u[:p], u[p:], hessian, value, objective.objective(game, u[:p], u[p:], penalised=False)
