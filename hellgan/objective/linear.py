"""The objective of a discriminator linear in alpha: value and derivatives as matrix products, over blocks of rows.

The derivatives of the loss in v stand in these products as analytic weights of the rows.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from hellgan.discriminators.basis import Basis
from hellgan.generators.family import Generator
from hellgan.losses import catalogue as losses
from hellgan.losses.catalogue import Loss
from hellgan.losses.derivatives import derivatives
from hellgan.objective.belief import belief
from hellgan.objective.game import Array, Game, features, simulate, weigh

# The features of a sample of at most STORED rows stay in memory; those of a larger one are evaluated anew at each
# step, in blocks of BLOCK rows, so that memory does not grow with rows times features.
STORED, BLOCK = 32_768, 4_096
_MANY = 8  # arguments from which on derivatives in each of them cost more than going back from the result


def row_sums(function, *rows):
    """Sum ``function(*rows)`` over blocks of rows; the function must return sums over the rows that it is given."""
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


def row_map(function, *rows):
    """Evaluate ``function(*rows)``, which gives a number for each row, over blocks of rows."""
    if rows[0].shape[0] <= STORED:
        return function(*rows)
    return lax.map(lambda row: function(*(r[None] for r in row))[0], rows, batch_size=BLOCK)


class Rows(NamedTuple):
    """A sample, or both in one, as the discriminator meets them: features, stored or evaluated when asked for."""

    weights: Array
    signs: Array | None  # 1 for real and -1 for simulated rows of both samples in one, where fake(v) = real(-v)
    rows: Array
    features: Callable[[Array], Array]
    part: str  # of the loss: real or fake


def discriminator_rows(game: Game, theta) -> list[Rows]:
    """Give the two samples at theta with their features; as one where both are small and the loss is symmetric."""

    def of_real(x):
        return features(game, x)

    def of_simulated(z):
        return features(game, simulate(game, theta, z))

    def stored(phi):
        return phi

    sides = [
        Rows(game.x_weights, None, game.x, of_real, "real"),
        Rows(weigh(game, theta), None, game.z, of_simulated, "fake"),
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


def real_rows(game: Game) -> Rows:
    """Give the real sample alone, whose features do not change with theta."""

    def of_real(x):
        return features(game, x)

    if game.x.shape[0] > STORED:
        return Rows(game.x_weights, None, game.x, of_real, "real")
    return Rows(game.x_weights, None, of_real(game.x), lambda phi: phi, "real")


def discriminator_problem(game: Game, samples: list[Rows], alpha, on_log=None):
    """Evaluate V_n, ridge included, with its gradient (q + 1,) and Hessian (q + 1, q + 1) in alpha.

    Where ``on_log`` is true the log loss stands in place of the game's own, as the solver begins with it.
    """
    ridge = jnp.asarray(game.discriminator.ridge)
    sums = -ridge @ alpha**2, -2 * ridge * alpha, -jnp.diag(2 * ridge)
    for sample in samples:
        sums = jax.tree.map(jnp.add, sums, earned(game, sample, alpha, on_log))
    return sums


def earned(game: Game, sample: Rows, alpha, on_log=None) -> tuple[Array, Array, Array]:
    """Evaluate what the discriminator earns from a sample, with gradient and Hessian in alpha; without the ridge."""

    def block(weights, signs, rows):
        phi = sample.features(rows)
        value, slope, curvature = _earnings(game.loss, sample.part, (phi @ alpha) * signs, on_log)
        return _sums(weights, phi, (value, signs * slope, curvature))

    signs = np.ones(sample.weights.shape) if sample.signs is None else sample.signs
    return row_sums(block, sample.weights, signs, sample.rows)


def _earnings(loss: Loss, part: str, v, on_log=None):
    """Value, slope and curvature in v of one part of the loss, or of the log loss where ``on_log``."""
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


def expand(game: Game, theta, alpha) -> Expansion:
    """Expand the generator's side through the chain theta -> x = G_theta(z) -> features(x) -> v = alpha . features.

    The generator and the basis are each differentiated in their own few arguments (forward mode, so that a
    generator may contain loops); the p second derivatives never pass through the q features.
    """
    return expand_both(game, theta, alpha)[0]


def expand_both(game: Game, theta, alpha, on_log=None) -> tuple[Expansion, tuple[Array, Array, Array]]:
    """Expand the generator's side, and what the discriminator earns from the simulated sample.

    The latter is its value with gradient (q + 1,) and Hessian (q + 1, q + 1) in alpha, without the ridge; that of the
    log loss where ``on_log`` is true.
    """

    def block(latent_weights, z):
        x, x_theta, bent = _draws(game.generator, theta, z)
        phi, phi_x, v_xx = jax.vmap(lambda row: _along(game.basis, alpha, row))(x)
        v, v_x = phi @ alpha, phi_x @ alpha
        v_theta = jnp.einsum("md,mdp->mp", v_x, x_theta)
        earned, slope, curvature = derivatives(game.loss.adversary, v)
        weights = weigh(game, theta, latent_weights, z)
        pull = (weights * slope)[:, None] * v_x
        d_theta_theta = (
            (v_theta * (weights * curvature)[:, None]).T @ v_theta
            + jnp.einsum("mdp,mde,mer->pr", x_theta, (weights * slope)[:, None, None] * v_xx, x_theta)
            + bent(pull)
        )
        d_theta, moved = jnp.einsum("md,mdp->p", pull, x_theta), None
        if game.generator.is_weighted:
            # d u_j/d theta, (m, p); u_j itself stands for the products with slopes of v above.
            moved = weight_tangents(game, theta, latent_weights, z)
            mixed = (slope[:, None] * moved).T @ v_theta

            def earnings(theta):
                return earned @ weigh(game, theta, latent_weights, z)

            d_theta, d_theta_theta = (
                d_theta + earned @ moved,
                d_theta_theta + mixed + mixed.T + _hessian(earnings, theta),
            )

        def cross(slope, curvature):
            """Derivative in theta of sum_j u_j slope(v_j) features(x_j): (q, p)."""
            of_rows = phi.T @ ((weights * curvature)[:, None] * v_theta) + _moved(weights * slope, phi_x, x_theta)
            return of_rows if moved is None else of_rows + phi.T @ (slope[:, None] * moved)

        fake = derivatives(game.loss.fake, v)
        d_alpha_theta = cross(*fake[1:])
        d_theta_alpha = d_alpha_theta.T if game.loss.is_zero_sum else cross(slope, curvature).T
        own = fake if on_log is None else _earnings(game.loss, "fake", v, on_log)
        return Expansion(d_theta, d_theta_theta, d_alpha_theta, d_theta_alpha), _sums(weights, phi, own)

    return row_sums(block, game.z_weights, game.z)


def _sums(weights, phi, earned) -> tuple[Array, Array, Array]:
    """Sums over rows of what is earned there: value, and gradient and Hessian in alpha by the features."""
    value, slope, curvature = earned
    return weights @ value, (weights * slope) @ phi, (phi * (weights * curvature)[:, None]).T @ phi


def _draws(generator: Generator, theta, z):
    """Draws x_j = G(theta, z_j), (m, d), and derivatives in theta, (m, d, p), for latent draws (m, k).

    With them comes the function of pulls (m, d) that sums pull_j . d^2 x_j over the draws, (p, p). Where theta is short
    all is one pass: a quantile function that is solved for is so solved once.
    """
    if theta.shape[0] > _MANY:
        x, x_theta = jax.vmap(lambda draw: value_and_tangents(generator, theta, draw))(z)

        def bent(pull):
            return _hessian(lambda theta: jnp.sum(pull * jax.vmap(lambda draw: generator(theta, draw))(z)), theta)

        return x, x_theta, bent

    def twice(draw):
        def slopes(theta):
            x, x_theta = value_and_tangents(generator, theta, draw)
            return x_theta, (x, x_theta)

        x_theta_theta, (x, x_theta) = jax.jacfwd(slopes, has_aux=True)(theta)
        return x, x_theta, x_theta_theta

    x, x_theta, x_theta_theta = jax.vmap(twice)(z)
    return x, x_theta, lambda pull: jnp.einsum("md,mdpr->pr", pull, x_theta_theta)


def _hessian(function, theta):
    """Hessian (p, p) of a number: forward through the gradient where p is large and the function allows it."""
    gradient = _backward(function, theta)
    return jax.jacfwd(jax.jacfwd(function) if gradient is None else gradient)(theta)


def _backward(function, argument):
    """The gradient of a number by reverse mode; None where its argument is short, or the function has no reverse."""
    if argument.shape[0] <= _MANY:
        return None
    gradient = jax.grad(function)
    try:
        jax.eval_shape(gradient, argument)
    except ValueError:  # a loop of which only running tells how often it runs
        return None
    return gradient


def _moved(weights, phi_x, x_theta):
    """Sum weights_j phi_x_j' x_theta_j over the rows j of (m, d, q) and (m, d, p): (q, p), as one matrix product."""
    weighted = weights[:, None, None] * x_theta
    return phi_x.reshape(-1, phi_x.shape[-1]).T @ weighted.reshape(-1, weighted.shape[-1])


def _features_and_slopes(basis: Basis, row):
    """Features (q + 1,) of one observation and their slopes in x (d, q + 1)."""

    def twice(point):
        phi = basis.features(point)
        return phi, phi

    phi_x, phi = jax.jacfwd(twice, has_aux=True)(row)
    return phi, phi_x.T


def _along(basis: Basis, alpha, row):
    """Features, their slopes and the Hessian in x (d, d) of v = alpha . features, for one observation."""
    gradient = _backward(lambda point: basis.features(point) @ alpha, row)
    if gradient is not None:
        return *_features_and_slopes(basis, row), jax.jacfwd(gradient)(row)

    def slope(point):
        phi, phi_x = _features_and_slopes(basis, point)
        return phi_x @ alpha, (phi, phi_x)

    v_xx, (phi, phi_x) = jax.jacfwd(slope, has_aux=True)(row)
    return phi, phi_x, v_xx


def value_and_tangents(generator: Generator, theta, draw):
    """G(theta, z), (d,), and its derivative in theta, (d, p), for one latent draw."""

    def twice(theta):
        x = generator(theta, draw)
        return x, x

    x_theta, x = jax.jacfwd(twice, has_aux=True)(theta)
    return x, x_theta


class Simulated(NamedTuple):
    """One latent sample as both players meet it, one row a draw."""

    features: Float[Array, "m q"]
    features_slopes: Float[Array, "m d q"]  # in x
    tangents: Float[Array, "m d p"]  # of x in theta
    d_theta: Float[Array, "m p"]  # the generator's scores
    slopes: Float[Array, " m"]  # fake'(v), by the draw's weight; times the features, the discriminator's scores
    weights: Float[Array, " m"] | None  # that the generator gives the draws; None where they have none
    weight_tangents: Float[Array, "m p"] | None  # in theta

    @property
    def scores(self) -> Float[Array, "m pq"]:
        return jnp.concatenate([self.d_theta, self.slopes[:, None] * self.features], axis=1)

    @property
    def weighted_features(self) -> Float[Array, "m q"]:
        return self.features if self.weights is None else self.weights[:, None] * self.features

    def moved_features(self, tangent: Array, of_weights: Array | None) -> Float[Array, "m q"]:
        """Derivative of ``weighted_features`` along tangents of x (m, d) and of the weights (m,)."""
        moved = jnp.einsum("mdq,md->mq", self.features_slopes, tangent)
        if self.weights is None or of_weights is None:
            return moved
        return self.weights[:, None] * moved + of_weights[:, None] * self.features


def simulated_rows(game: Game, theta, alpha, z) -> Simulated:
    """Evaluate features, slopes and scores at latent draws z (m, k), for a basis; the analytic form of ``scores``."""
    x, x_theta = jax.vmap(lambda draw: value_and_tangents(game.generator, theta, draw))(z)
    phi, phi_x = jax.vmap(lambda row: _features_and_slopes(game.basis, row))(x)
    v = phi @ alpha
    slope = derivatives(game.loss.fake, v)[1]
    push = slope if game.loss.is_zero_sum else derivatives(game.loss.adversary, v)[1]
    d_theta = jnp.einsum("md,mdp->mp", push[:, None] * (phi_x @ alpha), x_theta)
    if not game.generator.is_weighted:
        return Simulated(phi, phi_x, x_theta, d_theta, slope, None, None)
    one = jnp.ones(len(z), v.dtype)
    weights, moved = weigh(game, theta, one, z), weight_tangents(game, theta, one, z)
    d_theta = weights[:, None] * d_theta + game.loss.adversary(v)[:, None] * moved
    return Simulated(phi, phi_x, x_theta, d_theta, weights * slope, weights, moved)


class SimulatedMeans(NamedTuple):
    """What one latent sample contributes to the mean score, and to the mean of the features."""

    score: Float[Array, " pq"]
    features: Float[Array, " q"]
    believed: Float[Array, " q"]  # mean of the features where the discriminator believes


def simulated_means(game: Game, theta, alpha, z) -> SimulatedMeans:
    """Average the simulated scores and the features over latent draws z (m, k) by the game's weights, for a basis.

    The features' mean is that of all draws, and of those that the discriminator believes.
    """

    def block(latent_weights, z):
        def loss_of_generator(theta):
            phi = features(game, simulate(game, theta, z))
            return weigh(game, theta, latent_weights, z) @ game.loss.adversary(phi @ alpha)

        gradient, weights = _backward(loss_of_generator, theta), weigh(game, theta, latent_weights, z)
        if gradient is None:
            rows = simulated_rows(game, theta, alpha, z)
            d_theta, phi, slopes = latent_weights @ rows.d_theta, rows.features, latent_weights * rows.slopes
        else:
            phi = features(game, simulate(game, theta, z))
            d_theta, slopes = gradient(theta), weights * derivatives(game.loss.fake, phi @ alpha)[1]
        d_alpha, means, believed = jnp.stack([slopes, weights, weights * belief(phi @ alpha)]) @ phi
        return SimulatedMeans(jnp.concatenate([d_theta, d_alpha]), means, believed)

    found = row_sums(block, game.z_weights, z)
    found = found._replace(believed=found.believed / found.believed[0])
    if not game.generator.is_weighted:
        return found
    return found._replace(features=found.features / found.features[0])


def features_slope(game: Game, theta, alpha) -> Float[Array, "q p"]:
    """Differentiate the mean of the simulated features in theta, for a basis."""

    def block(weights, z):
        rows = simulated_rows(game, theta, alpha, z)
        if rows.weights is None or rows.weight_tangents is None:
            return _moved(weights, rows.features_slopes, rows.tangents), weights @ rows.features
        by_rows = _moved(weights * rows.weights, rows.features_slopes, rows.tangents)
        moved = by_rows + rows.features.T @ (weights[:, None] * rows.weight_tangents)
        return moved, weights @ rows.weighted_features

    slope, total = row_sums(block, game.z_weights, game.z)
    if not game.generator.is_weighted:
        return slope
    return (slope - jnp.outer(total / total[0], slope[0])) / total[0]


def weight_tangents(game: Game, theta, weights, z) -> Float[Array, "m p"]:
    """Derivatives in theta of what ``weigh`` gives."""
    return jax.jacfwd(lambda theta: weigh(game, theta, weights, z))(theta)
