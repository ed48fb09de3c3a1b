"""Games with known truth that several test files share; small, and few shapes, since each costs a compilation."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import hellgan as hg
from hellgan.objective import Game

LOSSES = ("log", "hellinger", "root", "least_squares", "root_ns", "log_ns", "kl")


def logistic_features(x):
    """The features of theory section 2's example: x and the score of the logistic location model."""
    return jnp.stack([x, jnp.tanh(x / 2)])


LOGISTIC_SCORE = hg.discriminators.Features(logistic_features)
LOGISTIC_LOCATION = hg.generators.Logistic().fix(scale=1.0)


@hg.generator(latent="uniform", latent_dim=2, shift=hg.real(), spread=hg.positive(), twist=hg.interval(-1.0, 1.0))
def curved(u, shift, spread, twist):
    """A simulator curved in all its parameters, in two dimensions."""
    radius = spread * jnp.sqrt(-2 * jnp.log(u[0]))
    angle = 2 * jnp.pi * u[1] + twist
    return jnp.stack([shift + radius * jnp.cos(angle), twist * shift + radius**1.5 * jnp.sin(angle)])


@hg.generator(latent="uniform", loc=hg.real(), scale=hg.positive())
def gumbel(u, loc, scale):
    """The Gumbel law as a user would write it."""
    return loc - scale * jnp.log(-jnp.log(u))


def game(loss="root", world="normal", n=40, latent="sobol", m=64, ridge=None, seed=0) -> Game:
    """A small game: ``normal`` (p = 2), ``curved`` (p = 3, d = 2) or ``logistic`` (p = 1)."""
    rng = np.random.default_rng(seed)
    generator, discriminator, x = {
        "normal": lambda: (hg.generators.Normal(), hg.discriminators.Sigmoids(5, ridge), rng.normal(1, 2, n)),
        "curved": lambda: (curved, hg.discriminators.Sigmoids(3, ridge), rng.normal([0, 1], [1, 2], (n, 2))),
        "logistic": lambda: (LOGISTIC_LOCATION, LOGISTIC_SCORE, rng.logistic(size=n)),
    }[world]()
    return hg.GAN(x, generator, discriminator, loss, latent=latent, n_simulated=m, seed=seed).game()


@functools.lru_cache
def point(p, size, seed=3):
    """Some (theta, alpha) at which nothing is special."""
    rng = np.random.default_rng(seed)
    return 0.3 * rng.normal(size=p), 0.4 * rng.normal(size=size)


def jit_of(function):
    """Compile once per function object."""
    return jax.jit(function)
