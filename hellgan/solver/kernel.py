"""A kernel GAN as estimating equations: its objective on the seam of ``hellgan.estimation``.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
import functools

import numpy as np

from hellgan.estimation import Equations, Refits, Resamples, ScoreCovariance
from hellgan.execution import programs
from hellgan.execution.threads import over_chunks
from hellgan.generators.family import Generator
from hellgan.generators.simulating import like, simulated
from hellgan.generators.smoothed import simulator_of
from hellgan.generators.stretched import Stretched
from hellgan.kernels import Kernel, Plugin
from hellgan.kernels.placement import Placement
from hellgan.losses import Loss
from hellgan.objective import kernel as objective
from hellgan.objective.assembly import extended, padded_size
from hellgan.objective.kernel import KernelGame
from hellgan.samples.sample import Sample
from hellgan.simulation import Simulation
from hellgan.solver.kernel_search import KernelMinimum, changed, judged, rank, search, search_one, weight_derivatives
from hellgan.solver.lagrangian import stationary
from hellgan.solver.starts import nearby_of, reach_of

_TRIED = 3  # starting values from which one search is made each, of several
_BLOCK = 1024  # points at which scores are computed at once
_EXACT_SCRAMBLES = 8  # Sobol samples for the simulation's noise where a sum over pairs takes long
_REPORTED = 0.01  # of one observation's own peak: by what densities are raised where ratios are reported


@dataclasses.dataclass(frozen=True, eq=False)
class KernelEquations(Equations):
    """Scores of the generator's parameters, u = theta, the discriminator in closed form.

    Attributes
    ----------
    sample : Sample
    space : Generator
    loss : Loss
    placement : Placement
        What kernels and phi are chosen by, and are chosen anew on other samples.
    bandwidths : (s, k, d) array
        Of each stage's kernel and its components; the last stage's are the estimator's own.
    phi : (s,) array
        What is added to the densities in each stage.
    compression : (2,) or (0,) array
        Of the scale on which densities are estimated; empty where that is the data's own.
    simulation : Simulation
    seed : int
        Of the simulated sample.
    nodes : int
        Of the mesh; 0: sums pair by pair.
    """

    sample: Sample  # pyright: ignore[reportIncompatibleVariableOverride]
    space: Generator  # pyright: ignore[reportIncompatibleVariableOverride]
    loss: Loss
    placement: Placement
    bandwidths: np.ndarray
    phi: np.ndarray
    compression: np.ndarray
    simulation: Simulation
    seed: int
    nodes: int

    solution_type = KernelMinimum

    @property
    def nuisance_names(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return []

    @functools.cached_property
    def kernel(self) -> Kernel:
        """The last stage's kernel."""
        return Kernel(self.bandwidths[-1], self.placement.shape)

    @property
    def simulator(self) -> Generator:
        """The generator that is simulated, of the same parameters."""
        found = simulator_of(self.space)
        return Stretched(found) if self.simulation.is_stretched else found

    @property
    def is_paired(self) -> bool:
        """Whether the simulated density and the simulated mean have latent points of their own."""
        return self.simulation.dim != self.simulator.latent_dim

    @property
    def own(self) -> np.ndarray:
        """Weights (2,) of a real and of a simulated point in the density at itself."""
        real = self.kernel.balancing_weight if self.placement.own_weight is None else self.placement.own_weight
        return np.array([real, real if self.simulation.kind == "iid" else 1.0])

    def plugin(self, stage: int = -1) -> Plugin:
        """How the discriminator is computed in a stage."""
        kernel = Kernel(self.bandwidths[stage], self.placement.shape)
        return Plugin(self.loss, kernel, self.phi[stage], self.own, self.nodes, compression=self.compression)

    @functools.cached_property
    def game(self) -> KernelGame:
        """The objective's ingredients; samples are padded with weight 0."""
        rows, weights = self.sample.rows, self.sample.weights
        size = padded_size(len(rows))
        z = self.simulation.draw(rows[None], [self.seed])[0]
        m = len(z)
        padded = m if self.simulation.kind == "sobol" else padded_size(m)
        return KernelGame(
            self.plugin(),
            self.simulator,
            extended(rows[None], size)[0],
            np.pad(weights, (0, size - len(rows))),
            extended(z[None], padded)[0],
            np.pad(np.full(m, 1 / m), (0, padded - m)),
            self.is_paired,
        )

    def drawn(self, theta: np.ndarray) -> np.ndarray:
        """Simulated points (m, d) at theta."""
        z = self.simulation.draw(self.sample.rows[None], [self.seed])[0]
        return simulated(self.simulator, theta, z[:, -self.simulator.latent_dim :])

    def at(self, solution) -> "KernelEquations":
        nodes = getattr(solution, "nodes", self.nodes)
        return self if nodes == self.nodes else dataclasses.replace(self, nodes=nodes)

    # Solutions.

    def solve(self, theta, more: int = 8) -> KernelMinimum:
        best = self._through(np.atleast_2d(np.asarray(theta, np.float64)))
        if best.reason and self.nodes:  # the mesh may be too short for where the search went
            longer = dataclasses.replace(self, nodes=0)
            other = longer._through(np.atleast_2d(theta))
            best = other if rank(other) < rank(best) else best
        if best.reason and more:
            scattered = nearby_of(self.space, np.atleast_2d(theta)[0], self._latents, more)
            for begin in scattered:
                other = self._through(begin[None])
                best = other if rank(other) < rank(best) else best
                if not best.reason:
                    break
        return best

    def _through(self, starts: np.ndarray) -> KernelMinimum:
        """Go through the stages, each from where the one before ended."""
        path, steps, best = [], 0, None
        for stage in range(len(self.phi)):
            game = dataclasses.replace(self.game, plugin=self.plugin(stage))
            if len(starts) > _TRIED:
                order = np.argsort(np.nan_to_num(objective.values_over(game, starts), nan=np.inf), kind="stable")
                starts = starts[order[:_TRIED]]
            ends = [self.ended(search_one(game, start)) for start in starts]
            best = min(ends, key=rank)
            steps += sum(each.iterations for each in ends)
            path.append([*self.bandwidths[stage].mean(axis=0), best.value, *best.theta])
            starts = best.theta[None]
        assert best is not None
        return dataclasses.replace(best, iterations=steps, path=np.array(path))

    def ended(self, found, weights: np.ndarray | None = None) -> KernelMinimum:
        """Judge where Newton's iteration ended, for observation weights, the sample's own unless given."""
        weights = self.sample.weights if weights is None else weights
        return judged(found, weights, self.kernel.is_smooth, self.nodes)

    def refit(self, resamples, count, u, *, evaluate=False, more=2, threads=None, progress=False):
        u = np.broadcast_to(u, (count, np.shape(u)[-1]))

        def task(chunk):
            change = resamples(chunk)
            begin = u[chunk] if change.step is None else u[chunk] + change.step
            games, squares = self._games(change)
            ends = self.solve_all(games, begin)
            done = []
            for k, end in enumerate(ends):
                game = programs.take(games, k)
                if end.reason and more is not None:
                    end = self._again(game, end, u[chunk][k], more)
                covariance = self._covariance(game, end.theta, squares[k]) if evaluate and not end.reason else None
                done.append((end, covariance))
            return done

        done = over_chunks(task, count, threads, progress, "refit")
        return Refits.of([end for end, _ in done], [found for _, found in done], evaluate)

    def solve_all(self, games: KernelGame, starts: np.ndarray) -> list[KernelMinimum]:
        """Solve each of a stack of games of the last stage (R, ...) from one start each (R, p)."""
        ends = []
        for group, filled in programs.groups(range(len(starts)), len(starts)):
            games_at = programs.take(games, filled)
            found, weights = search(games_at, starts[filled]), np.asarray(games_at.x_weights)
            ends += [self.ended(programs.take(found, k), weights[k]) for k in range(len(group))]
        return ends

    def _again(self, game: KernelGame, end: KernelMinimum, theta: np.ndarray, more: int) -> KernelMinimum:
        """Take up a search that ended nowhere: from the solution nearby, pair by pair, and from starts around it."""
        exact = dataclasses.replace(game, plugin=dataclasses.replace(game.plugin, nodes=0))
        for begin in [theta, *nearby_of(self.space, theta, self._latents, max(more, 1))[:more]]:
            end = self.ended(search_one(exact if self.sample.d == 1 else game, begin), np.asarray(game.x_weights))
            if not end.reason:
                break
        return end

    def _games(self, change: Resamples) -> tuple[KernelGame, np.ndarray]:
        """The games (R, ...) of other samples, and the squares of their observations' weights (R, n) in errors."""
        fresh = None
        if change.fresh is not None:
            fresh = self.placement.placed_each(change.fresh, self.sample.weights)
        return changed(self.game, change, self.sample.rows, self.simulation, fresh)

    def restricted(self, restriction, u):
        return stationary(
            lambda u: objective.scored(self.game, u)[:2],
            lambda u: float(objective.scored(self.game, u)[2]),
            restriction,
            u,
            self.p,
        )

    def reweighted(self, weights) -> "KernelEquations":
        return dataclasses.replace(self, sample=self.sample.with_weights(weights))

    # Scores.

    def scores(self, u):
        return objective.real_scores(self.game, u)[: len(self.sample)]

    def scores_at(self, u, points):
        return programs.in_blocks(lambda rows: objective.scores_at(self.game, u, rows), points, most=_BLOCK)

    def score_gradients(self, u, points):
        return programs.in_blocks(lambda rows: objective.score_gradients(self.game, u, rows), points, most=_BLOCK)

    def score_jacobians(self, u):
        yield slice(0, len(self.sample)), objective.score_jacobians(self.game, u)[: len(self.sample)]

    def independent_scores(self, u):
        if not self.simulation.is_independent:
            return None
        return objective.draw_scores(self.game, u)[: self.simulation.size]

    def jacobian(self, u):
        return objective.scored(self.game, u)[1]

    def score_covariance(self, u):
        return self._covariance(self.game, u, np.square(self.game.x_weights))

    def _covariance(self, game: KernelGame, u, squares: np.ndarray) -> ScoreCovariance:
        """Covariance of the mean score; ``squares`` (n,) are those of the observations' weights."""
        total = float(np.sum(squares))
        rows, n = objective.real_scores(game, u), 1 / total
        rows = rows - np.asarray(game.x_weights) @ rows
        real = (squares[:, None] * rows).T @ rows / (1 - total)
        if self.simulation.is_independent:
            draws, weights = objective.draw_scores(game, u), np.asarray(game.z_weights)
            draws = draws - weights @ draws
            simulated = (weights[:, None] * draws).T @ draws / (self.simulation.size - 1)
        else:
            simulated = np.cov(objective.gradients_over(game, u, self._scrambles), rowvar=False)
            simulated = simulated.reshape(self.p, self.p)
        return ScoreCovariance(n * real, n * simulated, n)

    @functools.cached_property
    def _scrambles(self) -> np.ndarray:
        found = self.simulation.scrambles()
        assert found is not None
        return found if self.nodes else found[:_EXACT_SCRAMBLES]

    def weight_derivatives(self, u):
        return weight_derivatives(self.game, u)[:, : len(self.sample)]

    @property
    def _latents(self) -> np.ndarray:
        """Latent draws of the generator itself, as many as the simulation has: (m, k)."""
        own = dataclasses.replace(self.simulation, law=self.space.law, dim=self.space.latent_dim, is_stretched=False)
        return own.draw(self.sample.rows[None], [self.seed])[0]

    def reach(self, u):
        return reach_of(self.space, u, self._latents)

    def sampled(self, u, rng):
        return like(self.space, u, self.sample.rows, rng)

    # The value.

    def distance_trouble(self, robust):
        return "" if robust else "the plain form has no known law for this estimator; use robust=True."

    @property
    def distance_factor(self) -> float:
        """Twice the effective sample size n; with independent draws twice nm/(n + m)."""
        n = 1 / float(np.sum(self.sample.weights**2))
        m = self.simulation.size
        return 2 * n * m / (n + m) if self.simulation.is_independent else 2 * n

    def criterion(self, solution):
        return solution.value

    def difference(self, other):
        found = super().difference(other)
        if found or not isinstance(other, KernelEquations):
            return found
        drawn = [(of.simulation.kind, of.simulation.size) for of in (self, other)]
        same = {
            "loss": self.loss == other.loss,
            "kernel": self.placement == other.placement,
            "bandwidth": np.array_equal(self.bandwidths, other.bandwidths),
            "phi": np.array_equal(self.phi, other.phi),
            "scale": np.array_equal(self.compression, other.compression),
            "latents": drawn[0] == drawn[1],
            "seed": self.seed == other.seed,
        }
        return next((what for what, equal in same.items() if not equal), "")

    # The density ratio.

    def parts(self, u) -> tuple:
        """The two parts of K_n: of the real and of the simulated sample."""
        return objective.parts_at(self.game, u)

    @property
    def floor(self) -> float:
        """By what both densities are raised where their ratio is reported: a hundredth of one observation's peak."""
        return _REPORTED * self.kernel.peak * float(np.sum(self.sample.weights**2))

    def log_ratios(self, u, points: np.ndarray | None = None) -> np.ndarray:
        """The log density ratio, real over simulated, at the observations or at points (r, d)."""
        if points is None:
            return objective.log_ratios(self.game, u, self.floor)[: len(self.sample)]
        return programs.in_blocks(lambda rows: objective.log_ratios_at(self.game, u, self.floor, rows), points)
