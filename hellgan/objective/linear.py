"""The objective of a discriminator linear in alpha: value and derivatives as matrix products, over blocks of rows.

The derivatives of the loss in v stand in these products as analytic weights of the rows. Features, slopes and tangents
have the observations last, (q, m), without the constant feature: what belongs to it are sums of the weights.
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
from hellgan.objective.game import Array, Game, by_feature, ratios, simulate, weigh

# The features of a sample of at most STORED rows stay in memory; those of a larger one are evaluated anew at each
# step, in blocks of BLOCK rows, so that memory does not grow with rows times features.
STORED, BLOCK = 32_768, 4_096
_FEW = 3  # rows of a factor up to which a product is taken row by row
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
    rows: Array  # or their features (q, n), where these are stored
    features: Callable[[Array], Array] | None  # None where they are stored
    part: str  # of the loss: real or fake


def discriminator_rows(game: Game, theta) -> list[Rows]:
    """Give the two samples at theta with their features; as one where both are small and the loss is symmetric."""

    def of_real(x):
        return by_feature(game, x)

    def of_simulated(z):
        return by_feature(game, simulate(game, theta, z))

    sides = [
        Rows(game.x_weights, None, game.x, of_real, "real"),
        Rows(weigh(game, theta), None, game.z, of_simulated, "fake"),
    ]
    if max(game.x.shape[0], game.z.shape[0]) > STORED:
        return sides
    sides = [
        side._replace(rows=of(side.rows), features=None)
        for side, of in zip(sides, (of_real, of_simulated), strict=True)
    ]
    if not game.loss.is_symmetric:
        return sides
    real, simulated = sides
    return [
        Rows(
            jnp.concatenate([real.weights, simulated.weights]),
            jnp.asarray(np.repeat([1.0, -1.0], [real.rows.shape[1], simulated.rows.shape[1]])),
            jnp.concatenate([real.rows, simulated.rows], axis=1),
            None,
            "real",
        )
    ]


def real_rows(game: Game) -> Rows:
    """Give the real sample alone, whose features do not change with theta."""

    def of_real(x):
        return by_feature(game, x)

    if game.x.shape[0] > STORED:
        return Rows(game.x_weights, None, game.x, of_real, "real")
    return Rows(game.x_weights, None, of_real(game.x), None, "real")


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
        phi = rows if sample.features is None else sample.features(rows)
        value, slope, curvature = _earnings(game.loss, sample.part, ratios(phi, alpha) * signs, on_log)
        return _sums(weights, phi, (value, signs * slope, curvature))

    signs = np.ones(sample.weights.shape) if sample.signs is None else sample.signs
    if sample.features is None:
        return block(sample.weights, signs, sample.rows)
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
        phi, phi_x, v_xx = _along(game.basis, alpha, x)
        v = ratios(phi, alpha)
        v_x = jnp.tensordot(alpha[1:], phi_x, 1)
        v_theta = jnp.sum(v_x[None] * x_theta, axis=1)
        earned, slope, curvature = derivatives(game.loss.adversary, v)
        weights = weigh(game, theta, latent_weights, z)
        pulled, curved = weights * slope, (weights * curvature)[None] * v_theta
        pull = pulled[None] * v_x
        bent_by_v = jnp.sum((pulled[None, None] * v_xx)[None] * x_theta[:, None], axis=2)
        d_theta_theta = over_rows(curved, v_theta) + over_rows(x_theta, bent_by_v) + bent(pull)
        d_theta, moved = v_theta @ pulled, None
        if game.generator.is_weighted:
            # d u_j/d theta, (m, p); u_j itself stands for the products with slopes of v above.
            moved = weight_tangents(game, theta, latent_weights, z)
            mixed = (v_theta * slope[None]) @ moved

            def earnings(theta):
                return earned @ weigh(game, theta, latent_weights, z)

            d_theta, d_theta_theta = (
                d_theta + earned @ moved,
                d_theta_theta + mixed + mixed.T + _hessian(earnings, theta),
            )

        def cross(slope, curvature):
            """Derivative in theta of sum_j u_j slope(v_j) features(x_j), the constant first: (q + 1, p)."""
            by_v = (weights * curvature)[None] * v_theta
            if moved is not None:
                by_v += slope[None] * moved.T
            return with_constant(
                jnp.sum(by_v, axis=1), over_rows(phi, by_v) + moved_by(weights * slope, phi_x, x_theta)
            )

        fake = derivatives(game.loss.fake, v)
        d_alpha_theta = cross(*fake[1:])
        d_theta_alpha = d_alpha_theta.T if game.loss.is_zero_sum else cross(slope, curvature).T
        own = fake if on_log is None else _earnings(game.loss, "fake", v, on_log)
        return Expansion(d_theta, d_theta_theta, d_alpha_theta, d_theta_alpha), _sums(weights, phi, own)

    return row_sums(block, game.z_weights, game.z)


def _sums(weights, phi, earned) -> tuple[Array, Array, Array]:
    """Sums over rows of what is earned there: value, and gradient and Hessian in alpha by the features (q, m)."""
    value, slope, curvature = earned
    pulled, curved = weights * slope, weights * curvature
    side = phi @ curved
    hessian = jnp.block([[jnp.sum(curved), side[None]], [side[:, None], (phi * curved[None]) @ phi.T]])
    return weights @ value, with_constant(jnp.sum(pulled), phi @ pulled), hessian


def with_constant(constant, others):
    """Put what belongs to the constant feature before what belongs to the q others."""
    return jnp.concatenate([constant[None], others])


def over_rows(first, second):
    """Sum first[p, ..., j] second[r, ..., j] over observations j and what is before them: (p, r)."""
    first, second = (of.reshape(of.shape[0], -1) for of in (first, second))
    if len(second) <= _FEW:  # products with vectors are faster than those with so narrow matrices
        return jnp.stack([first @ row for row in second], axis=1)
    return first @ second.T


def _draws(generator: Generator, theta, z):
    """Draws x_j = G(theta, z_j), (m, d), and derivatives in theta, (p, d, m), for latent draws (m, k).

    With them comes the function of pulls (d, m) that sums pull_j . d^2 x_j over the draws, (p, p). Where theta is short
    all is one pass: a quantile function that is solved for is so solved once.
    """

    def draws(theta):
        return draws_of(generator, theta, z)

    def once(theta):
        return pushed(draws, theta)

    if theta.shape[0] > _MANY:
        x, x_theta = once(theta)
        return x.T, x_theta, lambda pull: _hessian(lambda theta: jnp.sum(pull * draws(theta)), theta)

    (x, x_theta), (_, x_theta_theta) = pushed(once, theta)

    def bent(pull):
        return over_rows(x_theta_theta.reshape(-1, *x.shape), pull[None]).reshape(2 * theta.shape)

    return x.T, x_theta, bent


def draws_of(generator: Generator, theta, z):
    """Map a generator over latent draws (m, k): (d, m)."""
    return jax.vmap(lambda draw: generator(theta, draw), out_axes=1)(z)


def pushed(function, at):
    """Evaluate a function at a vector (k,), and its derivatives in each coordinate, stacked: (k, ...)."""
    return jax.vmap(lambda along: jax.jvp(function, (at,), (along,)), out_axes=(None, 0))(
        jnp.eye(len(at), dtype=at.dtype)
    )


def _hessian(function, theta):
    """Hessian (p, p) of a number: forward through the gradient where p is large and the function allows it."""
    gradient = backward(function, theta)
    return jax.jacfwd(jax.jacfwd(function) if gradient is None else gradient)(theta)


def backward(function, argument):
    """The gradient of a number by reverse mode; None where its argument is short, or the function has no reverse."""
    if argument.shape[0] <= _MANY:
        return None
    gradient = jax.grad(function)
    try:
        jax.eval_shape(gradient, argument)
    except ValueError:  # a loop of which only running tells how often it runs
        return None
    return gradient


def moved_by(weights, phi_x, x_theta):
    """Sum weights_j phi_x[q, d, j] x_theta[p, d, j] over j and d: (q, p), as one matrix product."""
    return over_rows(phi_x, weights[None, None] * x_theta)


def features_and_slopes(basis: Basis, x):
    """Features (q, m) of observations (m, d) and their slopes in x, (q, d, m)."""

    def along(direction):
        return jax.jvp(basis.by_feature, (x,), (jnp.broadcast_to(direction, x.shape),))

    return jax.vmap(along, out_axes=(None, 1))(jnp.eye(x.shape[1], dtype=x.dtype))


def _along(basis: Basis, alpha, x):
    """Features, their slopes and the Hessians in x, (d, d, m), of v = alpha . features, for observations (m, d)."""

    def gradients(x):
        phi, phi_x = features_and_slopes(basis, x)
        return jnp.tensordot(alpha[1:], phi_x, 1), (phi, phi_x)

    backwards = backward(lambda point: basis.features(point) @ alpha, x[0])
    if backwards is not None:
        return *features_and_slopes(basis, x), jax.vmap(jax.jacfwd(backwards), out_axes=2)(x)

    def along(direction):
        return jax.jvp(gradients, (x,), (jnp.broadcast_to(direction, x.shape),), has_aux=True)

    _, v_xx, (phi, phi_x) = jax.vmap(along, out_axes=(None, 0, None))(jnp.eye(x.shape[1], dtype=x.dtype))
    return phi, phi_x, v_xx


def value_and_tangents(generator: Generator, theta, draw):
    """G(theta, z), (d,), and its derivative in theta, (d, p), for one latent draw."""

    def twice(theta):
        x = generator(theta, draw)
        return x, x

    x_theta, x = jax.jacfwd(twice, has_aux=True)(theta)
    return x, x_theta


def weight_tangents(game: Game, theta, weights, z) -> Float[Array, "m p"]:
    """Derivatives in theta of what ``weigh`` gives."""
    return jax.jacfwd(lambda theta: weigh(game, theta, weights, z))(theta)
