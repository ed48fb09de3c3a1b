"""Estimating equations written for one observation and one draw: all that the seam asks follows by differentiation."""

import abc
import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.estimation import Equations, Refits, Resamples, ScoreCovariance
from hellgan.execution import programs
from hellgan.execution.threads import over_chunks
from hellgan.generators.family import Generator
from hellgan.generators.simulating import like
from hellgan.simulation import Simulation
from hellgan.solver.lagrangian import stationary
from hellgan.solver.roots import Programs, Root, judged
from hellgan.solver.starts import reach_of

_GROUP = 16  # refits a compiled call
_BLOCK = 1024  # observations whose Jacobians are in memory at once


class SmoothEquations(Equations):
    """An estimator by scores of one observation and of one simulated draw; abstract.

    A subclass sets ``space``, ``sample``, ``nuisance_names`` and, where it simulates, ``simulation``, in its
    ``__init__``, and writes either the terms of its objective (``real_value``, ``simulated_value``, ``penalty_value``),
    of which u is a stationary point, theta minimising and the nuisance maximising; or the scores themselves
    (``real_score``, ``simulated_score``, ``penalty``), which then are the derivatives of nothing that the package
    knows. All these functions are written with ``jax.numpy``. A subclass is an estimator, too:
    ``EstimatedResults.of`` fits it. On bootstrap samples of the fitted law, what it took from its data stays. Equation
    (9) is that of ``docs/theory.md``.

    Attributes
    ----------
    simulation : Simulation or None
        How the simulated sample is drawn, which must be independent of the real one; None where nothing is simulated.
    seed : int
        Of the simulated sample.
    """

    solution_type = Root
    simulation: Simulation | None = None
    seed: int = 0

    def real_value(self, u: jax.Array, x: jax.Array) -> jax.Array:
        """What one observation (d,) adds to the objective, a number."""
        raise TypeError(f"{self.name}: it has neither real_value nor real_score; write one of them.")

    def simulated_value(self, u: jax.Array, z: jax.Array) -> jax.Array:
        """What one latent draw (latent_dim,) adds to the objective, a number."""
        return jnp.zeros(())

    def penalty_value(self, u: jax.Array) -> jax.Array:
        """What is added to the objective and depends on u alone, a number."""
        return jnp.zeros(())

    def real_score(self, u: jax.Array, x: jax.Array) -> jax.Array:
        """Score (k,) of one observation (d,)."""
        return jax.grad(self.real_value)(u, x)

    def simulated_score(self, u: jax.Array, z: jax.Array) -> jax.Array:
        """Score (k,) of one latent draw (latent_dim,)."""
        return jax.grad(self.simulated_value)(u, z)

    def penalty(self, u: jax.Array) -> jax.Array:
        """What is added to the mean score and depends on u alone, (k,)."""
        return jax.grad(self.penalty_value)(u)

    @abc.abstractmethod
    def start(self) -> np.ndarray:
        """Starting values (k,) of u."""

    # As an estimator.

    @property
    def name(self) -> str:
        return type(self).__name__

    def __repr__(self):
        return f"<{self.name} {self.space.name}, n = {len(self.sample)}>"

    def equations(self) -> "SmoothEquations":
        """Give the equations of the estimator: the object itself."""
        return self

    def with_weights(self, weights) -> "SmoothEquations":
        """Give the same equations with other observation weights (n,); the same as ``reweighted``."""
        return self.reweighted(weights)

    def recipe(self):
        """Give the data as arrays and JSON facts; the equations themselves are code, which is not stored."""
        arrays = {"x": self.sample.squeezed}
        if self.sample.given_weights is not None:
            arrays["weights"] = self.sample.given_weights
        return arrays, {"estimator": self.name, "columns": self.sample.columns}

    # Compiled programs. A copy on other data or weights shares them: data are arguments.

    @functools.cached_property
    def _programs(self) -> "Programs":
        return Programs(self)

    @functools.cached_property
    def _latents(self) -> np.ndarray:
        """The latent sample (m, latent_dim); empty where nothing is simulated."""
        if self.simulation is None:
            return np.zeros((0, 1))
        if self.simulation.draws_each:
            raise ValueError(f"{self.name}: its generator has covariates; the simulated sample must be independent.")
        return self.simulation.draw(self.sample.rows[None], [self.seed])[0]

    @property
    def _data(self) -> tuple[np.ndarray, ...]:
        m = len(self._latents)
        return self.sample.rows, self.sample.weights, self._latents, np.full(m, 1 / max(m, 1))

    # Solutions.

    def solve(self, theta):
        best = None
        for start in np.atleast_2d(theta):
            begin = np.concatenate([start, self.start()[self.p :]])
            found = judged(self._programs.newton(begin, *self._data), self.p)
            if best is None or found.score_norm < best.score_norm:
                best = found
            if not found.reason:
                break
        assert best is not None
        return best

    def refit(self, resamples, count, u, *, evaluate=False, more=2, threads=None, progress=False):
        u, rules = np.broadcast_to(u, (count, np.shape(u)[-1])), self._programs

        def task(chunk):
            change = resamples(chunk)
            begin = u[chunk] if change.step is None else u[chunk] + change.step
            data = self._resampled(change)
            found = programs.in_blocks(rules.newtons, begin, *data, most=_GROUP)
            rows = [judged(programs.take(found, k), self.p) for k in range(len(begin))]
            covariances: list[ScoreCovariance | None] = [None] * len(rows)
            for k, row in enumerate(rows):
                if evaluate and not row.reason:
                    covariances[k] = self._covariance(row.u, *(each[k] for each in data))
            return list(zip(rows, covariances, strict=True))

        done = over_chunks(task, count, threads, progress, "refit")
        return Refits.of([root for root, _ in done], [found for _, found in done], evaluate)

    def _resampled(self, change: Resamples) -> tuple[np.ndarray, ...]:
        """Rows, weights, latents and their weights of R samples, each with a leading axis R."""
        count, m = len(change.weights), len(self._latents)
        rows, _, latents, latent_weights = (np.broadcast_to(a, (count, *a.shape)) for a in self._data)
        if change.fresh is not None:
            rows = change.fresh
        if change.positions is not None:
            rows = self.sample.rows[change.positions]
        if change.foreign is not None:
            rows = np.concatenate([rows, change.foreign], axis=1)
        if change.rngs is not None and self.simulation is not None:
            if self.simulation.kind == "sobol":
                latents = np.stack([self.simulation.shifted(rng) for rng in change.rngs])
            else:
                counts = np.stack([rng.multinomial(m, np.full(m, 1 / m)) for rng in change.rngs])
                if change.positions is None:
                    latent_weights = counts / m
                else:
                    latents = self._latents[np.stack([np.repeat(np.arange(m), each) for each in counts])]
        return rows, change.weights, latents, latent_weights

    def restricted(self, restriction, u):
        objective = (lambda u: float(self._programs.objective(u, *self._data))) if self.has_values else None
        return stationary(lambda u: self._programs.scored(u, *self._data), objective, restriction, u, self.p)

    def reweighted(self, weights):
        assert self._programs  # made before the copy, which shares them
        other = copy.copy(self)
        other.sample = self.sample.with_weights(weights)
        return other

    # Scores.

    def scores(self, u):
        return self._programs.real_scores(u, self.sample.rows)

    def scores_at(self, u, points):
        return programs.in_blocks(lambda rows: self._programs.real_scores(u, rows), points)

    def score_gradients(self, u, points):
        return programs.in_blocks(lambda rows: self._programs.gradients(u, rows), points)

    def score_jacobians(self, u):
        for begin in range(0, len(self.sample), _BLOCK):
            rows = slice(begin, min(begin + _BLOCK, len(self.sample)))
            yield rows, self._programs.jacobians(u, self.sample.rows[rows])

    def independent_scores(self, u):
        if self.simulation is None or not self.simulation.is_independent:
            return None
        return self._programs.simulated_scores(u, self._latents)

    def jacobian(self, u):
        return self._programs.scored(u, *self._data)[1]

    def score_covariance(self, u):
        return self._covariance(u, *self._data)

    def _covariance(self, u, rows, weights, latents, latent_weights) -> ScoreCovariance:
        n, size = 1 / float(np.sum(weights**2)), len(u)
        real = self._programs.real_covariance(u, rows, weights)
        simulated = np.zeros((size, size))
        if self.simulation is not None and self.simulation.is_independent:
            simulated = self._programs.simulated_covariance(u, latents, latent_weights)
        elif self.simulation is not None:
            means = self._programs.simulated_means(u, self.simulation.scrambles())
            simulated = np.cov(means, rowvar=False).reshape(size, size)
        return ScoreCovariance(n * real, n * simulated, n)

    def sampled(self, u, rng):
        if not isinstance(self.space, Generator):
            return super().sampled(u, rng)
        return like(self.space, u[: self.p], self.sample.rows, rng)

    def weight_derivatives(self, u):
        return self._programs.weight_derivatives(u, *self._data)

    def reach(self, u):
        if isinstance(self.space, Generator) and self.simulation is not None:
            return reach_of(self.space, u[: self.p], self._latents)
        cov = np.linalg.inv(self.jacobian(u))
        covariance = self.score_covariance(u)
        return np.sqrt(np.diag(cov @ covariance.real @ cov.T))[: self.p]  # of one observation

    # The objective.

    @property
    def has_values(self) -> bool:
        return type(self).real_value is not SmoothEquations.real_value

    def distance_trouble(self, robust):
        if not self.has_values:
            return super().distance_trouble(robust)
        return "" if robust else "the plain form has no known law for this estimator; use robust=True."

    @property
    def distance_factor(self) -> float:
        """Factor of (9): twice the effective sample size n; with independent draws twice nm/(n + m)."""
        n = 1 / float(np.sum(self.sample.weights**2))
        if self.simulation is None or not self.simulation.is_independent:
            return 2 * n
        return 2 * n * self.simulation.size / (n + self.simulation.size)

    def criterion(self, solution):
        return solution.value
