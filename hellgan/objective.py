"""The empirical objective, its scores and its Jacobian.

    V_n(theta, alpha) = sum_i w_i real(v(x_i)) + sum_j u_j fake(v(G(z_j))) - sum_k ridge_k alpha_k^2      (1)

with weights w and u that sum to 1. The estimating function stacks the generator's score on the discriminator's,
u = (theta, alpha): both vanish at the estimate. Models are written for one observation; here they are mapped.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from hellgan import losses
from hellgan.discriminators import Basis, Network
from hellgan.generators import Generator
from hellgan.losses import Loss, derivatives

if TYPE_CHECKING:
    from jax import Array
else:
    Array = jax.Array | np.ndarray  # the host's arrays come as NumPy

# A sample of at most STORED rows keeps its features in memory; a larger one is gone through in blocks of BLOCK rows
# and evaluates them anew at each step, so that memory does not grow with rows times features.
STORED, BLOCK = 32_768, 4_096


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Game:
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
    tied : int
        Simulated rows of each observation, on its own covariates: rows ``i * tied`` to ``(i + 1) * tied - 1`` of
        ``z`` belong to row i of ``x``. 0 where the two samples are independent.
    """

    loss: Loss
    generator: Generator
    discriminator: Basis | Network
    x: Array
    x_weights: Array
    z: Array
    z_weights: Array
    tied: int = dataclasses.field(default=0, metadata={"static": True})

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


def observation_scores(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, "n pq"]:
    """Evaluate what each observation contributes to the mean score, simulated responses tied to it included."""
    found = scores(game, theta, alpha)
    if not game.tied:
        return found.real
    shares = game.z_weights.reshape(-1, game.tied) / jnp.where(game.x_weights > 0, game.x_weights, 1.0)[:, None]
    return found.real + jnp.einsum("ns,nsk->nk", shares, found.simulated.reshape(*shares.shape, -1))


def mean_score(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, " pq"]:
    """The stacked estimating function whose root the estimate is, ridge included; by automatic differentiation."""
    d_theta = jax.grad(generator_objective, argnums=1)(game, theta, alpha)
    return jnp.concatenate([d_theta, jax.grad(objective, argnums=2)(game, theta, alpha)])


def jacobian(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, "pq pq"]:
    """Derivative of ``mean_score``: H of (2), ridge included; symmetric for a zero-sum loss."""
    u = jnp.concatenate([theta, alpha])
    if not game.discriminator.is_linear:
        return jax.jacfwd(lambda u: mean_score(game, u[: game.p], u[game.p :]))(u)
    local = expand(game, theta, alpha)
    _, _, h_aa = discriminator_problem(game, discriminator_rows(game, theta), alpha)
    h_at = local.d_alpha_theta
    h_ta = h_at.T if game.loss.is_zero_sum else local.d_theta_alpha
    return jnp.block([[local.d_theta_theta, h_ta], [h_at, h_aa]])


# The path for a basis linear in alpha: matrix products with analytic weights, summed over blocks of rows.


def row_sums(function, *rows):
    """Sum ``function(*rows)`` over blocks of rows; it must return sums over the rows that it is given."""
    n = rows[0].shape[0]
    if n <= STORED:
        return function(*rows)
    count = n // BLOCK
    blocks = tuple(r[: count * BLOCK].reshape(count, BLOCK, *r.shape[1:]) for r in rows)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(function, *(b[0] for b in blocks)))

    def add(total, block):
        return jax.tree.map(jnp.add, total, function(*block)), None

    total, _ = lax.scan(add, zeros, blocks)
    if n % BLOCK:
        total = jax.tree.map(jnp.add, total, function(*(r[count * BLOCK :] for r in rows)))
    return total


class Rows(NamedTuple):
    """A sample as the discriminator meets it: features, stored or evaluated when asked for."""

    weights: Array
    signs: Array | None  # 1 for real and -1 for simulated rows, of a loss with fake(v) = real(-v)
    rows: Array
    features: Callable[[Array], Array]
    part: str  # real or fake


def discriminator_rows(game: Game, theta) -> list[Rows]:
    """Give the samples' features at theta: in one piece where they are small and the loss is symmetric."""

    def of_real(x):
        return features(game, x)

    def of_simulated(z):
        return features(game, simulate(game, theta, z))

    def stored(phi):
        return phi

    sides = [
        Rows(game.x_weights, None, game.x, of_real, "real"),
        Rows(game.z_weights, None, game.z, of_simulated, "fake"),
    ]
    if max(game.x.shape[0], game.z.shape[0]) > STORED:
        return sides
    sides = [side._replace(rows=side.features(side.rows), features=stored) for side in sides]
    if not game.loss.is_symmetric:
        return sides
    real, simulated = sides
    return [
        Rows(
            jnp.concatenate([real.weights, simulated.weights]),
            jnp.asarray(np.repeat([1.0, -1.0], [real.rows.shape[0], simulated.rows.shape[0]])),
            jnp.concatenate([real.rows, simulated.rows]),
            stored,
            "real",
        )
    ]


def discriminator_problem(game: Game, samples: list[Rows], alpha, on_log=None):
    """Value, gradient and Hessian in alpha of V_n; those of the log loss while ``on_log``."""
    ridge = jnp.asarray(game.discriminator.ridge)
    value, gradient, hessian = -ridge @ alpha**2, -2 * ridge * alpha, -jnp.diag(2 * ridge)
    for sample in samples:

        def block(weights, signs, rows, sample=sample):
            phi = sample.features(rows)
            value, slope, curvature = _earnings(game.loss, sample.part, (phi @ alpha) * signs, on_log)
            return weights @ value, (weights * signs * slope) @ phi, (phi * (weights * curvature)[:, None]).T @ phi

        signs = np.ones(sample.weights.shape) if sample.signs is None else sample.signs
        sums = row_sums(block, sample.weights, signs, sample.rows)
        value, gradient, hessian = jax.tree.map(jnp.add, (value, gradient, hessian), sums)
    return value, gradient, hessian


def _earnings(loss: Loss, part: str, v, on_log=None):
    """Value, slope and curvature of one part of the loss, or of the log loss while ``on_log``."""
    if on_log is None:
        return derivatives(getattr(loss, part), v)
    # The branch is taken outside of the derivatives: a branch inside them is compiled three times over.
    own, log = (functools.partial(derivatives, getattr(of, part)) for of in (loss, losses.log))
    return lax.cond(on_log, log, own, v)


class Expansion(NamedTuple):
    """The generator's side of the objective at (theta, alpha), to second order."""

    d_theta: Float[Array, " p"]
    d_theta_theta: Float[Array, "p p"]
    d_alpha_theta: Float[Array, "q p"]  # derivative in theta of the discriminator's score
    d_theta_alpha: Float[Array, "p q"]  # derivative in alpha of the generator's score


def expand(game: Game, theta, alpha, on_generator=None) -> Expansion:
    """Differentiate through the chain theta -> x = G_theta(z) -> features(x) -> v = alpha . features.

    The generator and the basis are each differentiated in their own few arguments (forward mode, so that a
    generator may contain loops); the p second derivatives never pass through the q features. The generator's
    objective is its own; but ``fake`` where ``on_generator`` is given and false.
    """
    loss = game.loss

    def adversary(v):
        if loss.generator is None or on_generator is None:
            return derivatives(loss.adversary, v)
        own, fake = (functools.partial(derivatives, f) for f in (loss.generator, loss.fake))
        return lax.cond(on_generator, own, fake, v)

    def block(weights, z):
        x, x_theta = jax.vmap(lambda draw: _value_and_tangents(game.generator, theta, draw))(z)
        phi, phi_x, v_xx = jax.vmap(lambda row: _along(game.basis, alpha, row))(x)
        v, v_x = phi @ alpha, phi_x @ alpha
        v_theta = jnp.einsum("md,mdp->mp", v_x, x_theta)
        _, slope, curvature = adversary(v)
        pull = (weights * slope)[:, None] * v_x

        def curved(theta):
            """sum_j u_j slope_j v_x(x_j) . G(theta, z_j), whose Hessian holds the generator's own curvature."""
            return jnp.sum(pull * jax.vmap(lambda draw: jnp.ravel(game.generator(theta, draw)))(z))

        d_theta_theta = (
            (v_theta * (weights * curvature)[:, None]).T @ v_theta
            + jnp.einsum("mdp,mde,mer->pr", x_theta, (weights * slope)[:, None, None] * v_xx, x_theta)
            + jax.jacfwd(jax.jacfwd(curved))(theta)
        )

        def cross(slope, curvature):
            """Derivative in theta of sum_j u_j slope(v_j) features(x_j): (q, p)."""
            return phi.T @ ((weights * curvature)[:, None] * v_theta) + _moved(weights * slope, phi_x, x_theta)

        d_alpha_theta = cross(*derivatives(loss.fake, v)[1:])
        d_theta_alpha = d_alpha_theta.T if loss.is_zero_sum else cross(slope, curvature).T
        return Expansion(jnp.einsum("md,mdp->p", pull, x_theta), d_theta_theta, d_alpha_theta, d_theta_alpha)

    return row_sums(block, game.z_weights, game.z)


def _moved(weights, phi_x, x_theta):
    """Sum weights_j phi_x_j' x_theta_j over the rows j of (m, d, q) and (m, d, p): (q, p), as one matrix product."""
    weighted = weights[:, None, None] * x_theta
    return phi_x.reshape(-1, phi_x.shape[-1]).T @ weighted.reshape(-1, weighted.shape[-1])


def _features_and_slopes(basis: Basis, row):
    """Features (q + 1,) of one observation and their slopes in x (d, q + 1)."""

    def twice(point):
        phi = basis.features(point.reshape(row.shape))
        return phi, phi

    phi_x, phi = jax.jacfwd(twice, has_aux=True)(jnp.ravel(row))
    return phi, phi_x.T


def _along(basis: Basis, alpha, row):
    """Features, their slopes and the Hessian in x (d, d) of v = alpha . features, for one observation."""

    def slope(point):
        phi, phi_x = _features_and_slopes(basis, point.reshape(row.shape))
        return phi_x @ alpha, (phi, phi_x)

    v_xx, (phi, phi_x) = jax.jacfwd(slope, has_aux=True)(jnp.ravel(row))
    return phi, phi_x, v_xx


def _value_and_tangents(generator: Generator, theta, draw):
    """G(theta, z), () or (d,), and its derivative in theta, (d, p)."""

    def twice(theta):
        x = generator(theta, draw)
        return jnp.ravel(x), x

    x_theta, x = jax.jacfwd(twice, has_aux=True)(theta)
    return x, x_theta


class Simulated(NamedTuple):
    """One latent sample as both players meet it, one row a draw."""

    features: Float[Array, "m q"]
    features_slopes: Float[Array, "m d q"]  # in x
    tangents: Float[Array, "m d p"]  # of x in theta
    d_theta: Float[Array, "m p"]  # the generator's scores
    slopes: Float[Array, " m"]  # fake'(v); times the features, the discriminator's scores

    @property
    def scores(self) -> Float[Array, "m pq"]:
        return jnp.concatenate([self.d_theta, self.slopes[:, None] * self.features], axis=1)


def simulated_rows(game: Game, theta, alpha, z) -> Simulated:
    """Evaluate what each latent draw contributes, for a basis; the analytic form of ``scores``."""
    x, x_theta = jax.vmap(lambda draw: _value_and_tangents(game.generator, theta, draw))(z)
    phi, phi_x = jax.vmap(lambda row: _features_and_slopes(game.basis, row))(x)
    v = phi @ alpha
    slope = derivatives(game.loss.fake, v)[1]
    push = slope if game.loss.is_zero_sum else derivatives(game.loss.adversary, v)[1]
    d_theta = jnp.einsum("md,mdp->mp", push[:, None] * (phi_x @ alpha), x_theta)
    return Simulated(phi, phi_x, x_theta, d_theta, slope)


class SimulatedMeans(NamedTuple):
    """What one latent sample contributes to the mean score, and to the mean of the features."""

    score: Float[Array, " pq"]
    features: Float[Array, " q"]


def simulated_means(game: Game, theta, alpha, z) -> SimulatedMeans:
    """Average the simulated scores and the features over other latent draws, for a basis."""

    def block(weights, z):
        rows = simulated_rows(game, theta, alpha, z)
        d_alpha, features = jnp.stack([weights * rows.slopes, weights]) @ rows.features
        return SimulatedMeans(jnp.concatenate([weights @ rows.d_theta, d_alpha]), features)

    return row_sums(block, game.z_weights, z)


def features_slope(game: Game, theta, alpha) -> Float[Array, "q p"]:
    """Differentiate the mean of the simulated features in theta, for a basis."""

    def block(weights, z):
        rows = simulated_rows(game, theta, alpha, z)
        return _moved(weights, rows.features_slopes, rows.tangents)

    return row_sums(block, game.z_weights, game.z)
