"""Losses against 340-digit arithmetic, hand-worked values and the facts of docs/theory.md, section 1."""

import functools
import pickle
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from tolerance import EXACT

from hellgan import divergences, losses

NAMES = ["log", "log_ns", "hellinger", "root", "root_ns", "sharp_ns", "least_squares", "kl"]
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


def cube_root_by_hand(v):
    # with D = expit(3v), D' = 3 D (1 - D)
    d, rest = 1 / (1 + (-3 * v).exp()), 1 / (1 + (3 * v).exp())
    root = (d.ln() / 3).exp()
    return root, root * rest, root * rest * (rest - 3 * d)


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
    "sharp_ns": (log_by_hand, negative(cube_root_by_hand)),
    "least_squares": (least_squares_by_hand, None),
    "kl": (log_by_hand, kl_generator_by_hand),
}


def alpha_by_hand(a):
    a = Decimal(str(a))
    k = (a - 1) / a

    def by_hand(v):
        # with D = expit(a v), D' = a D (1 - D)
        d, rest = 1 / (1 + (-a * v).exp()), 1 / (1 + (a * v).exp())
        power = (k * d.ln()).exp()
        value = (power - 1) / k if k else d.ln()
        return value, a * power * rest, a**2 * power * rest * (k * rest - d)

    return by_hand


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


# The alpha family.

ALPHAS = [0.3, 0.5, 1, 1.5, 2, 4]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("a", [*ALPHAS, 0.05, 30])
def test_alpha_value_and_two_derivatives_up_to_700(a):
    loss, expected = losses.alpha(a), tabulate_by_hand(alpha_by_hand(a))
    for function, sign in ((loss.real, 1), (loss.fake, -1)):
        got = tabulate(function, sign * V)
        # power loses |power log expit(a v)| < |1 - a| 700 roundings to its exponent; slopes and curvatures that are
        # nearly 0 are differences of numbers of size a and a^2
        rtol = 2.3e-16 * (10 + 2 * abs(1 - a) * 700)
        assert np.all(np.isfinite(got))
        for row, truth, size in zip(got * [[1], [sign], [1]], expected, (1, a, a**2), strict=True):
            np.testing.assert_allclose(row, truth, rtol=rtol, atol=2e-15 * max(1, size) * 2 ** (1 / a))


@pytest.mark.usefixtures("x64")
def test_alpha_holds_the_named_losses():
    root = 2 * tabulate(losses.root.real, V) - [[2], [0], [0]]
    for a, expected in (
        (0.5, tabulate(losses.hellinger.real, V)),
        (1, tabulate(losses.log.real, V)),
        (2, root),
    ):
        # hellinger(700) is -exp(-350), the rest of a difference from 1
        np.testing.assert_allclose(tabulate(losses.alpha(a).real, V), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.usefixtures("x64")
def test_alpha_is_smooth_across_one():
    # d/da of real at a = 1: with s = log expit(a v), real = s + (a - 1) s^2 / 2 + ..., s' = v (1 - expit(v))
    v = V[np.abs(V) <= 3]
    s = np.log(1 / (1 + np.exp(-v)))
    slope = v / (1 + np.exp(v)) + s**2 / 2
    for h in (1e-12, 1e-8, 1e-4):
        for a in (1 + h, 1 - h):
            change = tabulate(losses.alpha(a).real, v)[0] - tabulate(losses.log.real, v)[0]
            # second derivatives in a are below 20 for |v| <= 3
            np.testing.assert_allclose(change, (a - 1) * slope, rtol=0, atol=10 * h**2 + 1e-14)


@pytest.mark.parametrize("a", ALPHAS)
def test_alpha_constants(a):
    loss = losses.alpha(a)
    value = -np.log(4) if a == 1 else 2 * a / (a - 1) * (2 ** ((1 - a) / a) - 1)
    c = a * 2 ** (1 / a - 2)
    got = loss.value_at_equality, loss.c, loss.A, loss.chi2_factor
    np.testing.assert_allclose(got, (value, c, c / 2, 2 ** (3 - 1 / a) / a), rtol=EXACT)
    assert loss.is_calibrated
    losses.check(loss)


@pytest.mark.parametrize("a", ALPHAS)
def test_alpha_flags(a):
    loss = losses.alpha(a)
    assert loss.is_zero_sum
    assert loss.is_concave == (a <= 1)
    assert loss.has_bounded_weights == (a >= 1)
    assert loss.is_bounded == loss.is_redescending == (a > 1)
    # what is declared is what a look at the curvature finds
    assert losses.Loss(loss.real).is_concave == loss.is_concave


@pytest.mark.parametrize("a", [1 - 1e-7, 1, 1 + 1e-7])
def test_alpha_is_concave_up_to_one_exactly(a):
    # beyond any grid: real'' = a^2 D^k (1 - D) (k (1 - D) - D) is positive as v -> -inf if k > 0
    assert losses.alpha(a).is_concave == (a <= 1)


@pytest.mark.parametrize("a", [*ALPHAS, 0.02, 30])
def test_alpha_induces_arimotos_divergences(a):
    # ratios and the limit r = 0, apart from r = 1 where the closed form is a difference
    r = np.array([0, 1e-9, 0.01, 0.3, 2.5, 40, 1e6])
    f = divergences.divergence_function(losses.alpha(a))
    if a == 1:
        expected = special.xlogy(r, 2 * r / (1 + r)) + np.log(2 / (1 + r))
    else:
        # (1 + r^a)^(1/a) as the larger one of 1 and r times a number between 1 and 2^(1/a)
        big, small = np.maximum(r, 1), np.minimum(r, 1) / np.maximum(r, 1)
        norm = big * np.exp(np.log1p(small**a) / a)
        expected = a / (a - 1) * (norm - 2 ** (1 / a - 1) * (1 + r))
    np.testing.assert_allclose(f(r), expected, rtol=1e-11, atol=1e-13 * 2 ** (1 / a))
    # laws that do not meet are -V0 apart: f(0) + lim f(r)/r
    assert 2 * f(0.0) == pytest.approx(-losses.alpha(a).value_at_equality, rel=1e-13)


def test_alpha_is_a_value():
    for one, other in ((losses.alpha(2), losses.alpha(2.0)), (losses.alpha(np.float32(1.5)), losses.alpha(1.5))):  # pyright: ignore[reportArgumentType]
        assert one == other
        assert hash(one) == hash(other)
    assert losses.alpha(2) != losses.alpha(np.nextafter(2, 3))
    assert pickle.loads(pickle.dumps(losses.alpha(1.5))) == losses.alpha(1.5)
    traces = []

    @jax.jit
    def payoff(loss, v):
        traces.append(loss)
        return loss.real(v) + loss.fake(v)

    for a in (2, 2.0, np.float64(2)):
        payoff(losses.alpha(a), jnp.zeros(3))
        payoff(pickle.loads(pickle.dumps(losses.alpha(a))), jnp.zeros(3))
    assert len(traces) == 1


@pytest.mark.parametrize("a", [2, 1.5, 1 / 3, 0.1 + 0.2, 1e-1, 1e17, 1 + 1e-15])
def test_alpha_is_known_by_its_name(a):
    loss = losses.alpha(a)
    assert loss.is_named
    assert losses.get(loss.name) == loss
    # the same name on other functions is not it
    assert not losses.Loss(my_real, name=loss.name).is_named
    assert losses.alpha(2).name == "alpha(2)"
    assert losses.get("alpha(2.0)") == losses.get("alpha( 2 )") == losses.alpha(2)


@pytest.mark.parametrize(
    "name", ["alpha", "alpha()", "alpha(x)", "alpha(-1)", "alpha(0)", "alpha(nan)", "alpha(2", "alpha(inf)"]
)
def test_names_that_no_alpha_loss_has(name):
    with pytest.raises(ValueError, match=r"loss: 'alpha.* is not known; give one of log, .*alpha\(a\)") as caught:
        losses.get(name)
    assert "\n" not in str(caught.value)
    assert not losses.Loss(my_real, name=name).is_named


@pytest.mark.parametrize("a", [0, -1.5, 1 / 65, np.nan, np.inf, -np.inf])
def test_alpha_refuses_numbers_outside(a):
    with pytest.raises(ValueError, match=r"^a: got .*; give a finite number of at least 1/64\.$"):
        losses.alpha(a)


@pytest.mark.parametrize("a", ["2", None, True, 1j, [2.0]])
@pytest.mark.usefixtures("unchecked")
def test_alpha_refuses_what_is_no_number(a):
    with pytest.raises(TypeError, match=r"^a: got .*; give a number of at least 1/64, such as 1\.5\.$"):
        losses.alpha(a)


# v, real(v), fake(v): D = expit(v) is 3/4 at log 3, expit(2v) is 4/5 at log 2.
WORKED = {
    "log": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "log_ns": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "kl": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "hellinger": (np.log(4), -1 / 2, -2.0),
    "root": (np.log(2), np.sqrt(4 / 5), np.sqrt(1 / 5)),
    "root_ns": (np.log(2), np.sqrt(4 / 5), np.sqrt(1 / 5)),
    "sharp_ns": (np.log(3), np.log(3 / 4), np.log(1 / 4)),
    "least_squares": (np.log(3), -1 / 16, -9 / 16),
}
WORKED_GENERATOR = {
    "log_ns": (np.log(3), -np.log(3 / 4)),
    "root_ns": (np.log(2), -np.sqrt(4 / 5)),
    "sharp_ns": (np.log(3), -((27 / 28) ** (1 / 3))),
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
    "sharp_ns": (-np.log(4), 1 / 2, 1 / 4, 4.0),
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
    "sharp_ns": (False, True, False, True, False),
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
    before = jax.enable_x64.value
    value = losses.root.value_at_equality
    assert jax.enable_x64.value == before
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
    assert mine.adversary == mine.fake
    own = losses.Loss(my_real, my_fake, generator=identity)
    assert own.adversary != own.fake
    assert own.adversary(jnp.asarray(0.25)) == 0.25


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


def negated(v):
    return -v


def flat(v):
    return -(v**3)


def no_curvature(v):
    return -v - jnp.abs(v) ** 1.5


@pytest.mark.parametrize(
    ("generator", "slope"),
    [(identity, "1 and"), (my_real, "0.5 and"), (flat, "-?0 and"), (no_curvature, ".*(inf|nan)")],
)
def test_check_refuses_a_generator_that_does_not_want_larger_log_ratios(generator, slope):
    loss = losses.Loss(my_real, generator=generator, name="wrong-way")
    with pytest.raises(ValueError, match=rf"loss: wrong-way has a generator objective of slope {slope}") as caught:
        losses.check(loss)
    assert "\n" not in str(caught.value)


def test_check_lets_pass_a_generator_that_does():
    for generator in (negated, my_fake):
        losses.check(losses.Loss(my_real, generator=generator))


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
