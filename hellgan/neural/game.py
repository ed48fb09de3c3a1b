"""The game of networks on a minibatch: what each player minimises, for one pair of them or a mixture.

A player is a dict: ``nets``, the trained arrays of its networks with a leading axis for the members of a mixture, and
``logits`` of their weights, None where there is one member.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax

from hellgan.losses import Loss
from hellgan.neural import spectral
from hellgan.neural.mixture import Mixture
from hellgan.neural.modules import BATCH


@dataclasses.dataclass(frozen=True)
class Rules:
    """What the game is, hashable.

    Attributes
    ----------
    losses : tuple of Loss
        All that are played by some model at some time.
    between : tuple of float
        For each loss, the score that tells real observations from simulated ones.
    mixture : Mixture
    has_r1, has_gradient_penalty, is_spectral : bool
    """

    losses: tuple[Loss, ...]
    between: tuple[float, ...]
    mixture: Mixture
    has_r1: bool = False
    has_gradient_penalty: bool = False
    is_spectral: bool = False


class Draw(NamedTuple):
    """What is drawn for one gradient of either player."""

    real: jax.Array  # (b, ...), with its noise
    latents: jax.Array  # (T, m, k)
    noise: jax.Array | None  # (T, m, ...), of what is simulated
    shares: jax.Array | None  # (b,), where between real and simulated the gradient penalty looks


class Weighting(NamedTuple):
    """Which loss is played, and how much penalties weigh: numbers."""

    which: jax.Array
    r1: jax.Array
    gradient_penalty: jax.Array


class Game(NamedTuple):
    """The game of one model: its rules, and its networks without their trained arrays."""

    rules: Rules
    generator: Any
    discriminator: Any

    def simulated(self, g: dict, draw: Draw) -> jax.Array:
        """Observations of each generator, (T, m, ...)."""

        def of(nets, z):
            return jax.vmap(eqx.combine(nets, self.generator), axis_name=BATCH)(z)

        drawn = _each(of, self.rules.mixture.generators, g["nets"], draw.latents)
        return drawn if draw.noise is None else drawn + draw.noise

    def modules(self, function: Callable, d: dict, vectors):
        """Map a function of a module over the discriminators: its results with a leading axis U."""

        def of(nets, vectors):
            nets = spectral.normalised(nets, vectors) if self.rules.is_spectral else nets
            return function(eqx.combine(nets, self.discriminator))

        return _each(of, self.rules.mixture.discriminators, d["nets"], vectors)

    def discriminator_loss(self, d: dict, g: dict, vectors, weighting: Weighting, draw: Draw, fake: jax.Array):
        """What discriminators minimise; beside it, the value of the game and the accuracy on either sample."""
        rules, b, (t, m) = self.rules, len(draw.real), fake.shape[:2]
        rows = jnp.concatenate([draw.real, fake.reshape((t * m, *fake.shape[2:]))])
        v = self.modules(lambda module: scores(module, rows), d, vectors)
        real, simulated = v[:, :b], v[:, b:].reshape((-1, t, m))
        payoff = jnp.mean(self._played("real", weighting, real), 1)[:, None]
        payoff = payoff + jnp.mean(self._played("fake", weighting, simulated), 2)
        u, w = weights(d), lax.stop_gradient(weights(g))
        value = u @ payoff @ w
        penalties = self.modules(lambda module: self._penalty(module, weighting, draw, fake), d, vectors)
        loss = -value + lax.stop_gradient(u) @ penalties + rules.mixture.entropy * _spread(d)
        line = jnp.asarray(rules.between, v.dtype)[weighting.which]
        undefined = jnp.where(jnp.isnan(line), jnp.nan, 0.0).astype(v.dtype)
        accuracies = jnp.mean(real > line) + undefined, jnp.mean(simulated < line) + undefined
        return loss, (value, *accuracies)

    def generator_loss(self, g: dict, d: dict, vectors, weighting: Weighting, draw: Draw):
        """What generators minimise."""
        fake = self.simulated(g, draw)
        t, m = fake.shape[:2]
        rows = fake.reshape((t * m, *fake.shape[2:]))
        v = self.modules(lambda module: scores(module, rows), d, vectors).reshape((-1, t, m))
        payoff = jnp.mean(self._played("adversary", weighting, v), 2)
        loss = lax.stop_gradient(weights(d)) @ payoff @ weights(g)
        return loss + self.rules.mixture.entropy * _spread(g), loss

    def payoffs(self, g: dict, d: dict, vectors, weighting: Weighting, draw: Draw) -> jax.Array:
        """V of every pair, (T, U)."""
        fake = self.simulated(g, draw)
        t, m = fake.shape[:2]
        rows = fake.reshape((t * m, *fake.shape[2:]))
        real = self.modules(lambda module: scores(module, draw.real), d, vectors)
        v = self.modules(lambda module: scores(module, rows), d, vectors).reshape((-1, t, m))
        real = jnp.mean(self._played("real", weighting, real), 1)
        return (real[:, None] + jnp.mean(self._played("fake", weighting, v), 2)).T

    def _played(self, part: str, weighting: Weighting, v: jax.Array) -> jax.Array:
        functions = [getattr(loss, part) for loss in self.rules.losses]
        return functions[0](v) if len(functions) == 1 else lax.switch(weighting.which, functions, v)

    def _penalty(self, module, weighting: Weighting, draw: Draw, fake: jax.Array) -> jax.Array:
        """R1, the gradient penalty, and the module's own ``penalty``, such as a ridge."""
        own = getattr(module, "penalty", None)
        total: Any = own() if callable(own) else jnp.zeros((), draw.real.dtype)
        if self.rules.has_r1:
            total = total + weighting.r1 / 2 * jnp.mean(_squared_slopes(module, draw.real))
        if self.rules.has_gradient_penalty:
            count = min(len(draw.real), fake.shape[1])
            each = jnp.arange(count)
            mirror = lax.stop_gradient(fake[each % fake.shape[0], each])
            share = draw.shares[:count].reshape((count,) + (1,) * (mirror.ndim - 1))  # pyright: ignore[reportOptionalSubscript]
            slopes = _squared_slopes(module, share * draw.real[:count] + (1 - share) * mirror)
            # The root has no slope at 0, where a network that is constant begins.
            total = total + weighting.gradient_penalty * jnp.mean((jnp.sqrt(slopes + 1e-12) - 1) ** 2)
        return total


def scores(module, rows: jax.Array) -> jax.Array:
    """What a discriminator says of each row, (r,)."""
    return jax.vmap(lambda row: jnp.reshape(module(row), ()))(rows)


def weights(player: dict) -> jax.Array:
    """Weights of a player's networks, which sum to 1."""
    return jnp.ones(1, jnp.float32) if player["logits"] is None else jax.nn.softmax(player["logits"])


def _spread(player: dict) -> jax.Array:
    """Minus the mean logarithm of a player's weights: least where they are equal."""
    if player["logits"] is None:
        return jnp.zeros(())
    return -jnp.mean(jax.nn.log_softmax(player["logits"]))


def _squared_slopes(module, rows: jax.Array) -> jax.Array:
    slopes = jax.grad(lambda rows: jnp.sum(scores(module, rows)))(rows)
    return jnp.sum(slopes.reshape((len(rows), -1)) ** 2, axis=1)


def _each(function: Callable, members: int, *stacks):
    """Map over the members of a mixture; a single one without an axis, which compiled products would feel."""
    if members > 1:
        return jax.vmap(function)(*stacks)
    found = function(*jax.tree.map(lambda leaf: leaf[0], stacks))
    return jax.tree.map(lambda leaf: leaf[None], found)
