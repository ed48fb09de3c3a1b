"""The empirical objective of a parametric GAN.

    V_n(theta, alpha) = sum_i w_i real(v(x_i)) + sum_j u_j fake(v(G(z_j))) - sum_k ridge_k alpha_k^2      (1)

with weights w and u that sum to 1; equation numbers are those of ``docs/theory.md``. Generators and discriminators are
written for one observation; here they are mapped over samples.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hellgan.discriminators.basis import Basis
from hellgan.discriminators.network import Network
from hellgan.generators.family import Generator
from hellgan.losses.catalogue import Loss

if TYPE_CHECKING:
    Array = Any  # the same functions see tracers of JAX and arrays of NumPy
else:
    Array = jax.Array | np.ndarray


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Game:
    """Everything that the objective depends on but theta and alpha.

    A stack of games has a leading axis in all arrays.

    Attributes
    ----------
    loss : Loss
    generator : Generator
    discriminator : Basis or Network
        Placed on data.
    x : (n, d) array
        Real sample.
    x_weights : (n,) array
        Weights of the real rows, with sum 1; 0 for padding.
    z : (m, k) array
        Latent sample; where the generator has covariates, those of its observation come first in each row.
    latent_weights : (m,) array or None
        Weights of the latent draws, with sum 1; None where each observation has draws of its own.
    draws_each : int
        Simulated rows of each observation, on its own covariates: rows ``i * draws_each`` to
        ``(i + 1) * draws_each - 1`` of ``z`` belong to row i of ``x`` and share its weight. 0 where the two samples
        are independent.
    """

    loss: Loss
    generator: Generator
    discriminator: Basis | Network
    x: Array
    x_weights: Array
    z: Array
    latent_weights: Array | None = None
    draws_each: int = dataclasses.field(default=0, metadata={"static": True})

    @property
    def z_weights(self) -> Array:
        """Weights of the simulated rows, (m,)."""
        if self.latent_weights is not None:
            return self.latent_weights
        repeat = jnp.repeat if isinstance(self.x_weights, jax.Array) else np.repeat
        return repeat(self.x_weights, self.draws_each, axis=-1) / self.draws_each

    @property
    def basis(self) -> Basis:
        """The discriminator as a basis, linear in alpha; raises ``TypeError`` where it is a network."""
        if not isinstance(self.discriminator, Basis):
            raise TypeError("the discriminator is a network and has no features.")
        return self.discriminator

    @property
    def p(self) -> int:
        """The length of theta."""
        return self.generator.size

    @property
    def size(self) -> int:
        """The length of (theta, alpha)."""
        return self.generator.size + self.discriminator.size

    @property
    def cells(self) -> int:
        """How many numbers the discriminator's parameters meet, rows times features; of one game, also in a stack."""
        return (self.x.shape[-2] + self.z.shape[-2]) * self.discriminator.size

    @property
    def sizes(self) -> tuple:
        """Effective sample sizes, 1 / sum of squared weights, of the real and of the simulated sample.

        Both are numbers or, of a stack of k games, (k,) arrays.
        """
        return tuple(1 / np.sum(np.square(w), axis=-1) for w in (self.x_weights, self.z_weights))


def simulate(game: Game, theta: Float[Array, " p"], z: Array | None = None) -> Float[Array, "m d"]:
    """Map the generator over latent draws (m, k), the game's own unless given."""
    return jax.vmap(lambda draw: game.generator(theta, draw))(game.z if z is None else z)


def weigh(game: Game, theta: Float[Array, " p"], weights: Array | None = None, z: Array | None = None) -> Array:
    """Weights (m,) of the rows that ``simulate`` gives: those of the latent draws, times what the generator says.

    Weights and latent draws are the game's own unless given. The sum is that of the latent draws' weights, where the
    generator's say no more than ratios, and elsewhere but for the simulation's noise, which the discriminator's
    constant takes up.
    """
    found = game.z_weights if weights is None else weights
    if not game.generator.is_weighted:
        return found
    own = jax.vmap(lambda draw: game.generator.weight_at(theta, draw))(game.z if z is None else z)
    weighted = found * own
    return weighted * (jnp.sum(found) / jnp.sum(weighted)) if game.generator.weighs_ratios else weighted


def log_ratios(game: Game, alpha: Float[Array, " q"], x: Float[Array, "n d"]) -> Float[Array, " n"]:
    """Evaluate the log density ratio v at each of n observations."""
    return jax.vmap(lambda row: game.discriminator.log_ratio(alpha, row))(x)


def features(game: Game, x: Float[Array, "n d"]) -> Float[Array, "n q"]:
    """Evaluate the features of a basis at each of n observations; the first feature is 1."""
    return jax.vmap(game.basis.features)(x)


def by_feature(game: Game, x: Float[Array, "n d"]) -> Float[Array, "q n"]:
    """Evaluate the features of a basis but the constant at n observations, a row a feature."""
    return game.basis.by_feature(jnp.asarray(x))


def ratios(phi: Float[Array, "q n"], alpha: Float[Array, " q1"]) -> Float[Array, " n"]:
    """Log density ratios of observations whose features but the constant are given, a row a feature."""
    return alpha[0] + alpha[1:] @ phi


def objective(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"], penalised: bool = True) -> Array:
    """Evaluate V_n of (1); without the ridge where ``penalised`` is false, as the test (4) takes it."""
    real = game.x_weights @ game.loss.real(log_ratios(game, alpha, game.x))
    fake = weigh(game, theta) @ game.loss.fake(log_ratios(game, alpha, simulate(game, theta)))
    return real + fake - penalised * (game.discriminator.ridge @ alpha**2)


def generator_objective(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Array:
    """Evaluate what the generator minimises, but for terms that do not depend on theta."""
    return weigh(game, theta) @ game.loss.adversary(log_ratios(game, alpha, simulate(game, theta)))
