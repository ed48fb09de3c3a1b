"""What the discriminator of a parametric GAN says at a solution, and what a correct model implies there."""

import abc
import functools
from collections.abc import Sequence

import numpy as np

from hellgan.balance import Background, Balance, Believed
from hellgan.discriminators.basis import Basis
from hellgan.discriminators.network import Network
from hellgan.estimation import Equations, ScoreCovariance, informations
from hellgan.execution import programs
from hellgan.generators.family import Generator
from hellgan.losses.catalogue import Loss
from hellgan.objective import evaluation
from hellgan.objective.background import all_backgrounds
from hellgan.objective.game import Game
from hellgan.samples.sample import Sample
from hellgan.samples.ties import Atom
from hellgan.simulation import Simulation
from hellgan.solver import compiled
from hellgan.solver.certificate import SaddlePoint
from hellgan.solver.smoothing import settled_at


class DiscriminatorEquations(Equations):
    """The part of ``GameEquations`` that asks its discriminator; abstract.

    Attributes
    ----------
    sample, space, discriminator, loss, simulation
        As those of ``GameEquations``.
    """

    sample: Sample  # pyright: ignore[reportIncompatibleVariableOverride]
    space: Generator  # pyright: ignore[reportIncompatibleVariableOverride]
    discriminator: Basis | Network
    loss: Loss
    simulation: Simulation

    @functools.cached_property
    @abc.abstractmethod
    def game(self) -> Game:
        """The objective's ingredients."""

    @functools.cached_property
    @abc.abstractmethod
    def scrambles(self) -> np.ndarray | None:
        """Sobol samples independent of the game's own."""

    @abc.abstractmethod
    def parts(self, u) -> evaluation.Parts:
        """Covariances of means and slopes at any u, for a basis."""

    def _split(self, u):
        return u[: self.p], u[self.p :]

    # At solutions of a stack of games.

    @abc.abstractmethod
    def judged_at(
        self, games: Game, saddles: Sequence, believes: bool
    ) -> tuple[list[ScoreCovariance], list[Believed] | None]:
        """Judge solutions of a stack of games: covariances of the mean scores and, where asked, what is believed."""

    @abc.abstractmethod
    def believed(self, saddle: SaddlePoint) -> Believed:
        """Compare the parts of both samples that the discriminator believes, at a solution of these equations."""

    @property
    def has_background(self) -> bool:
        """Whether it can be asked what lies beside the bulk: on the line, of a discriminator linear in alpha."""
        return self.sample.d == 1 and self.discriminator.is_linear

    def backgrounds_at(self, games: Game, saddles: Sequence) -> list[Background]:
        """Look beside the bulk at solutions of a stack of games on the line."""
        return all_backgrounds(
            settled_at(games, saddles), np.stack([s.theta for s in saddles]), np.stack([s.alpha for s in saddles])
        )

    def atom(self, x: np.ndarray, game: Game, theta: np.ndarray) -> Atom | None:
        """The value that more of a sample (n, 1) shares than its law explains, simulated at theta by its ``game``."""
        return compiled.atom(x, self.sample.weights, game, theta)

    def atoms(self, x: np.ndarray, games: Game, saddles: Sequence) -> list[Atom | None]:
        """Look for an atom in each of several samples (R, n, d), at solutions of a stack of their games."""
        return compiled.atoms(x, self.sample.weights, games, [saddle.theta for saddle in saddles])

    # What the discriminator says.

    def features(self, points: np.ndarray) -> np.ndarray:
        """The discriminator's features at points (r, d), without the constant: (r, q)."""
        return programs.in_blocks(lambda rows: compiled.features(self.game, rows), points)[:, 1:]

    def log_ratios(self, u, points: np.ndarray) -> np.ndarray:
        """The log density ratio, real over fitted, at points (r, d): (r,)."""
        return programs.in_blocks(lambda rows: compiled.log_ratios(self.discriminator, self._split(u)[1], rows), points)

    def counts(self, log_ratios: np.ndarray) -> np.ndarray:
        """What observations of given log ratios v count in the discriminator's score: real'(v) over real'(0)."""
        return compiled.slopes(self.loss, log_ratios) / self.loss.c

    # Under the model.

    def balance(self, u, under: str) -> Balance:
        """The quadratic game at the truth; ``under`` as `evaluation.balance` takes it."""
        return evaluation.balance(self.game, self.parts(u), under)

    def mean_features(self, u) -> tuple[np.ndarray, np.ndarray]:
        """Mean features (q,), without the constant, of the real and of the simulated sample."""
        return evaluation.mean_features(self.game, u[: self.p])

    def model_covariance(self, u):
        if not self.loss.is_calibrated:
            raise ValueError(f"model: the optimum of the loss {self.loss.name} is not the log density ratio.")
        return self.balance(u, "simulated").joint_covariance(self.loss.c, self.mean_features(u)[1])

    def model_influence(self, u, points):
        if self.simulation.draws_each:
            raise ValueError("under: a regression has no closed form at the model; give 'fit'.")
        of, mean = self.balance(u, "simulated"), self.mean_features(u)[1]
        phi = self.features(points) - mean
        of_theta, of_alpha = of.solution(self.loss.c)
        slopes = phi @ of_alpha.T
        return np.concatenate([phi @ of_theta.T, -(slopes @ mean)[:, None], slopes], axis=1)

    def model_information(self, jacobian):
        information = informations(jacobian[None], self.p)[0]
        return (information + information.T) / (2 * self.loss.c)
