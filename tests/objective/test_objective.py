"""The objective, its scores and its Jacobian: by hand, by identities, and by automatic differentiation."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tolerance import EXACT
from worlds import LOSSES, game, point

import hellgan as hg
from hellgan import objective
from hellgan.objective import Game, evaluation, linear

pytestmark = pytest.mark.usefixtures("x64")

WORLDS = ("normal", "curved", "logistic")


def hand_game(loss) -> Game:
    """Two real observations 1 and 3, two simulated loc + z with z = -1 and 1, one feature x."""
    return Game(
        hg.losses.get(loss),
        hg.generators.Normal().fix(scale=1.0),
        hg.discriminators.Features(_identity, ridge=0.25).place(np.zeros((2, 1)), np.full(2, 0.5), 0),
        np.array([[1.0], [3.0]]),
        np.array([0.25, 0.75]),
        np.array([[-1.0], [1.0]]),
        np.array([0.5, 0.5]),
    )


def _identity(x):
    return x


# theta = 2 makes the simulated sample 1 and 3 too; alpha = (-1, 1/2) gives v = -1/2 at 1 and 1/2 at 3.
# With s = expit(1/2) = .6224593312018546 and weights 1/4, 3/4 (real), 1/2, 1/2 (simulated), ridge 1/4 * (1/2)^2:
#   log            real log(1-s) = -.9740769841801067, log s = -.4740769841801067, fake the other way round:
#                  V = -.2435192460450267 - .3555577381350800 - .7240769841801067 - .0625 = -1.3856539683602134
#   hellinger      real -e^(1/4), -e^(-1/4); V = -(1.2840254166877414/4 + 3*.7788007830714049/4)
#                  - (1.2840254166877414 + .7788007830714049)/2 - .0625
#   root           real(v) = expit(2v)^(1/2): expit(1)^(1/2) = .8550196, expit(-1)^(1/2) = .5185957
#   least_squares  real(v) = -expit(-v)^2
def _hand_value(loss):
    s = 0.6224593312018546
    low, high = {
        "log": (np.log(1 - s), np.log(s)),
        "hellinger": (-1.2840254166877414, -0.7788007830714049),
        "root": (0.2689414213699951**0.5, 0.7310585786300049**0.5),
        "least_squares": (-(s**2), -((1 - s) ** 2)),
    }[loss]
    return 0.25 * low + 0.75 * high + 0.5 * high + 0.5 * low - 0.0625


@pytest.mark.parametrize("loss", ["log", "hellinger", "root", "least_squares"])
def test_value_by_hand(loss):
    """(1) with weights and ridge; kills a wrong constant or sign in the fake term, or a ridge on the intercept."""
    got = objective.objective(hand_game(loss), jnp.array([2.0]), jnp.array([-1.0, 0.5]))
    np.testing.assert_allclose(got, _hand_value(loss), rtol=EXACT)


def test_value_by_hand_in_numbers():
    """The log loss written out to the last digit, so that the formulas above are not the only witness."""
    got = objective.objective(hand_game("log"), jnp.array([2.0]), jnp.array([-1.0, 0.5]))
    np.testing.assert_allclose(got, -1.3856539683602134, rtol=EXACT)


def test_scores_by_hand():
    """Psi for the log loss: real' = expit(-v), fake' = -expit(v); d/dtheta fake = fake' alpha_1."""
    s = 0.6224593312018546
    got = objective.scores(hand_game("log"), jnp.array([2.0]), jnp.array([-1.0, 0.5]))
    np.testing.assert_allclose(got.real, [[0, s, s], [0, 1 - s, 3 * (1 - s)]], rtol=EXACT)
    np.testing.assert_allclose(got.simulated, [[-(1 - s) / 2, -(1 - s), -(1 - s)], [-s / 2, -s, -3 * s]], rtol=EXACT)


def weighted(g: Game) -> Game:
    """The same game with unequal weights in both samples, so that none can be forgotten."""
    rng = np.random.default_rng(8)
    x_weights, z_weights = (w * rng.uniform(0.2, 1.8, w.size) for w in (g.x_weights, g.z_weights))
    return dataclasses.replace(g, x_weights=x_weights / x_weights.sum(), latent_weights=z_weights / z_weights.sum())


@pytest.fixture(scope="module", params=[(w, "root") for w in WORLDS] + [("normal", loss) for loss in LOSSES])
def case(request):
    world, loss = request.param
    made = weighted(game(loss, world, ridge=None if world == "logistic" else 0.01))
    return made, *point(made.p, made.discriminator.size)


mean_score = jax.jit(objective.mean_score)
jacobian = jax.jit(objective.jacobian)
scores = jax.jit(objective.scores)


def test_weighted_scores_sum_to_the_mean_score(case):
    """The bridge from estimation to inference: mean score = sum w psi_real + sum u psi_simulated - ridge."""
    g, theta, alpha = case
    got = scores(g, theta, alpha)
    ridge = np.concatenate([np.zeros(g.p), 2 * g.discriminator.ridge * alpha])
    total = g.x_weights @ got.real + g.z_weights @ got.simulated - ridge
    np.testing.assert_allclose(total, mean_score(g, theta, alpha), atol=EXACT)


def test_simulated_means_are_those_of_the_scores(case):
    g, theta, alpha = case
    rows = scores(g, theta, alpha).simulated
    got = jax.jit(objective.simulated_means)(g, theta, alpha, g.z)
    np.testing.assert_allclose(got.score, g.z_weights @ rows, atol=EXACT)
    phi = objective.features(g, objective.simulate(g, jnp.asarray(theta)))
    np.testing.assert_allclose(got.features, g.z_weights @ phi, atol=EXACT)


def test_analytic_jacobian_is_the_automatic_one(case):
    """The matrix products of the linear path against jacfwd of the automatic mean score, block by block."""
    g, theta, alpha = case
    automatic = jax.jit(jax.jacfwd(lambda u, g: objective.mean_score(g, u[: g.p], u[g.p :])))
    np.testing.assert_allclose(
        jacobian(g, theta, alpha), automatic(np.concatenate([theta, alpha]), g), atol=EXACT, rtol=1e-9
    )


def test_jacobian_by_finite_differences():
    """A second route that shares no derivative code."""
    g = game("root", "normal", ridge=0.01)
    theta, alpha = point(g.p, g.discriminator.size)
    u, step = np.concatenate([theta, alpha]), 1e-5
    columns = [
        (mean_score(g, *np.split(u + e, [g.p])) - mean_score(g, *np.split(u - e, [g.p]))) / (2 * step)
        for e in step * np.eye(len(u))
    ]
    np.testing.assert_allclose(jacobian(g, theta, alpha), np.stack(columns, axis=1), atol=1e-9)


def test_jacobian_is_symmetric_only_for_a_zero_sum_loss(case):
    g, theta, alpha = case
    h = np.asarray(jacobian(g, theta, alpha))
    assert np.allclose(h, h.T, atol=EXACT) == g.loss.is_zero_sum


def discriminator_problem(g, theta, alpha, on_log=None):
    return linear.discriminator_problem(g, linear.discriminator_rows(g, theta), alpha, on_log)


# Equal losses to the eye; the second is not symmetric by construction, so that its two parts are gone through apart.
SYMMETRIC, APART = hg.losses.root, hg.Loss(lambda v: hg.losses.root.real(v), lambda v: hg.losses.root.real(-v))


@pytest.mark.parametrize("loss", [SYMMETRIC, APART], ids=["symmetric", "apart"])
def test_discriminator_problem_is_the_objective_in_alpha(loss):
    g = weighted(game(loss, "normal", ridge=0.01))
    theta, alpha = point(g.p, g.discriminator.size)
    value, gradient, hessian = discriminator_problem(g, theta, alpha)
    np.testing.assert_allclose(value, objective.objective(g, theta, alpha), rtol=EXACT)
    np.testing.assert_allclose(gradient, mean_score(g, theta, alpha)[g.p :], atol=EXACT)
    by_differentiation = jax.hessian(lambda alpha: objective.objective(g, theta, alpha))(alpha)
    np.testing.assert_allclose(hessian, by_differentiation, atol=EXACT)


def test_continuation_climbs_the_log_loss_first():
    g, as_log = (weighted(game(loss, "normal", ridge=0.01)) for loss in ("root", "log"))
    theta, alpha = point(g.p, g.discriminator.size)
    for on_log, expected in ((True, as_log), (False, g)):
        got = discriminator_problem(g, theta, alpha, jnp.asarray(on_log))
        for mine, others in zip(got, discriminator_problem(expected, theta, alpha), strict=True):
            np.testing.assert_allclose(mine, others, atol=EXACT)


# Samples too large to keep their features.


@pytest.fixture
def streamed(monkeypatch):
    """Run a function with blocks of 16 rows: 40 rows are two blocks and a rest, 64 are four blocks."""

    def run(function, *arguments):
        whole = jax.jit(lambda *a: function(*a))(*arguments)
        monkeypatch.setattr(linear, "STORED", 16)
        monkeypatch.setattr(linear, "BLOCK", 16)
        return whole, jax.jit(lambda *a: function(*a))(*arguments)

    return run


def test_both_samples_are_stored_as_one(monkeypatch):
    """Of samples whose features are stored, 40 and 64 rows, both together have more rows than may be stored."""
    g = weighted(game("root", "curved"))
    at = point(g.p, g.discriminator.size)
    whole = discriminator_problem(g, *at)
    monkeypatch.setattr(linear, "STORED", 64)
    monkeypatch.setattr(linear, "BLOCK", 16)
    assert len(linear.discriminator_rows(g, at[0])) == 1
    for mine, others in zip(discriminator_problem(g, *at), whole, strict=True):
        np.testing.assert_allclose(mine, others, atol=1e-14)


@pytest.mark.parametrize("loss", ["root", "log_ns"])
@pytest.mark.parametrize(
    "function",
    [
        discriminator_problem,
        linear.expand,
        lambda g, theta, alpha: objective.simulated_means(g, theta, alpha, g.z),
        lambda g, theta, alpha: evaluation._parts(g, theta, alpha, None),
    ],
    ids=["problem", "expansion", "means", "parts"],
)
def test_blocks_of_rows_sum_to_the_whole(streamed, function, loss):
    g = weighted(game(loss, "curved"))
    whole, blocks = streamed(function, g, *point(g.p, g.discriminator.size))
    for mine, others in zip(jax.tree.leaves(blocks), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(mine, others, rtol=1e-9, atol=EXACT)


def test_ridge_is_visible_in_the_jacobian_and_not_on_the_intercept():
    g = game("log", "normal", ridge=0.01)
    bare = dataclasses.replace(
        g, discriminator=eqx.tree_at(lambda d: d.ridge, g.discriminator, np.zeros_like(g.discriminator.ridge))
    )
    theta, alpha = point(g.p, g.discriminator.size)
    difference = np.diag(jacobian(bare, theta, alpha) - jacobian(g, theta, alpha))
    np.testing.assert_allclose(difference, [0] * (g.p + 1) + [0.02] * (g.discriminator.size - 1), atol=EXACT)
    penalty = objective.objective(bare, theta, alpha) - objective.objective(g, theta, alpha)
    np.testing.assert_allclose(penalty, 0.01 * np.sum(alpha[1:] ** 2), rtol=1e-10)
    np.testing.assert_allclose(
        objective.objective(g, theta, alpha, penalised=False), objective.objective(bare, theta, alpha), rtol=EXACT
    )


def test_order_of_observations_is_immaterial():
    g = game("root", "normal")
    theta, alpha = point(g.p, g.discriminator.size)
    turned = dataclasses.replace(
        g, x=g.x[::-1], x_weights=g.x_weights[::-1], z=g.z[::-1], latent_weights=g.z_weights[::-1]
    )
    np.testing.assert_allclose(jacobian(turned, theta, alpha), jacobian(g, theta, alpha), atol=EXACT)


def test_padding_of_weight_zero_is_immaterial():
    """Sizes are padded to buckets: 40 observations sit in the same number of rows as 37 and three of weight 0."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=37)
    model = hg.GAN(x, hg.generators.Normal(), hg.discriminators.Sigmoids(5), n_simulated=64)
    g = model.game()
    assert len(g.x) == 40
    tight = dataclasses.replace(g, x=g.x[:37], x_weights=g.x_weights[:37])
    theta, alpha = point(g.p, g.discriminator.size)
    np.testing.assert_allclose(objective.mean_score(tight, theta, alpha), mean_score(g, theta, alpha), atol=EXACT)
