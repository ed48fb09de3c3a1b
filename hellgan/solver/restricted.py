"""The saddle point under smooth restrictions h(theta) = 0 of the generator's parameters.

The profile P(theta) = max over alpha of V_n, less the ridge, is minimised along the surface h = 0: Newton's steps in
the surface's tangent, with the Hessian of the Lagrangian P + mu'h, each followed by a return to the surface. The
restrictions cost next to nothing beside the inner maximum, so every point at which P is evaluated satisfies them, and
P itself says whether a step is good. For a non-zero-sum loss the stacked equations g(theta) + R' mu = 0, h = 0 are
solved instead, g the generator's own score and R the derivative of h. The matrices T and M are those of
``hellgan.solver.saddle``.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from hellgan.estimation import Restricted
from hellgan.execution import programs
from hellgan.objective.game import Game
from hellgan.restrictions import Restriction
from hellgan.solver import newton
from hellgan.solver.certificate import TOLERANCE

_MAX_STEPS = 60
_MAX_RETURN = 50  # Newton steps back to the surface
_MAX_LEVELS = 60  # surfaces h = share * h(start) passed on the way to h = 0
_SLACK = 1e-13  # how far rounding may move the objective, relative to 1 + |V|


def solve_restricted(game: Game, restriction: Restriction, theta: np.ndarray, alpha: np.ndarray) -> Restricted:
    """Find the saddle point under restrictions from a solution nearby.

    Parameters
    ----------
    game : Game
        With a basis linear in alpha.
    restriction : Restriction
        Of at most p equations.
    theta, alpha : (p,) and (q + 1,) arrays
        Where to begin: the solution without the restrictions, or with similar ones; the restrictions need not hold
        there. theta is unconstrained.

    Returns
    -------
    Restricted
        ``reason`` says what is wrong where no strict saddle point under the restrictions was found.
    """
    problem = _Problem(programs.stack([game]), restriction)
    here = problem.model(np.asarray(theta, np.float64), np.asarray(alpha, np.float64))
    if here is None:
        return _failed(game, restriction, theta, alpha, "the inner maximum is not found at the starting values")
    begin, share = restriction.at(here.theta)[0], 1.0
    for _ in range(_MAX_LEVELS):
        moved = problem.towards(here, begin, share)
        if moved is None:
            reason = "no parameters that satisfy the restrictions are reached from the estimate"
            return _failed(game, restriction, here.theta, here.alpha, reason)
        here, share = moved
        here, tangent = problem.descend(here, share * begin, TOLERANCE if share == 0 else 1e-2)
        if share == 0:
            return _judged(game, here, tangent)
    return _failed(game, restriction, here.theta, here.alpha, "the restrictions are too far from the estimate")


class _Model(NamedTuple):
    """The profile near a point: value, score and T; W with W M W' the identity; d alpha / d theta."""

    theta: np.ndarray
    alpha: np.ndarray
    value: float  # penalised
    score: np.ndarray
    schur: np.ndarray
    whitening: np.ndarray
    slope: np.ndarray
    jacobian: np.ndarray
    inner: float  # largest element of the gradient in alpha
    reach: float


class _Tangent(NamedTuple):
    """The Lagrangian along the surface, in orthonormal coordinates of the metric M."""

    basis: np.ndarray  # (p, p - r): theta's own units
    pull: np.ndarray  # (p - r,) gradient
    curvature: np.ndarray  # (p - r, p - r)
    multipliers: np.ndarray
    slope: np.ndarray  # R
    norm: float
    is_regular: bool


@dataclasses.dataclass(frozen=True, eq=False)
class _Problem:
    """A game, as a stack of one, with the restrictions h."""

    games: Game
    restriction: Restriction

    def model(self, theta, alpha) -> _Model | None:
        """Climb to the inner maximum at a point and expand there; None where no maximum is found."""
        local = programs.take(newton.locate(self.games, theta[None], alpha[None], np.zeros(1, bool)), 0)
        of, h_aa = local.expansion, local.hessian
        h_at = of.d_alpha_theta
        jacobian = np.block([[of.d_theta_theta, of.d_theta_alpha], [h_at, h_aa]])
        inner = float(np.max(np.abs(local.gradient)))
        if not (np.all(np.isfinite(jacobian)) and np.all(np.isfinite(of.d_theta)) and inner <= 1e-6):
            return None
        try:
            slope = np.linalg.solve(-h_aa, h_at)
        except np.linalg.LinAlgError:
            return None
        (whitening,), (least,) = newton.whitened((h_at.T @ slope)[None])
        if not least > -1e-10:
            return None
        schur, value, reach = of.d_theta_theta + of.d_theta_alpha @ slope, float(local.value), float(local.reach)
        return _Model(theta, local.alpha, value, of.d_theta, schur, whitening, slope, jacobian, inner, reach)

    def onto(self, here: _Model, theta, level) -> np.ndarray | None:
        """Return to the surface h = level by the shortest steps in the metric of ``here``; None where it is missed."""
        for _ in range(_MAX_RETURN):
            h, slope = self.restriction.at(theta)
            with np.errstate(over="ignore", invalid="ignore"):  # points far away are refused below
                left, slope = level - h, slope @ here.whitening.T
                if not (np.all(np.isfinite(left)) and np.all(np.isfinite(slope))):
                    return None
                step = np.linalg.lstsq(slope, left, rcond=None)[0]
                length, missed = np.linalg.norm(step), np.linalg.norm(slope @ step - left)
                is_solved = missed <= 1e-6 * np.linalg.norm(left)
            if not (length <= 1e3 * here.reach and is_solved):
                return None
            theta = theta + here.whitening.T @ step
            if length <= 1e-9:  # Newton's steps are quadratic there: the next is below rounding
                return theta
        return None

    def towards(self, here: _Model, begin, share: float) -> tuple[_Model, float] | None:
        """Go on from the surface h = share * begin as near to h = 0 as one step of bounded length may lead."""
        following = 0.0
        for _ in range(20):
            theta = self.onto(here, here.theta, following * begin)
            if theta is not None:
                step = theta - here.theta
                length = np.linalg.norm(np.linalg.solve(here.whitening.T, step))
                moved = self.model(theta, here.alpha + here.slope @ step) if length <= here.reach else None
                if moved is not None:
                    return moved, following
            following = (following + share) / 2
        return None

    def tangent(self, here: _Model) -> _Tangent:
        """Expand the Lagrangian along the surface."""
        slope = self.restriction.at(here.theta)[1]
        whitened, score = slope @ here.whitening.T, here.whitening @ here.score
        sizes = np.linalg.norm(whitened, axis=1)
        unit = whitened / np.where(sizes > 0, sizes, 1.0)[:, None]
        is_regular = bool(np.linalg.svd(unit, compute_uv=False)[-1] > 1e-7) and bool(np.all(sizes > 0))
        multipliers = -np.linalg.lstsq(whitened.T, score, rcond=None)[0]
        basis = here.whitening.T @ np.linalg.qr(whitened.T, mode="complete")[0][:, len(slope) :]
        pull = basis.T @ here.score
        curvature = basis.T @ (here.schur + self.restriction.curvature(here.theta, multipliers)) @ basis
        norm = max(float(np.max(np.abs(pull), initial=0.0)), here.inner)
        return _Tangent(basis, pull, curvature, multipliers, slope, norm, is_regular)

    def descend(self, here: _Model, level, tolerance: float) -> tuple[_Model, _Tangent]:
        """Go down along the surface h = level, on which ``here`` lies."""
        tangent, damping = self.tangent(here), 0.0
        for _ in range(_MAX_STEPS):
            if tangent.norm <= tolerance or damping >= 1e6 or not np.isfinite(tangent.norm):
                break
            step = self._step(tangent, damping, here.reach)
            theta = self.onto(here, here.theta + step, level)
            trial = None if theta is None else self.model(theta, here.alpha + here.slope @ (theta - here.theta))
            accepted = None if trial is None else self._accepted(here, tangent, trial)
            if trial is not None and accepted is not None:
                here, tangent = trial, accepted
                damping = 0.0 if damping < 1e-2 else damping / 10
            else:
                damping = 10 * damping + 0.3
        return here, tangent

    def _accepted(self, here: _Model, tangent: _Tangent, trial: _Model) -> _Tangent | None:
        """Expand the Lagrangian at a point that was tried; None unless that point is better."""
        of_trial = self.tangent(trial)
        if self.games.loss.is_zero_sum:
            old, new = here.value, trial.value
        else:
            old, new = tangent.pull @ tangent.pull, of_trial.pull @ of_trial.pull
        is_better = new <= old + _SLACK * (1 + abs(new)) or of_trial.norm <= TOLERANCE
        return of_trial if is_better else None

    def _step(self, tangent: _Tangent, damping: float, reach: float) -> np.ndarray:
        """Newton's step along the tangent: damped, of bounded length, and downhill whatever the curvature's sign."""
        pull, curvature = tangent.pull, tangent.curvature
        if self.games.loss.is_zero_sum:
            values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
            step = -vectors @ (vectors.T @ pull / (np.maximum(np.abs(values), 0.05) + damping))
        else:
            normal = curvature.T @ curvature + damping * np.eye(len(pull))
            step = -np.linalg.lstsq(normal, curvature.T @ pull, rcond=None)[0]
        length = max(float(np.linalg.norm(step)), 1e-300)
        return tangent.basis @ step * min(1.0, reach / length)


def _judged(game: Game, here: _Model, tangent: _Tangent) -> Restricted:
    h_aa = here.jacobian[game.p :, game.p :]
    curvature, reason = tangent.curvature, ""
    if game.loss.is_zero_sum:
        curvature = (curvature + curvature.T) / 2
    if not tangent.norm <= 10 * TOLERANCE:
        reason = f"the score norm under the restrictions is {tangent.norm:.2g} after the last step"
    elif not tangent.is_regular:
        reason = "the derivatives of the restrictions depend on each other, or vanish, where the restrictions hold"
    elif not np.linalg.eigvalsh((h_aa + h_aa.T) / 2)[-1] < 0:
        reason = "the discriminator is not at a strict maximum under the restrictions"
    elif not np.all(np.linalg.eigvals(curvature).real > 0):
        reason = "the generator is at a stationary point under the restrictions that is not a minimum"
    u = np.concatenate([here.theta, here.alpha])
    return Restricted(u, here.value, tangent.multipliers, here.score, here.jacobian, tangent.slope, reason)


def _failed(game: Game, restriction: Restriction, theta, alpha, reason: str) -> Restricted:
    r, u = len(restriction.at(theta)[0]), np.concatenate([theta, alpha])
    shapes = {"multipliers": (r,), "score": (game.p,), "jacobian": (game.size, game.size), "slope": (r, game.p)}
    unknown = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    return Restricted(u=u, criterion=np.nan, **unknown, reason=reason)
