"""The certificate of a solution: what is known of it, and the reason in words where it is no saddle point.

H is the derivative of the mean score in (theta, alpha), equation (2) of ``docs/theory.md``, with blocks t and a. The
generator is judged by T = H_tt - H_ta H_aa^-1 H_at in the metric M = -H_at' H_aa^-1 H_at (section 2 there).
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from hellgan.objective.game import Game

JUMPS = "the simulator jumps"  # how a reason begins where slopes, and what follows from them, mean nothing
EDGE = "the solution lies at the edge"
TOLERANCE = 1e-9  # of the score norm at which the search ends
MAX_OUTER = 60
MAX_INNER = 60
MOST_SCORING = 30
FARTHEST = 1.0  # step of scoring on a scale without a unit
NEAR = 3e-3  # score norm at which Newton's steps take over from scoring
SLACK = 1e-13  # how far rounding may move the objective, relative to 1 + |V|


class Solution(NamedTuple):
    """Where the descent of each game ended, (k, ...) arrays."""

    theta: np.ndarray
    alpha: np.ndarray
    value: np.ndarray  # penalised
    jacobian: np.ndarray
    score_norm: np.ndarray
    iterations: np.ndarray
    inner_iterations: np.ndarray


class Limits(NamedTuple):
    """Where a search ends: the score norm that is small enough, and how many outer steps are tried from a start.

    ``disp`` says whether it shows its steps: None in a terminal, once it is long; True always, False never.
    """

    tol: float = TOLERANCE
    maxiter: int = MAX_OUTER
    disp: bool | None = None


LIMITS = Limits()


_SOLVED, _AT_KINKS = 1e-4, 0.03  # of the score norm's own standard error


def accepted(weights: np.ndarray, kinks: bool = False, tol: float = TOLERANCE) -> float:
    """Largest score norm of a solution, for observation weights (n,) that sum to 1.

    Where data are so far from 0 that their own digits are few the search may end above its tolerance. The mean score at
    the truth is of the order of n^(-1/2): with a ten thousandth of that left, the estimate is as far from the root as a
    ten thousandth of its standard error. Where a simulator has ``kinks``, as of ``jnp.maximum``, each draw that passes
    one changes the score at once, by some 1/m: there need be no root, and three hundredths pass for one.
    """
    return max(10 * tol, (_AT_KINKS if kinks else _SOLVED) * float(np.sqrt(np.sum(np.square(weights)))))


@dataclasses.dataclass(frozen=True, eq=False)
class SaddlePoint:
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
        Largest absolute element of the mean score; the generator's part is measured in the metric M, so that units
        of the parameters do not matter.
    iterations, inner_iterations : int
        Outer steps tried, and Newton steps in alpha over all of them.
    starts : int
        Starting values tried.
    jacobian : (p + q + 1, p + q + 1) array
        H of (2), ridge included.
    discriminator_curvature : float
        Largest eigenvalue of H_aa; a maximum in alpha needs it negative.
    generator_curvature : float
        Least eigenvalue of T in the metric M; for a non-zero-sum loss the least real part of these eigenvalues.
    converged : bool
        Whether ``score_norm`` is below 1e-8, or a ten thousandth of its own standard error; of a simulator of the
        user's, which may have kinks, three hundredths.
    is_saddle : bool
        Whether the solution is a certified strict local minimax point; for a non-zero-sum loss, locally stable.
    kind : str
        ``local minimax``, ``locally stable``, ``at an edge`` or ``not certified``.
    reason : str
        Why the solution is not certified; empty where it is.
    smoothing : (p, 1 + p) array
        Of a simulator that jumps, where it was smoothed and how widely: reference and spread of ``Smoothed``; (0, 0)
        of others.
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
    smoothing: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 0)), kw_only=True)

    @property
    def u(self) -> np.ndarray:
        """The stacked estimate (theta, alpha)."""
        return np.concatenate([self.theta, self.alpha])

    @property
    def is_root(self) -> bool:
        """Whether the scores vanish and the discriminator is at a maximum."""
        return self.converged and self.discriminator_curvature < 0 and not self.reason.startswith((JUMPS, EDGE))


def certify(
    game: Game,
    theta,
    alpha,
    jacobian,
    value,
    score_norm,
    iterations,
    inner_iterations,
    collapsed=False,
    curvatures=None,
    weights=None,
    limits: Limits = LIMITS,
) -> SaddlePoint:
    """Judge a root of the score by its Jacobian: the certificate of ``docs/theory.md``, section 2.

    The arguments up to ``inner_iterations`` are as in ``SaddlePoint``. ``collapsed`` says that the discriminator's
    score does not react to theta. ``curvatures`` are those of ``curvatures_of`` where they are known already.
    ``weights`` are the observations', (n,), those of the game unless given. ``limits`` are those of the search.
    """
    if curvatures is None:
        curvatures = [float(c[0]) for c in curvatures_of(np.asarray(jacobian)[None], game.p, game.loss.is_zero_sum)]
    top, least = curvatures
    finite = bool(np.all(np.isfinite(jacobian))) and bool(np.isfinite(score_norm))
    converged = finite and bool(
        score_norm <= accepted(game.x_weights if weights is None else weights, game.generator.may_jump, limits.tol)
    )
    reason = _reason(finite, converged, score_norm, top, least, game.loss.is_concave)
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


def curvatures_of(jacobians: np.ndarray, p: int, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """The two curvatures of a certificate for a stack of Jacobians (k, p + q + 1, p + q + 1): (k,) and (k,).

    The first is the largest eigenvalue of H_aa, the second, where that is clearly negative, the least eigenvalue of T
    in the metric M (the least real part of T's eigenvalues unless ``symmetric``); NaN where there is none.
    """
    top, least = np.full(len(jacobians), np.nan), np.full(len(jacobians), np.nan)
    finite = np.flatnonzero(np.all(np.isfinite(jacobians), axis=(1, 2)))
    h_aa = jacobians[finite, p:, p:]
    values = np.linalg.eigvalsh((h_aa + _transposed(h_aa)) / 2)
    top[finite] = values[:, -1]
    maxima = finite[top[finite] < -np.finfo(float).eps * np.abs(values[:, 0])]  # flat but for rounding has no slope
    if len(maxima):
        h = jacobians[maxima]
        slope = np.linalg.solve(-h[:, p:, p:], h[:, p:, :p])
        schur = h[:, :p, :p] + h[:, :p, p:] @ slope
        least[maxima] = _least_eigenvalues(schur, _transposed(h[:, p:, :p]) @ slope, symmetric)
    return top, least


def _transposed(stack):
    return np.swapaxes(stack, -1, -2)


def _least_eigenvalues(schur, metric, symmetric):
    size = np.sqrt(np.maximum(np.diagonal(metric, axis1=-2, axis2=-1), np.finfo(float).tiny))
    outer = size[:, :, None] * size[:, None, :]
    values, vectors = np.linalg.eigh(metric / outer)
    root = vectors / np.sqrt(np.maximum(values, 1e-12))[:, None, :]
    whitened = _transposed(root) @ (schur / outer) @ root
    if symmetric:
        return np.linalg.eigvalsh((whitened + _transposed(whitened)) / 2)[:, 0]
    return np.min(np.linalg.eigvals(whitened).real, axis=-1)


def _reason(finite, converged, score_norm, top, least, is_concave):
    if not finite:
        return "the iteration left the numbers that double precision holds; give other starting values"
    if not converged:
        folds = (
            ", or the maximum of this loss, which is not concave, changes its place there, as where observations lie "
            "close to the bulk: try GAN(reweight=True) or loss='log'"
        )
        return (
            f"the score norm is {score_norm:.2g} after the last step; the parameters may not be identified by these "
            f"features, or the start may be too far off{'' if is_concave else folds}"
        )
    if not top < 0:
        return "the discriminator is not at a strict maximum; a larger ridge or another discriminator makes it one"
    if not least > 0:
        return "the generator is at a stationary point that is not a minimum; give other starting values"
    return ""
