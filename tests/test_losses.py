"""Losses against 340-digit arithmetic, hand-worked values and the facts of docs/theory.md, section 1."""

import functools
import pickle
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hellgan import losses
from tests.tolerance import EXACT

NAMES = ["log", "log_ns", "hellinger", "root", "root_ns", "least_squares", "kl"]
V = np.concatenate([np.linspace(-700, 700, 57), np.linspace(-3, 3, 31), [-1e-9, 1e-9, 1e-3, -36.7, 37.1]])


# Value, slope and curvature worked by hand, in decimal arithmetic.


def log_by_hand(v):
    e = v.exp()
    return -(1 + 1 / e).ln(), 1 / (1 + e), -e / (1 + e) ** 2


def hellinger_by_hand(v):
    r = (-v / 2).exp()
    return -r, r / 2, -r / 4


def root_by_hand(v):
    # expit(2v)^(1/2) = (1 + y)^(-1/2) with y = exp(-2v), dy/dv = -2y
    y = (-2 * v).exp()
    s = (1 + y).sqrt()
    return 1 / s, y / s**3, y * (y - 2) / s**5


def least_squares_by_hand(v):
    # u = 1 - expit(v), du/dv = -u (1 - u)
    u, w = 1 / (1 + v.exp()), 1 / (1 + (-v).exp())
    return -(u**2), 2 * u**2 * w, -2 * u**2 * w * (2 - 3 * u)


def kl_generator_by_hand(v):
    return -v, Decimal(-1), Decimal(0)


def negative(by_hand):
    return lambda v: tuple(-d for d in by_hand(v))


BY_HAND = {
    "log": (log_by_hand, None),
    "log_ns": (log_by_hand, negative(log_by_hand)),
    "hellinger": (hellinger_by_hand, None),
    "root": (root_by_hand, None),
    "root_ns": (root_by_hand, negative(root_by_hand)),
    "least_squares": (least_squares_by_hand, None),
    "kl": (log_by_hand, kl_generator_by_hand),
}


@functools.cache
def tabulate_by_hand(function):
    with localcontext() as context:
        context.prec = 340  # 1 + exp(-700) must not round to 1
        return np.array([[float(d) for d in function(Decimal(float(x)))] for x in V]).T


def tabulate(function, v):
    return np.stack([np.asarray(d) for d in losses.derivatives(function, jnp.asarray(v, jnp.float64))])


def assert_as_by_hand(function, by_hand, signs=(1, 1, 1)):
    expected = tabulate_by_hand(by_hand) * np.array(signs)[:, None]
    got = tabulate(function, signs[1] * V)
    assert np.all(np.isfinite(got))
    # one or the other: curvatures near 0 are differences, and 1 - expit(v) rounds to 0 below v = -37
    np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", NAMES)
def test_value_and_two_derivatives_up_to_700(name):
    loss, (real, generator) = losses.get(name), BY_HAND[name]
    assert_as_by_hand(loss.real, real)
    # fake(v) = real(-v), so that its slope changes sign
    assert_as_by_hand(loss.fake, real, signs=(1, -1, 1))
    assert (loss.generator is None) == (generator is None)
    if generator is not None:
        assert_as_by_hand(loss.generator, generator)


# v, real(v), fake(v): D = expit(v) is 3/4 at log 3, expit(2v) is 4/5 at log 2.
WORKED = {
    "log": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "log_ns": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "kl": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "hellinger": (np.log(4), -1 / 2, -2.0),
    "root": (np.log(2), np.sqrt(4 / 5), np.sqrt(1 / 5)),
    "root_ns": (np.log(2), np.sqrt(4 / 5), np.sqrt(1 / 5)),
    "least_squares": (np.log(3), -1 / 16, -9 / 16),
}
WORKED_GENERATOR = {
    "log_ns": (np.log(3), -np.log(3 / 4)),
    "root_ns": (np.log(2), -np.sqrt(4 / 5)),
    "kl": (np.log(3), -np.log(3)),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", NAMES)
def test_hand_worked_values(name):
    loss = losses.get(name)
    v, real, fake = WORKED[name]
    assert float(loss.real(jnp.float64(v))) == pytest.approx(real, abs=EXACT)
    assert float(loss.fake(jnp.float64(v))) == pytest.approx(fake, abs=EXACT)
    assert float(loss.adversary(jnp.float64(v))) == pytest.approx(WORKED_GENERATOR.get(name, (v, fake))[1], abs=EXACT)


# value at equality, c, A, 4A/c^2
CONSTANTS = {
    "log": (-np.log(4), 1 / 2, 1 / 4, 4.0),
    "log_ns": (-np.log(4), 1 / 2, 1 / 4, 4.0),
    "kl": (-np.log(4), 1 / 2, 1 / 4, 4.0),
    "hellinger": (-2.0, 1 / 2, 1 / 4, 4.0),
    "root": (np.sqrt(2), 2**-1.5, 2**-2.5, 4 * np.sqrt(2)),
    "root_ns": (np.sqrt(2), 2**-1.5, 2**-2.5, 4 * np.sqrt(2)),
    "least_squares": (-1 / 2, 1 / 4, 1 / 8, 8.0),
}


@pytest.mark.parametrize("name", NAMES)
def test_constants(name):
    loss = losses.get(name)
    got = loss.value_at_equality, loss.c, loss.A, loss.chi2_factor
    np.testing.assert_allclose(got, CONSTANTS[name], rtol=EXACT)
    assert all(type(number) is float for number in got)
    # for every loss whose optimum is the log ratio, A = c/2
    assert loss.chi2_factor == pytest.approx(2 / loss.c, rel=EXACT)


# zero-sum, concave in v, bounded, bounded weights, redescending
FLAGS = {
    "log": (True, True, False, True, False),
    "log_ns": (False, True, False, True, False),
    "kl": (False, True, False, True, False),
    "hellinger": (True, True, False, False, False),
    "root": (True, False, True, True, True),
    "root_ns": (False, False, True, True, True),
    "least_squares": (True, False, True, True, True),
}


@pytest.mark.parametrize("name", NAMES)
def test_flags(name):
    loss = losses.get(name)
    flags = (
        loss.is_zero_sum,
        loss.is_concave,
        loss.is_bounded,
        loss.has_bounded_weights,
        loss.is_redescending,
    )
    assert flags == FLAGS[name]
    assert loss.is_calibrated
    losses.check(loss)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("name", "rate", "limit"),
    [("log", 1, 1.0), ("hellinger", 0.5, 0.5), ("root", 2, 1.0), ("least_squares", 2, 2.0)],
)
def test_how_fast_the_weight_of_a_real_observation_vanishes(name, rate, limit):
    # docs/theory.md, section 1: log like e^-v, hellinger e^(-v/2), root and least_squares e^(-2v)
    slope = tabulate(losses.get(name).real, [40.0])[1, 0]
    assert slope * np.exp(rate * 40) == pytest.approx(limit, rel=1e-10)


@pytest.mark.usefixtures("x64")
def test_the_weight_of_an_outlier_under_hellinger_grows_without_bound():
    assert tabulate(losses.hellinger.real, [-40.0])[1, 0] == pytest.approx(np.exp(20) / 2, rel=1e-13)
    assert tabulate(losses.hellinger.fake, [40.0])[1, 0] == pytest.approx(-np.exp(20) / 2, rel=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", NAMES)
def test_the_optimal_discriminator_is_the_log_density_ratio(name):
    # p real'(v) + q fake'(v) = 0 at v = log p/q
    loss, p, q = losses.get(name), 0.3, np.array([0.05, 0.3, 2.0])
    v = np.log(p / q)
    balance = p * tabulate(loss.real, v)[1] + q * tabulate(loss.fake, v)[1]
    np.testing.assert_allclose(balance, 0, atol=1e-15)


def test_single_precision_is_finite_too():
    v = jnp.asarray([-80.0, -20.0, 0.0, 20.0, 80.0], jnp.float32)
    for name in NAMES:
        for function in (losses.get(name).real, losses.get(name).fake, losses.get(name).adversary):
            assert all(np.all(np.isfinite(d)) for d in losses.derivatives(function, v))


def test_properties_do_not_depend_on_the_precision_of_the_caller_nor_change_it():
    before = jax.config.jax_enable_x64
    value = losses.root.value_at_equality
    assert jax.config.jax_enable_x64 == before
    with jax.enable_x64(True):
        assert losses.root.value_at_equality == value == np.sqrt(2)


# A user's own loss.


def my_real(v):
    return jax.nn.log_sigmoid(v)


def my_fake(v):
    return -jax.nn.softplus(v)


def identity(v):
    return v


def test_own_loss_is_a_value():
    one, two = losses.Loss(my_real, my_fake), losses.Loss(my_real, my_fake)
    assert one == two
    assert hash(one) == hash(two)
    assert losses.Loss(my_real) == losses.Loss(my_real)
    assert len({losses.Loss(my_real), losses.Loss(my_real), one}) == 2
    assert one != losses.Loss(my_real, my_fake, generator=my_fake)
    assert one != losses.Loss(my_real, my_fake, name="mine")
    assert losses.get(one) is one
    assert "custom" in repr(one)


def test_rebuilt_losses_share_their_compiled_programs():
    traces = []

    @jax.jit
    def payoff(loss, v):
        traces.append(loss)
        return loss.real(v) + loss.fake(v)

    for _ in range(3):
        payoff(losses.Loss(my_real), jnp.zeros(3))
    assert len(traces) == 1


def test_catalogue_survives_pickling_by_value():
    for name in NAMES:
        assert pickle.loads(pickle.dumps(losses.get(name))) == losses.get(name)


def test_own_loss_knows_its_properties():
    mine = losses.Loss(my_real, my_fake)
    for key in ("value_at_equality", "c", "A", "chi2_factor"):
        assert getattr(mine, key) == pytest.approx(getattr(losses.log, key), rel=EXACT)
    for key in ("is_zero_sum", "is_concave", "is_bounded", "has_bounded_weights", "is_redescending"):
        assert getattr(mine, key) == getattr(losses.log, key)
    assert mine.is_calibrated
    assert mine.adversary is my_fake
    assert losses.Loss(my_real, my_fake, generator=identity).adversary is identity


def test_a_loss_may_be_usable_without_being_calibrated():
    # D = expit(2v) in the log loss: the optimum is half the log ratio
    loss = losses.Loss(lambda v: jax.nn.log_sigmoid(2 * v))
    losses.check(loss)
    assert not loss.is_calibrated
    # c = 2/2 and A = 4/4: 4A/c^2 is not 2/c
    assert loss.chi2_factor == pytest.approx(4.0, rel=EXACT)
    # a changed constant in the fake term
    assert not losses.Loss(my_real, lambda v: 1.1 * my_fake(v)).is_calibrated


@pytest.mark.parametrize(
    "loss",
    [
        losses.Loss(identity, name="wasserstein"),
        losses.Loss(lambda v: -my_real(v), name="upside-down"),
        losses.Loss(my_real, lambda v: 1.1 * my_fake(v), name="unbalanced"),
        losses.Loss(jnp.log, name="not-finite"),
    ],
)
def test_check_refuses_a_loss_whose_discriminator_does_not_settle_at_zero(loss):
    with pytest.raises(ValueError, match=rf"loss: {loss.name} .*0.*"):
        losses.check(loss)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [((3,), "real"), ((my_real, "log"), "fake"), ((my_real, my_fake, 1.0), "generator"), ((None,), "real")],
)
def test_parts_that_are_not_functions_are_refused(arguments, part):
    # or, where the run has beartype check annotations, by that
    with pytest.raises(TypeError, match=rf"Loss: {part} is .*elementwise function|parameter '{part}'"):
        losses.Loss(*arguments)


def test_unknown_losses_are_refused():
    with pytest.raises(ValueError, match=r"loss: 'wgan' is not known; give one of log, .*or an hg\.Loss"):
        losses.get("wgan")
    with pytest.raises(TypeError, match=r"loss: got int; give a name or an hg\.Loss|parameter 'loss'"):
        losses.get(3)
    assert set(losses.names()) == set(NAMES)
    assert all(losses.get(name).name == name for name in NAMES)
