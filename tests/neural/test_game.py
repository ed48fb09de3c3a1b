"""What the players minimise: by finite differences for every loss, penalties and mixtures by hand."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

import hellgan as hg
from hellgan.neural import losses
from hellgan.neural.game import Draw, Game, Rules, Weighting, weights
from hellgan.neural.modules import Frame, Perceptron, PerceptronDiscriminator, PerceptronGenerator
from hellgan.neural.networks import is_trained

T, U, N = 2, 3, 7  # generators, discriminators, rows


def doubled(tree):
    return jax.tree.map(lambda leaf: leaf.astype(np.float64) if is_trained(leaf) else leaf, tree)


def a_game(loss, mixture, **flags):
    """A game in the plane with smooth networks, in double precision: the game, both players, weights and a draw."""
    frame = Frame(np.zeros(2), np.ones(2), (2,), False)

    def stacked(make, count, salt):
        modules = [doubled(make(jax.random.key(salt + k))) for k in range(count)]
        nets = [eqx.filter(module, is_trained) for module in modules]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *nets), eqx.partition(modules[0], is_trained)[1]

    g, generator = stacked(
        lambda k: PerceptronGenerator(Perceptron.of((3, 4, 2), "tanh", k), frame, 3), mixture.generators, 10
    )
    d, discriminator = stacked(
        lambda k: PerceptronDiscriminator(Perceptron.of((2, 5, 1), "tanh", k), frame), mixture.discriminators, 20
    )
    rng = np.random.default_rng(0)
    rules = Rules((losses.get(loss),), (losses.between(losses.get(loss)),), mixture, **flags)
    logits = [jnp.asarray(rng.normal(size=k)) if k > 1 else None for k in (mixture.generators, mixture.discriminators)]
    draw = Draw(
        jnp.asarray(rng.normal(size=(N, 2))), jnp.asarray(rng.normal(size=(mixture.generators, N, 3))), None,
        jnp.asarray(rng.uniform(size=N)),
    )  # fmt: skip
    weighting = Weighting(jnp.asarray(0), jnp.asarray(0.7), jnp.asarray(3.0))
    return (
        Game(rules, generator, discriminator),
        {"nets": g, "logits": logits[0]},
        {"nets": d, "logits": logits[1]},
        weighting,
        draw,
    )


NAMES = (*losses.names(), "alpha(0.3)", "alpha(1.5)")


@functools.cache
def quotients():
    """Both players' derivatives along a direction and difference quotients, compiled once for all losses."""
    game, g, d, weighting, draw = a_game("log", hg.neural.Mixture(T, U, 0.3), has_r1=True, has_gradient_penalty=True)
    every = tuple(losses.get(name) for name in NAMES)
    game = game._replace(rules=dataclasses.replace(game.rules, losses=every, between=tuple(map(losses.between, every))))

    def pair(function, player):
        flat, back = jax.flatten_util.ravel_pytree(player)
        along = jnp.asarray(np.random.default_rng(1).normal(size=flat.size))
        slope = jax.grad(lambda flat: function(back(flat))[0])(flat) @ along
        ahead, behind = (function(back(flat + sign * 1e-5 * along))[0] for sign in (1, -1))
        return jnp.stack([slope, (ahead - behind) / 2e-5])

    @jax.jit
    def both(which):
        own = weighting._replace(which=which)
        fake = game.simulated(g, draw)

        # Logits apart: by their weights penalties are shared out, which is no part of the objective.
        def of_d(nets):
            return game.discriminator_loss(d | {"nets": nets}, g, None, own, draw, fake)

        return pair(of_d, d["nets"]), pair(lambda p: game.generator_loss(p, d, None, own, draw), g)

    return both


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_difference_quotients(x64, name):
    for slope, quotient in quotients()(NAMES.index(name)):
        assert np.isclose(slope, quotient, rtol=1e-6, atol=1e-9)
        assert abs(slope) > 1e-4  # there is something to compare


def test_the_weights_of_a_mixture(x64):
    """Slopes in the logits: by hand, from the payoff matrix P, they are -u_j ((P w)_j - u'P w) and the entropy's."""
    entropy = 0.3
    game, g, d, weighting, draw = a_game("log", hg.neural.Mixture(T, U, entropy))
    fake = game.simulated(g, draw)
    payoff = np.asarray(game.payoffs(g, d, None, weighting, draw)).T
    w, u = np.asarray(weights(g)), np.asarray(weights(d))
    assert np.isclose(w.sum(), 1)
    assert np.isclose(u.sum(), 1)
    _, (value, _, _) = game.discriminator_loss(d, g, None, weighting, draw, fake)
    assert np.isclose(value, u @ payoff @ w, rtol=1e-12)
    slope = jax.grad(lambda p: game.discriminator_loss(p, g, None, weighting, draw, fake)[0])(d)["logits"]
    # The entropy term is -mean_j log u_j, whose slope is u_j - 1/U.
    by_hand = -u * (payoff @ w - u @ payoff @ w) + entropy * (u - 1 / U)
    assert np.allclose(slope, by_hand, rtol=1e-9)


def test_penalties_by_hand(x64):
    """Of the discriminator v = 2 x_1 + x_2, whose slope has length sqrt 5 everywhere."""
    frame = Frame(np.zeros(2), np.ones(2), (2,), False)
    plane = PerceptronDiscriminator(Perceptron((jnp.asarray([[2.0], [1.0]]),), (jnp.zeros(1),), "tanh"), frame)
    game, g, _, weighting, draw = a_game("wasserstein", hg.neural.Mixture(1, 1), has_r1=True, has_gradient_penalty=True)
    nets, skeleton = eqx.partition(plane, is_trained)
    game = game._replace(discriminator=skeleton)
    player = {"nets": jax.tree.map(lambda leaf: leaf[None], nets), "logits": None}
    fake = game.simulated(g, draw)
    loss, (value, _, _) = game.discriminator_loss(player, g, None, weighting, draw, fake)
    means = np.asarray(draw.real).mean(0) - np.asarray(fake[0]).mean(0)
    assert np.isclose(value, means @ [2, 1], rtol=1e-12)
    assert np.isclose(loss + value, 0.7 / 2 * 5 + 3 * (np.sqrt(5) - 1) ** 2, rtol=1e-9)


class TestLosses:
    def test_values_by_hand(self):
        v = jnp.asarray([-2.0, 0.0, 0.5, 3.0])
        hinge, lsgan = losses.get("hinge"), losses.get("lsgan")
        assert np.allclose(hinge.real(v), [-3, -1, -0.5, 0])
        assert np.allclose(hinge.fake(v), [0, -1, -1.5, -4])
        assert np.allclose(lsgan.real(v), [-4.5, -0.5, -0.125, -2])
        assert np.allclose(lsgan.fake(v), [-2, 0, -0.125, -4.5])
        assert np.allclose(lsgan.adversary(v), [4.5, 0.5, 0.125, 2])
        assert np.allclose(losses.get("wasserstein").real(v) + losses.get("wasserstein").fake(v), 0)

    def test_lsgan_is_not_the_packages_least_squares(self):
        assert losses.get("lsgan") != losses.get("least_squares")
        assert losses.get("least_squares") == hg.losses.least_squares

    @pytest.mark.parametrize("name", ["lsgan", "hinge"])
    def test_what_is_descended(self, name):
        """Slopes in a location of Q are the generator's at the best score (envelope theorem).

        lsgan, at the score p/(p + q): KL(P || (P + Q)/2) - 1/8 int (p - q)^2/(p + q). hinge, at the score sign(p - q):
        int |p - q|, twice total variation.
        """
        x = np.linspace(-12.0, 14.0, 26001)

        def law(at):
            return np.exp(-((x - at) ** 2) / 2) / np.sqrt(2 * np.pi)

        p = law(0.0)

        def divergence(at):
            q = law(at)
            if name == "hinge":
                return np.trapezoid(np.abs(p - q), x)
            return np.trapezoid(p * np.log(2 * p / (p + q)) - (p - q) ** 2 / (p + q) / 8, x)

        for shift in (0.5, 2.0):
            q = law(shift)
            score = np.sign(p - q) if name == "hinge" else p / (p + q)
            with jax.enable_x64(True):
                objective = np.asarray(losses.get(name).adversary(jnp.asarray(score)))
            slope = np.trapezoid(objective * (law(shift + 1e-4) - law(shift - 1e-4)), x)
            assert np.isclose(slope, divergence(shift + 1e-4) - divergence(shift - 1e-4), rtol=1e-4)

    def test_unbounded_weights_are_continued(self):
        steep, own = losses.get("hellinger"), hg.losses.hellinger
        inside = jnp.linspace(-6.0, 6.0, 25)
        assert np.allclose(steep.real(inside), own.real(inside), rtol=1e-6)
        slope = jax.vmap(jax.grad(steep.real))(jnp.asarray([-6.0, -7.0, -60.0, -6e4]))
        assert np.allclose(slope, np.exp(3) / 2, rtol=1e-5)
        assert steep.has_bounded_weights
        assert losses.get("root") == hg.losses.root

    def test_unknown(self):
        with pytest.raises(ValueError, match=r"loss: 'hingge' is not known; give one of log, .*hinge, lsgan"):
            losses.get("hingge")
