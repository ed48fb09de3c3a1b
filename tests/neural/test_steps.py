"""Steps of each scheme worked by hand, on the bilinear game V(theta, alpha) = alpha (mean of x - theta)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hellgan as hg


class Point(eqx.Module):
    """A generator that gives its parameter, whatever is drawn."""

    theta: jax.Array
    latent_dim: int = eqx.field(static=True, default=1)

    def __call__(self, z):
        return self.theta[None] + 0 * z


class Slope(eqx.Module):
    """A discriminator alpha x."""

    alpha: jax.Array

    def __call__(self, x):
        return self.alpha * x[0]


X = np.array([0.0, 2.0])  # of mean 1
RATE = 0.1


def trained(steps, **options):
    """(theta, alpha) after some steps from (0, .5), all observations in each."""
    pair = Point(jnp.float32(0.0)), Slope(jnp.float32(0.5))
    run = hg.neural.train(
        X,
        *pair,
        loss="wasserstein",
        gradient_penalty=0,
        batch=None,
        steps=steps,
        optimizer=_SGD,
        progress=False,
        **options,
    )
    return float(run.generator.theta), float(run.discriminator.alpha)


_SGD = optax.sgd(RATE)

# V's slope in alpha is 1 - theta; the generator minimises -alpha theta, whose slope is -alpha.
BY_HAND = {
    # alpha = .5 + .1 (1 - 0) = .6; theta = 0 + .1 x .6
    ("alternating", 1, 1): (0.06, 0.6),
    # alpha = .5 + .1 + .1 = .7; theta = .1 x .7
    ("alternating", 2, 1): (0.07, 0.7),
    # then alpha = .7 + .1 (1 - .07) = .793 and .886; theta = .07 + .1 x .886
    ("alternating", 2, 2): (0.1586, 0.886),
    # alpha = .6; theta = .1 x .5
    ("simultaneous", 1, 1): (0.05, 0.6),
    # alpha = .6 + .1 (1 - .05) = .695; theta = .05 + .1 x .6
    ("simultaneous", 1, 2): (0.11, 0.695),
    # ahead (.05, .6); alpha = .5 + .1 (1 - .05) = .595; theta = .1 x .6
    ("extragradient", 1, 1): (0.06, 0.595),
    # from (.06, .595) ahead to (.1195, .689); alpha = .595 + .1 (1 - .1195); theta = .06 + .1 x .689
    ("extragradient", 1, 2): (0.1289, 0.68305),
    # the first step looks back on itself
    ("optimistic", 1, 1): (0.05, 0.6),
    # alpha = .6 + .1 (2 x .95 - 1) = .69; theta = .05 + .1 (2 x .6 - .5) = .12
    ("optimistic", 1, 2): (0.12, 0.69),
}


@pytest.mark.parametrize("case", BY_HAND, ids=str)
def test_steps_by_hand(case):
    updates, k, steps = case
    assert np.allclose(trained(steps, updates=updates, discriminator_steps=k), BY_HAND[case], atol=2e-7)


def distance(updates, steps=400):
    """From the saddle point (1, 0), relative to the start's."""
    theta, alpha = trained(steps, updates=updates)
    return np.hypot(theta - 1, alpha) / np.hypot(1, 0.5)


def test_which_schemes_arrive():
    """On a bilinear game simultaneous steps spiral out, alternating ones circle, the other two arrive."""
    # Each simultaneous step lengthens the distance by the factor sqrt(1 + .1^2).
    assert distance("simultaneous") == pytest.approx(1.01**200, rel=1e-3)
    assert 0.5 < distance("alternating") < 2
    # An extragradient step: eigenvalues 1 - .01 +- .1 i, of modulus sqrt(.99^2 + .01).
    assert distance("extragradient") == pytest.approx((0.99**2 + 0.01) ** 200, rel=1e-2)
    assert distance("optimistic") < 0.2


def test_the_history_of_a_step():
    """At the start (0, .5): value of the game, gradients and what the generator minimises."""
    pair = Point(jnp.float32(0.0)), Slope(jnp.float32(0.5))
    run = hg.neural.train(
        X, *pair, loss="wasserstein", gradient_penalty=0, batch=None, steps=1, optimizer=_SGD, updates="simultaneous"
    )
    record = run.history.iloc[0]
    assert record["value"] == pytest.approx(0.5)  # alpha (1 - theta)
    assert record["discriminator_gradient"] == pytest.approx(1)
    assert record["generator_gradient"] == pytest.approx(0.5)
    assert record["generator_loss"] == 0
    assert np.isnan(record["accuracy_real"])  # such a loss draws no line


def test_averages_of_the_generator():
    """The weight of the past is at most (1 + t)/(10 + t): theta .06, .1206 give .054 and then an average of .10848."""
    pair = Point(jnp.float32(0.0)), Slope(jnp.float32(0.5))
    run = hg.neural.train(
        X, *pair, loss="wasserstein", gradient_penalty=0, batch=None, steps=2, optimizer=_SGD, average=0.999
    )
    first = 0.9 * 0.06
    alpha = 0.6 + RATE * (1 - 0.06)
    second = 0.06 + RATE * alpha
    expected = first + (1 - 2 / 11) * (second - first)
    assert float(run.generator.theta) == pytest.approx(expected, rel=1e-5)
    assert float(run.generators(averaged=False)[0].theta) == pytest.approx(second, rel=1e-5)
