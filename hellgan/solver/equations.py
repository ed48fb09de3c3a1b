"""A parametric GAN as estimating equations: the adversarial game on the seam of ``hellgan.estimation``.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import equinox as eqx
import numpy as np

from hellgan.discriminators.basis import Basis
from hellgan.discriminators.network import Network
from hellgan.discriminators.specification import Discriminator
from hellgan.estimation import Refits, Resamples, Restricted, ScoreCovariance, Solution
from hellgan.execution import programs
from hellgan.execution.threads import over_chunks
from hellgan.generators.family import Generator
from hellgan.generators.simulating import like
from hellgan.generators.smoothed import simulator_of
from hellgan.losses.catalogue import Loss
from hellgan.objective import evaluation
from hellgan.objective.assembly import assemble
from hellgan.objective.bulk import all_believed
from hellgan.objective.game import Game
from hellgan.samples.sample import Sample
from hellgan.simulation import Simulation
from hellgan.solver import compiled, resampling
from hellgan.solver.certificate import LIMITS, Limits, SaddlePoint
from hellgan.solver.jumps import jacobian_with_kinks
from hellgan.solver.restricted import solve_restricted
from hellgan.solver.saddle import solve_saddle, solve_saddles
from hellgan.solver.smoothing import opened, settled_at
from hellgan.solver.starts import reaches
from hellgan.solver.told import DiscriminatorEquations

_BLOCK = 1024  # observations whose Jacobians are in memory at once
_DRAWS = 64  # simulated responses at a covariate where an influence function is asked for

HIDDEN_LAYER = (
    "a discriminator with a hidden layer is not identified where the generator fits (its output weights are 0 there, "
    "so that its hidden weights are arbitrary) and has no joint normal law; use a discriminator linear in its "
    "parameters, such as Sigmoids, for inference"
)


@dataclasses.dataclass(frozen=True, eq=False)
class GameEquations(DiscriminatorEquations):
    """Scores of generator and discriminator, u = (theta, alpha), on one sample.

    Attributes
    ----------
    sample : Sample
    space : Generator
    discriminator : Basis or Network
        Placed on the data.
    specification : Discriminator
        What the discriminator was placed from, and is placed from anew on other samples.
    loss : Loss
    simulation : Simulation
        How the simulated sample is drawn.
    seed : int
        Of the simulated sample, and of placements.
    smoothing : (p, 1 + p) array or None
        Where a simulator that jumps is smoothed, as its solution says.
    limits : Limits
        Of the searches for single solutions.
    """

    sample: Sample  # pyright: ignore[reportIncompatibleVariableOverride]
    space: Generator  # pyright: ignore[reportIncompatibleVariableOverride]
    discriminator: Basis | Network
    specification: Discriminator
    loss: Loss
    simulation: Simulation
    seed: int
    smoothing: np.ndarray | None = None
    limits: Limits = LIMITS

    solution_type = SaddlePoint

    @property
    def nuisance_names(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [f"alpha_{k}" for k in range(self.discriminator.size)]

    @property
    def trouble(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "" if self.discriminator.is_linear else HIDDEN_LAYER

    @functools.cached_property
    def game(self) -> Game:
        """The objective's ingredients; samples are padded with weight 0."""
        rows = self.sample.rows[None]
        placed = programs.stack([self.discriminator])
        z = self.simulation.draw(rows, [self.seed])
        games = assemble(self.loss, self.simulator, placed, rows, self.sample.weights, z, self.simulation)
        return programs.take(games, 0)

    @property
    def simulator(self) -> Generator:
        """The generator that the game simulates."""
        return simulator_of(self.space, self.smoothing)

    @property
    def frame(self) -> np.ndarray | None:
        return self.space.frame(self.sample.rows[self.sample.weights > 0])

    @functools.cached_property
    def scrambles(self) -> np.ndarray | None:
        """Sobol samples independent of the game's own, (S, m, k); None where the latents are no Sobol points."""
        return self.simulation.scrambles()

    # Solutions.

    def at(self, solution: Solution) -> "GameEquations":
        if not isinstance(solution, SaddlePoint) or not solution.smoothing.size:
            return self
        return dataclasses.replace(self, smoothing=solution.smoothing)

    def solve(self, theta: np.ndarray, reserve: Callable[[], np.ndarray] | None = None, more: int = 8) -> SaddlePoint:
        return self.solve_one(self.game, theta, more, reserve)

    def solve_one(self, game: Game, starts, more: int = 8, reserve: Callable[[], np.ndarray] | None = None):
        """Solve a game of these equations on any sample; arguments as `solve_saddle` takes them."""
        return solve_saddle(game, starts, more, reserve, self.limits)

    def solve_all(
        self, games: Game, starts: np.ndarray, warm: np.ndarray | None = None, wanted: int | None = None
    ) -> list:
        """Solve each of a stack of games (R, ...), from one start each (R, p) or from solutions ``warm`` (R, k) nearby.

        ``reason`` of a solution says why it is not certified; games after the first ``wanted`` only fill the stack.
        """
        return solve_saddles(games, starts, None if warm is None else warm[:, self.p :], wanted=wanted)

    def covariances_at(self, games: Game, saddles: Sequence, chosen: Sequence[int]) -> list[ScoreCovariance]:
        """Compute covariances of the mean scores at some of the solutions of a stack of games."""
        return score_covariances(settled_at(games, saddles), saddles, chosen, self.scrambles)

    def judged_at(self, games, saddles, believes):
        games = settled_at(games, saddles)
        theta, alpha = (np.stack([getattr(saddle, name) for saddle in saddles]) for name in ("theta", "alpha"))
        parts, sizes = evaluation.all_evaluated(games, theta, alpha, self.scrambles), games.sizes[0]
        covariances = [_score_covariance(each, float(n)) for each, n in zip(parts, sizes, strict=True)]
        believed = all_believed(games, theta, alpha, None, evaluation.believed_others(parts)) if believes else None
        return covariances, believed

    def refit(self, resamples, count, u, *, evaluate=False, more=2, threads=None, progress=False):
        u, p = np.broadcast_to(u, (count, np.shape(u)[-1])), self.p

        def task(chunk):
            change = resamples(chunk)
            games = self.games(change)
            begin = u[chunk] if change.step is None else u[chunk] + change.step
            is_cold = change.fresh is not None and self.discriminator.is_linear
            saddles = self.solve_all(games, begin[:, :p], None if is_cold else begin)
            for k, saddle in enumerate(saddles):
                if not saddle.is_saddle and more is not None:
                    saddles[k] = self.solve_one(opened(programs.take(games, k)), u[chunk][k, :p], more=more)
            good = [k for k, saddle in enumerate(saddles) if saddle.is_saddle and evaluate]
            found: list[ScoreCovariance | None] = [None] * len(saddles)
            for k, covariance in zip(good, self.covariances_at(games, saddles, good), strict=True):
                found[k] = covariance
            return list(zip(saddles, found, strict=True))

        done: list[tuple[SaddlePoint, ScoreCovariance | None]] = over_chunks(task, count, threads, progress, "refit")
        return Refits.of([saddle for saddle, _ in done], [found for _, found in done], evaluate)

    def games(self, change: Resamples) -> Game:
        """Assemble the games (R, ...) of other samples."""
        if change.fresh is None:
            return resampling.changed(self.game, change, self.sample, self.simulation, self.seed)
        assert change.rngs is not None
        rows, seeds = change.fresh, [int(rng.integers(2**31)) for rng in change.rngs]
        placed = self.specification.place_each(rows, self.sample.weights, [self.seed] * len(rows))
        z = self.simulation.draw(rows, seeds)
        return assemble(self.loss, self.simulator, placed, rows, self.sample.weights, z, self.simulation)

    def restricted(self, restriction, u) -> Restricted:
        return solve_restricted(self.game, restriction, *self._split(u))

    def reweighted(self, weights) -> "GameEquations":
        sample, discriminator = self.sample.with_weights(weights), self.discriminator
        if isinstance(discriminator, Basis):
            discriminator = resampling.moved(discriminator, sample.rows, sample.weights - self.sample.weights)
        return dataclasses.replace(self, sample=sample, discriminator=discriminator)

    # Scores.

    def scores(self, u):
        own, moved = self.held_scores(u), self.placement_slope(u)
        return own if moved is None else own + compiled.influences(self.game.basis, self.game.x)[: len(own)] @ moved.T

    def scores_at(self, u, points):
        own, moved = self.held_scores_at(u, points), self.placement_slope(u)
        if moved is None:
            return own
        return own + programs.in_blocks(lambda rows: compiled.influences(self.game.basis, rows), points) @ moved.T

    def score_gradients(self, u, points):
        own, moved = self.held_score_gradients(u, points), self.placement_slope(u)
        if moved is None:
            return own
        return own + moved @ programs.in_blocks(lambda rows: compiled.influence_gradients(self.game, rows), points)

    # Scores were the discriminator's placement no estimate, and what it being one adds.

    def held_scores(self, u) -> np.ndarray:
        return compiled.scores(self.game, *self._split(u))[: len(self.sample)]

    def held_scores_at(self, u, points) -> np.ndarray:
        return programs.in_blocks(lambda rows: compiled.scores_at(self._anywhere, *self._split(u), rows), points)

    def held_score_gradients(self, u, points) -> np.ndarray:
        return programs.in_blocks(lambda rows: compiled.score_gradients(self._anywhere, *self._split(u), rows), points)

    @property
    def is_placed(self) -> bool:
        """Whether standard errors count that the discriminator's placement was estimated."""
        return isinstance(self.discriminator, Basis) and self.discriminator.placement.shape[-1] > 0

    def placement_slope(self, u) -> np.ndarray | None:
        """Derivative (k, r) of the mean score in the discriminator's placement; None where there is none."""
        return compiled.placement_slope(self.game, *self._split(u)) if self.is_placed else None

    @functools.cached_property
    def _anywhere(self) -> Game:
        """The game for scores at any point; in a regression its latent points serve all covariates alike."""
        if not self.simulation.draws_each:
            return self.game
        of = dataclasses.replace(self.simulation, kind="sobol", size=_DRAWS, draws_each=0, covariates=0)
        return dataclasses.replace(self.game, z=of.draw(self.sample.rows[None], [self.seed])[0])

    def score_jacobians(self, u):
        game, each = self.game, self.simulation.draws_each
        for begin in range(0, len(self.sample), _BLOCK):
            end = min(begin + _BLOCK, len(self.sample))
            padded = slice(begin, min(begin + _BLOCK, len(game.x_weights)))  # into the padding: few shapes
            block = dataclasses.replace(game, x=game.x[padded], x_weights=np.ones(padded.stop - begin))
            if each:
                block = dataclasses.replace(block, z=game.z[padded.start * each : padded.stop * each])
            yield slice(begin, end), compiled.score_jacobians(block, *self._split(u))[: end - begin]

    def independent_scores(self, u):
        if not self.simulation.is_independent:
            return None
        return compiled.simulated_scores(self.game, *self._split(u))[: self.simulation.size]

    def jacobian(self, u):
        return jacobian_with_kinks(self.game, u, compiled.jacobian(self.game, *self._split(u)))

    def score_covariance(self, u):
        return _score_covariance(self.parts(u), float(self.game.sizes[0]))

    def parts(self, u) -> evaluation.Parts:
        """Covariances of means and slopes at any u, for a basis; kept until they are asked for at another u."""
        key, (theta, alpha) = np.asarray(u).tobytes(), self._split(u)
        if vars(self).get("_parts", ("", None))[0] != key:
            games = programs.stack([self.game])
            found = evaluation.evaluated(games, theta[None], alpha[None], self.scrambles)[0]
            vars(self)["_parts"] = key, found
        return vars(self)["_parts"][1]

    def believed(self, saddle):
        games, others = programs.stack([self.game]), evaluation.believed_others([self.parts(saddle.u)])
        return all_believed(games, saddle.theta[None], saddle.alpha[None], None, others)[0]

    def weight_derivatives(self, u):
        return compiled.weight_derivatives(self.game, u)[:, : len(self.sample)]

    def reach(self, u):
        return reaches(self.game, u[: self.p])

    def sampled(self, u, rng):
        return like(self.space, u[: self.p], self.sample.rows, rng)

    # The value of the game.

    def distance_trouble(self, robust):
        if not self.loss.is_zero_sum:
            return (
                f"the estimate with the non-zero-sum loss {self.loss.name} does not minimise the value of the "
                "game; use wald_test or score_test."
            )
        if not robust and not self.loss.is_calibrated:
            return (
                f"the optimum of the loss {self.loss.name} is not the log density ratio, so that the plain form has no "
                "known law; use robust=True."
            )
        return ""

    @property
    def distance_factor(self) -> float:
        """4A/c^2 times the factor s of (9): n for Sobol points or draws of each observation's own, else nm/(n + m)."""
        n, m = self.game.sizes
        return float(self.loss.chi2_factor * (n * m / (n + m) if self.simulation.is_independent else n))

    def criterion(self, solution: Solution):
        return solution.value - float(np.asarray(self.discriminator.ridge) @ solution.u[self.p :] ** 2)

    def difference(self, other):
        found = super().difference(other)
        if found or not isinstance(other, GameEquations):
            return found
        drawn = [(of.kind, of.size, of.draws_each) for of in (self.simulation, other.simulation)]
        same = {
            "loss": self.loss == other.loss,
            "discriminator": bool(eqx.tree_equal(self.discriminator, other.discriminator)),
            "latents": drawn[0] == drawn[1],
            "seed": self.seed == other.seed,
        }
        return next((what for what, equal in same.items() if not equal), "")


def score_covariances(
    games: Game, saddles: Sequence[SaddlePoint], chosen: Sequence[int], scrambles: np.ndarray | None
) -> list[ScoreCovariance]:
    """Covariances of the mean scores at some of the solutions of a stack of games with bases.

    Solutions are gone through in groups whose size depends on the number of all solutions alone, so that no fit's last
    digits depend on the success of others.
    """
    found = []
    for group, filled in programs.groups(chosen, len(saddles), games.cells):
        theta, alpha = (np.stack([getattr(saddles[k], name) for k in filled]) for name in ("theta", "alpha"))
        evaluated = evaluation.evaluated(programs.take(games, filled), theta, alpha, scrambles, len(group))
        for k, parts in zip(group, evaluated, strict=True):
            found.append(_score_covariance(parts, float(1 / np.sum(np.square(games.x_weights[k])))))
    return found


def _score_covariance(parts: evaluation.Parts, n: float) -> ScoreCovariance:
    real, simulated = evaluation.score_covariances(parts)
    return ScoreCovariance(n * real, n * simulated, n)
