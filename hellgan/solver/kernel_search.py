"""Minima of a kernel GAN's objective: the compiled search, what is said of its end, and games on other samples."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from hellgan.descent import minimised
from hellgan.estimation import Resamples
from hellgan.execution import programs
from hellgan.objective import kernel as objective
from hellgan.objective.assembly import extended, padded_size
from hellgan.objective.kernel import KernelGame
from hellgan.simulation import Simulation
from hellgan.solver.certificate import TOLERANCE, accepted
from hellgan.solver.starts import reach_at
from hellgan.solver.with_jaxopt import root_derivatives

_AT_KINKS = 0.01  # of the score norm's own standard error, at which a search ends where the kernel has kinks


@dataclasses.dataclass(frozen=True, eq=False)
class KernelMinimum:
    """A minimum of a kernel GAN's objective.

    Attributes
    ----------
    theta : (p,) array
        Generator parameters, unconstrained scale; also called ``u``, since there is no nuisance.
    value : float
        K_n, (25).
    score_norm : float
        Newton's decrement, the square root of g' |H|^-1 g: in the units of the square root of the objective.
    iterations : int
        Newton steps over all stages and starts.
    jacobian : (p, p) array
        H, the second derivative of K_n.
    path : (s, d + 1 + p) array
        Of each stage: bandwidths, the value and theta, where it ended.
    nodes : int
        Of the mesh on which sums over pairs were computed; 0 where pair by pair.
    reason : str
        Why this is no strict local minimum; empty where it is one.
    """

    theta: np.ndarray
    value: float
    score_norm: float
    iterations: int
    jacobian: np.ndarray
    path: np.ndarray
    nodes: int
    reason: str

    @property
    def u(self) -> np.ndarray:
        """The estimate (p,), unconstrained scale."""
        return self.theta

    @property
    def is_root(self) -> bool:
        """Whether the scores vanish, or nearly so."""
        return self.score_norm <= 1e-2 and bool(np.all(np.isfinite(self.jacobian)))

    @property
    def kind(self) -> str:
        """What the solution is certified to be, in words."""
        return "not certified" if self.reason else "strict local minimum"


def judged(found, weights: np.ndarray, is_smooth: bool, nodes: int) -> KernelMinimum:
    """Judge where an iteration ended, a ``Minimum``, for observation weights (n,)."""
    theta, value, _, hessian, norm, steps = found
    limit = accepted(weights, kinks=not is_smooth, tol=TOLERANCE)
    reason = ""
    if not (np.isfinite(value) and np.all(np.isfinite(hessian)) and np.isfinite(norm)):
        reason = "the iteration left the numbers that double precision holds; give other starting values"
    elif not norm <= limit:
        reason = (
            f"the score norm is {norm:.2g} after the last step; the parameters may not be identified, or the start "
            "may be too far off: give a list of bandwidths that begins with a large one, or other starting values"
        )
    elif not np.linalg.eigvalsh(hessian)[0] > 0:
        reason = (
            "the objective is at a stationary point that is not a minimum; give other starting values, or a list of "
            "bandwidths that begins with a large one"
        )
    return KernelMinimum(theta, float(value), float(norm), int(steps), hessian, np.zeros((0, 0)), nodes, reason)


def changed(
    game: KernelGame, change: Resamples, rows: np.ndarray, simulation: Simulation, fresh: dict | None
) -> tuple[KernelGame, np.ndarray]:
    """Stack a game of rows (n, d) R times, with what each resample changes.

    ``fresh`` are the kernels, phi and compressions of whole other samples, by name. A row that is repeated is one
    observation that counts for several: copies of it are, as it is itself, no sign of other observations nearby.

    Returns
    -------
    games, squares
        A stack, and the squares of the rows' weights (R, n) of which the variance of a mean is made.
    """
    count, n = len(change.weights), len(rows)
    weights, squares = change.weights, change.weights**2
    fields: dict = {}
    if change.positions is not None:
        weights, squares = (
            np.stack([np.bincount(at, each, n) for at, each in zip(change.positions, part, strict=True)])
            for part in (weights, squares)
        )
    stacked = np.broadcast_to(rows, (count, *rows.shape))
    if change.fresh is not None and fresh is not None:
        stacked = change.fresh
        fields["plugin"] = dataclasses.replace(programs.repeated(game.plugin, count), **fresh)
    if change.foreign is not None:
        stacked = np.concatenate([stacked, change.foreign], axis=1)
    if change.rngs is not None:
        if simulation.kind == "sobol":
            fields["z"] = np.stack([simulation.shifted(rng) for rng in change.rngs])
        else:
            m = simulation.size
            counts = np.stack([rng.multinomial(m, np.full(m, 1 / m)) for rng in change.rngs])
            fields["z_weights"] = np.pad(counts / m, ((0, 0), (0, len(game.z) - m)))
    size = padded_size(stacked.shape[1])
    gap = ((0, 0), (0, size - stacked.shape[1]))
    fields |= {"x": extended(stacked, size), "x_weights": np.pad(weights, gap)}
    return dataclasses.replace(programs.repeated(game, count), **fields), np.pad(squares, gap)


def rank(end: KernelMinimum) -> tuple:
    """Order ends of searches: certified ones first, then by value."""
    return bool(end.reason), end.value if np.isfinite(end.value) else np.inf


def _searched(game: KernelGame, theta):
    units = reach_at(game.generator, theta, game.z[:, game.z.shape[1] // 2 :] if game.paired else game.z)
    smooth = game.plugin.kernel.is_smooth
    return minimised(
        lambda t: objective.value(game, t),
        theta,
        units,
        TOLERANCE / 10 if smooth else _AT_KINKS * jnp.sqrt(jnp.sum(game.x_weights**2)),
        None if smooth else lambda t: objective.hessian(game, t),
    )


@programs.program
def search_one(game, theta):
    """Minimise a game's objective from theta (p,): a ``Minimum``."""
    return _searched(game, theta)


@programs.program
def search(games, starts):
    """Minimise the objectives of a stack of games, from one start each (R, p)."""
    return programs.each(_searched, games, starts)


@programs.program
def weight_derivatives(game, theta):
    """Derivatives (p, n) of the minimum in the observations' weights."""
    return root_derivatives(lambda t, w: objective.gradient(game, t, w), theta * 1.0, game.x_weights * 1.0)
