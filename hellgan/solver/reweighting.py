"""A reweighted GAN as estimating equations: both steps of `two_steps` on the seam of ``hellgan.estimation``."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.estimation import Restricted
from hellgan.execution import programs
from hellgan.losses.catalogue import Loss
from hellgan.objective.background import all_backgrounds
from hellgan.objective.belief import belief
from hellgan.objective.bulk import all_believed
from hellgan.objective.game import features
from hellgan.objective.scores import mean_score, weighted
from hellgan.solver.equations import GameEquations
from hellgan.solver.smoothing import settled_at
from hellgan.solver.two_steps import (
    FIRST,
    ReweightedSaddle,
    beliefs_of,
    coupled,
    covariances_of,
    first_of,
    reweighted_covariances,
    solve_all,
    solve_reweighted,
    stacked_placement_slope,
)
from hellgan.solver.with_jaxopt import root_derivatives


class ReweightedEquations(GameEquations):
    """Scores of both steps, u = (theta, alpha, first), on one sample; a discriminator linear in alpha."""

    solution_type = ReweightedSaddle

    @property
    def nuisance_names(self) -> list[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [*super().nuisance_names, *(f"first_{name}" for name in self.first.names)]

    @functools.cached_property
    def first(self) -> GameEquations:
        """The equations of the first fit."""
        return self._plain(FIRST)

    def second(self, u) -> GameEquations:
        """The equations of the second step, with the weights that follow from the first fit in u."""
        weighted = self.sample.with_weights(self.sample.weights * self.beliefs(u))
        return dataclasses.replace(self._plain(self.loss), sample=weighted)

    def _plain(self, loss: Loss) -> GameEquations:
        return GameEquations(
            self.sample,
            self.space,
            self.discriminator,
            self.specification,
            loss,
            self.simulation,
            self.seed,
            self.smoothing,
        )

    def beliefs(self, u) -> np.ndarray:
        """What each observation counts in the second step, between 0 and 1: (n,)."""
        alpha = self._steps(u)[1][self.p :]
        return beliefs_of(programs.stack([self.first.game]), alpha[None])[0, : len(self.sample)]

    def _split(self, u):
        return u[: self.p], u[self.p : self.p + self.discriminator.size]

    def _steps(self, u):
        """The parameters of the second step and of the first, each theta before alpha."""
        size = self.p + self.discriminator.size
        return u[:size], u[size:]

    # Solutions.

    def solve_one(self, game, starts, more=8, reserve=None):
        return solve_reweighted(game, starts, more, reserve, self.limits)

    def solve_all(self, games, starts, warm=None, wanted=None):
        return solve_all(games, starts, warm, wanted)

    def covariances_at(self, games, saddles, chosen):
        return reweighted_covariances(settled_at(games, saddles), saddles, chosen, self.scrambles)

    def restricted(self, restriction, u) -> Restricted:
        """Solve the second step under restrictions, its weights those of the unrestricted first fit."""
        after, before = self._steps(u)
        found = self.second(u).restricted(restriction, after)
        u = np.concatenate([found.u, before])
        share = float(self.sample.weights @ self.beliefs(u))
        return dataclasses.replace(
            found,
            u=u,
            criterion=np.nan,
            multipliers=share * found.multipliers,
            score=share * found.score,
            jacobian=self.jacobian(u),
        )

    # Scores.

    def _constant(self, u) -> np.ndarray:
        """What every observation's score of the second step contains: the simulated sample's mean and the penalty."""
        second, after = self.second(u), self._steps(u)[0]
        mean = _mean_score(second.game, *second._split(after))
        return mean - second.sample.weights @ second.held_scores(after)

    def held_scores(self, u):
        after, before = self._steps(u)
        second = self.beliefs(u)[:, None] * (self.second(u).held_scores(after) + self._constant(u))
        return np.concatenate([second, self.first.held_scores(before)], axis=1)

    def held_scores_at(self, u, points):
        after, before = self._steps(u)
        second = self.second(u).held_scores_at(after, points) + self._constant(u)
        weights = _belief(self.first.log_ratios(before, points))
        return np.concatenate([weights[:, None] * second, self.first.held_scores_at(before, points)], axis=1)

    def placement_slope(self, u):
        return stacked_placement_slope(self.game, *self._steps(u)) if self.is_placed else None

    def held_score_gradients(self, u, points):
        after, before = self._steps(u)
        second, v = self.second(u), self.first.log_ratios(before, points)
        v_x = programs.in_blocks(lambda rows: _slopes_in_x(self.discriminator, before[self.p :], rows), points)
        of_weights = (_belief_slope(v)[:, None] * v_x)[:, None, :]
        own = _belief(v)[:, None, None] * second.held_score_gradients(after, points)
        moved = (second.held_scores_at(after, points) + self._constant(u))[:, :, None] * of_weights
        return np.concatenate([own + moved, self.first.held_score_gradients(before, points)], axis=1)

    def score_jacobians(self, u):
        after, before = self._steps(u)
        second, k = self.second(u), len(after)
        weights, v = self.beliefs(u), self.first.log_ratios(before, self.sample.rows)
        shared = second.jacobian(after)
        for rows, each in second.score_jacobians(after):
            shared = shared - np.einsum("b,bij->ij", second.sample.weights[rows], each)
        moved = _belief_slope(v)[:, None] * (second.held_scores(after) + self._constant(u))
        blocks = zip(second.score_jacobians(after), self.first.score_jacobians(before), strict=True)
        for (rows, of_second), (_, of_first) in blocks:
            block = np.zeros((len(of_second), 2 * k, 2 * k))
            block[:, :k, :k] = weights[rows][:, None, None] * (of_second + shared)
            phi = self.first.features(self.sample.rows[rows])
            phi = np.concatenate([np.ones((len(phi), 1)), phi], axis=1)
            block[:, :k, k + self.p :] = moved[rows][:, :, None] * phi[:, None, :]
            block[:, k:, k:] = of_first
            yield rows, block

    def independent_scores(self, u):
        after, before = self._steps(u)
        second, first = self.second(u).independent_scores(after), self.first.independent_scores(before)
        if second is None or first is None:
            return None
        return np.concatenate([float(self.sample.weights @ self.beliefs(u)) * second, first], axis=1)

    def jacobian(self, u):
        after, before = self._steps(u)
        of_steps = [self.second(u).jacobian(after)], [self.first.jacobian(before)]
        return coupled(programs.stack([self.game]), after[None], before[None], *of_steps)[0]

    def score_covariance(self, u):
        after, before = self._steps(u)
        pair = programs.stack([self.second(u).game]), programs.stack([self.first.game])
        return covariances_of(*pair, after[None], before[None], self.scrambles)[0]

    def weight_derivatives(self, u):
        return _weight_derivatives(self.game, self.first.game, u)[:, : len(self.sample)]

    # Tests of the game are of the second step's; what the discriminator says of observations, and believes, is the
    # first's: the second has seen little of those that are weighted down.

    def judged_at(self, games, saddles, believes):
        games = settled_at(games, saddles)
        covariances = reweighted_covariances(games, saddles, range(len(saddles)), self.scrambles)
        return covariances, self._believed(games, saddles) if believes else None

    def believed(self, saddle):
        return self._believed(programs.stack([self.game]), [saddle])[0]

    def _believed(self, games, saddles):
        theta, alpha = (np.stack(each) for each in zip(*((s.theta, s.first[self.p :]) for s in saddles), strict=True))
        return all_believed(games, theta, alpha, self.scrambles)

    def backgrounds_at(self, games, saddles):
        theta, alpha = (np.stack([getattr(saddle, name) for saddle in saddles]) for name in ("theta", "alpha"))
        games = settled_at(games, saddles)
        first = np.stack([saddle.first[self.p :] for saddle in saddles])
        return all_backgrounds(games, theta, alpha, (first_of(games), first))

    def parts(self, u):
        return self.second(u).parts(self._steps(u)[0])

    def balance(self, u, under):
        return self.second(u).balance(self._steps(u)[0], under)

    def mean_features(self, u):
        return self.second(u).mean_features(self._steps(u)[0])

    def log_ratios(self, u, points):
        return self.first.log_ratios(self._steps(u)[1], points)

    def distance_trouble(self, robust):
        return "the weights come from a first fit that the restrictions leave alone; use wald_test or score_test."

    def model_covariance(self, u):
        raise ValueError("model: a reweighted fit has no closed form at the model; use 'sandwich'.")

    def model_influence(self, u, points):
        raise ValueError("under: a reweighted fit has no closed form at the model; give 'fit'.")


_belief = programs.program(belief)
_belief_slope = programs.program(jax.vmap(jax.grad(belief)))
_mean_score = programs.program(mean_score)


@programs.program
def _slopes_in_x(discriminator, alpha, x):
    return jax.vmap(jax.grad(lambda row: discriminator.log_ratio(alpha, row)))(x)


@programs.program
def _weight_derivatives(game, first, u):
    p, size = game.p, game.size

    def equations(u, weights):
        before = weighted(first, weights)
        believed = weights * belief(features(before, first.x) @ u[size + p :])
        share = jnp.sum(believed)
        after = dataclasses.replace(game, discriminator=before.discriminator, x_weights=believed / share)
        late = share * mean_score(after, u[:p], u[p:size])
        return jnp.concatenate([late, mean_score(before, u[size : size + p], u[size + p :])])

    return root_derivatives(equations, jnp.asarray(u), jnp.asarray(game.x_weights))
