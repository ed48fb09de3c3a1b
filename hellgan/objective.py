"""The empirical objective, its scores and its Jacobian.

    V_n(theta, alpha) = sum_i w_i real(v(x_i)) + sum_j u_j fake(v(G(z_j))) - sum_k ridge_k alpha_k^2      (1)

with weights w and u that sum to 1. The estimating function stacks the generator's score on the discriminator's,
u = (theta, alpha): both vanish at the estimate. Models are written for one observation; here they are mapped.
"""

from typing import TYPE_CHECKING, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from hellgan.discriminators import Basis, Network
from hellgan.generators import Generator
from hellgan.losses import Loss, derivatives

if TYPE_CHECKING:
    from jax import Array
else:
    Array = jax.Array | np.ndarray  # the host's arrays come as NumPy


class Game(eqx.Module):
    """Everything that the objective depends on but theta and alpha.

    Attributes
    ----------
    loss : Loss
    generator : Generator
    discriminator : Basis or Network
        Placed on data.
    x : (n,) or (n, d) array
        Real sample.
    x_weights : (n,) array
        Sum to 1; 0 for padding.
    z : (m,) or (m, k) array
        Latent sample.
    z_weights : (m,) array
        Sum to 1.
    """

    loss: Loss
    generator: Generator
    discriminator: Basis | Network
    x: Array
    x_weights: Array
    z: Array
    z_weights: Array

    @property
    def basis(self) -> Basis:
        """The discriminator where it is linear in alpha."""
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


def simulate(game: Game, theta: Float[Array, " p"], z: Array | None = None) -> Array:
    """Map the generator over latent draws, the game's own unless given: (m,) or (m, d)."""
    return jax.vmap(lambda draw: game.generator(theta, draw))(game.z if z is None else z)


def log_ratios(game: Game, alpha: Float[Array, " q"], x: Array) -> Float[Array, " n"]:
    """Map the discriminator over observations."""
    return jax.vmap(lambda row: game.discriminator.log_ratio(alpha, row))(x)


def features(game: Game, x: Array) -> Float[Array, "n q"]:
    """Map a basis over observations."""
    return jax.vmap(game.basis.features)(x)


def objective(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"], penalised: bool = True) -> Array:
    """V_n of (1); without the ridge where ``penalised`` is false, as the tests of (4) want it."""
    real = game.x_weights @ game.loss.real(log_ratios(game, alpha, game.x))
    fake = game.z_weights @ game.loss.fake(log_ratios(game, alpha, simulate(game, theta)))
    return real + fake - penalised * (game.discriminator.ridge @ alpha**2)


def generator_objective(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Array:
    """What the generator minimises, as far as it depends on theta."""
    return game.z_weights @ game.loss.adversary(log_ratios(game, alpha, simulate(game, theta)))


class Scores(NamedTuple):
    """Estimating functions of (theta, alpha), one row an observation; unweighted and without the ridge."""

    real: Float[Array, "n pq"]
    simulated: Float[Array, "m pq"]


def scores(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"], z: Array | None = None) -> Scores:
    """Evaluate psi for each real and each simulated observation.

    psi_real(x) = (0, real'(v) dv/dalpha) and psi_simulated(z) = (d/dtheta generator(v), fake'(v) dv/dalpha), where
    generator is fake for a zero-sum loss. Their weighted means sum to ``mean_score`` plus (0, 2 ridge alpha).
    """
    d_alpha = jax.grad(game.discriminator.log_ratio)

    def of_real(x):
        slope = jax.grad(game.loss.real)(game.discriminator.log_ratio(alpha, x))
        return jnp.concatenate([jnp.zeros_like(theta), slope * d_alpha(alpha, x)])

    def of_simulated(draw):
        x, x_theta = _value_and_tangents(game.generator, theta, draw)
        v, v_x = jax.value_and_grad(game.discriminator.log_ratio, argnums=1)(alpha, x)
        d_theta = jax.grad(game.loss.adversary)(v) * (jnp.ravel(v_x) @ x_theta)
        return jnp.concatenate([d_theta, jax.grad(game.loss.fake)(v) * d_alpha(alpha, x)])

    return Scores(jax.vmap(of_real)(game.x), jax.vmap(of_simulated)(game.z if z is None else z))


class SimulatedMeans(NamedTuple):
    """What one latent sample contributes to the mean score, and to the mean of the features."""

    score: Float[Array, " pq"]
    features: Float[Array, " q"]


def simulated_means(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"], z: Array) -> SimulatedMeans:
    """Average the simulated scores and the features over other latent draws, for a basis."""
    x, x_theta = jax.vmap(lambda draw: _value_and_tangents(game.generator, theta, draw))(z)
    phi = features(game, x)
    v_x = jax.vmap(jax.grad(game.discriminator.log_ratio, argnums=1), (None, 0))(alpha, x).reshape(x_theta.shape[:2])
    slope = game.z_weights * derivatives(game.loss.adversary, phi @ alpha)[1]
    slope_d = game.z_weights * derivatives(game.loss.fake, phi @ alpha)[1]
    d_theta = jnp.einsum("md,mdp->p", slope[:, None] * v_x, x_theta)
    return SimulatedMeans(jnp.concatenate([d_theta, slope_d @ phi]), game.z_weights @ phi)


def mean_score(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, " pq"]:
    """The stacked estimating function whose root the estimate is, ridge included; by automatic differentiation."""
    d_theta = jax.grad(generator_objective, argnums=1)(game, theta, alpha)
    return jnp.concatenate([d_theta, jax.grad(objective, argnums=2)(game, theta, alpha)])


def jacobian(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, "pq pq"]:
    """Derivative of ``mean_score``: H of (2), ridge included; symmetric for a zero-sum loss."""
    u = jnp.concatenate([theta, alpha])
    if not game.discriminator.is_linear:
        return jax.jacfwd(lambda u: mean_score(game, u[: game.p], u[game.p :]))(u)
    real = features(game, game.x)
    local = expand(game, theta, alpha)
    _, _, h_aa = discriminator_problem(game.loss, game, real, local.features, alpha)
    h_at = local.d_alpha_theta
    h_ta = h_at.T if game.loss.is_zero_sum else local.d_theta_alpha
    return jnp.block([[local.d_theta_theta, h_ta], [h_at, h_aa]])


# The path for a basis linear in alpha: matrix products with analytic weights.


def discriminator_problem(loss, game: Game, real, simulated, alpha):
    """Value, gradient and Hessian in alpha of V_n, given the (n, q+1) and (m, q+1) feature matrices."""
    value_x, slope_x, curvature_x = derivatives(loss.real, real @ alpha)
    value_z, slope_z, curvature_z = derivatives(loss.fake, simulated @ alpha)
    ridge = jnp.asarray(game.discriminator.ridge)
    wx, wz = game.x_weights, game.z_weights
    value = wx @ value_x + wz @ value_z - ridge @ alpha**2
    gradient = (wx * slope_x) @ real + (wz * slope_z) @ simulated - 2 * ridge * alpha
    hessian = (
        (real * (wx * curvature_x)[:, None]).T @ real
        + (simulated * (wz * curvature_z)[:, None]).T @ simulated
        - jnp.diag(2 * ridge)
    )
    return value, gradient, hessian


class Expansion(NamedTuple):
    """The generator's side of the objective at (theta, alpha), to second order."""

    features: Float[Array, "m q"]
    d_theta: Float[Array, " p"]
    d_theta_theta: Float[Array, "p p"]
    d_alpha_theta: Float[Array, "q p"]  # derivative in theta of the discriminator's score
    d_theta_alpha: Float[Array, "p q"]  # derivative in alpha of the generator's score


def expand(game: Game, theta, alpha, adversary=None) -> Expansion:
    """Differentiate through the chain theta -> x = G_theta(z) -> features(x) -> v = alpha . features.

    The generator and the basis are each differentiated in their own few arguments (forward mode, so that a
    generator may contain loops); the p second derivatives never pass through the q features.
    """
    loss, wz = game.loss, game.z_weights
    adversary = loss.adversary if adversary is None else adversary
    x, x_theta = jax.vmap(lambda draw: _value_and_tangents(game.generator, theta, draw))(game.z)

    def along(row):
        """Features, their slopes in x (q+1, d) and the Hessian of v in x (d, d)."""
        basis = game.basis.features

        def slopes(point):
            return jax.jacfwd(basis)(point).reshape(game.discriminator.size, -1)

        return basis(row), slopes(row), jax.jacfwd(lambda r: alpha @ slopes(r))(row).reshape(-1, max(row.size, 1))

    phi, phi_x, v_xx = jax.vmap(along)(x)
    v, v_x = phi @ alpha, jnp.einsum("mqd,q->md", phi_x, alpha)
    v_theta = jnp.einsum("md,mdp->mp", v_x, x_theta)
    _, slope, curvature = derivatives(adversary, v)
    d_theta = (wz * slope) @ v_theta

    def curved(theta):
        """sum_j u_j slope_j v_x(x_j) . G(theta, z_j), whose Hessian holds the generator's own curvature."""
        points = jax.vmap(lambda draw: jnp.ravel(game.generator(theta, draw)))(game.z)
        return jnp.sum((wz * slope)[:, None] * v_x * points)

    d_theta_theta = (
        jnp.einsum("m,mp,mr->pr", wz * curvature, v_theta, v_theta)
        + jnp.einsum("m,mdp,mde,mer->pr", wz * slope, x_theta, v_xx, x_theta)
        + jax.jacfwd(jax.jacfwd(curved))(theta)
    )
    _, slope_d, curvature_d = derivatives(loss.fake, v)
    d_alpha_theta = jnp.einsum("m,mq,mp->qp", wz * curvature_d, phi, v_theta) + jnp.einsum(
        "m,mqd,mdp->qp", wz * slope_d, phi_x, x_theta
    )
    d_theta_alpha = jnp.einsum("m,mp,mq->pq", wz * curvature, v_theta, phi) + jnp.einsum(
        "m,mdp,mqd->pq", wz * slope, x_theta, phi_x
    )
    return Expansion(phi, d_theta, d_theta_theta, d_alpha_theta, d_theta_alpha)


def _value_and_tangents(generator: Generator, theta, draw):
    """G(theta, z), () or (d,), and its derivative in theta, (d, p)."""
    x = generator(theta, draw)
    return x, jax.jacfwd(generator)(theta, draw).reshape(-1, theta.shape[0])
