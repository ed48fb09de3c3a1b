"""Functions of users' own that are not the same each time, or cannot be compiled: told when they are given."""

import functools
import random
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hellgan as hg
from hellgan import constraints, latents
from hellgan.generators import Generator

X = np.random.default_rng(0).normal(1.0, 2.0, 200)
NOISE = np.random.default_rng(1)
COUNT = [0.0]


def refusal(call):
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def simulator(function, **options):
    return hg.generator(a=hg.real(), s=hg.positive(), **options)(function)


def seeded(z, a, s):
    np.random.seed(0)  # noqa: NPY002
    return a + s * z + np.random.normal()  # noqa: NPY002


def counted(z, a, s):
    COUNT[0] += 1
    return a + s * z + COUNT[0]


@jax.jit
def compiled(z, a, s):
    return a + s * z + NOISE.normal()


def scanned(z, a, s):
    return jax.lax.scan(lambda at, each: (at + s * each + NOISE.normal(), None), a, z)[0]


UNSTEADY: dict[str, Any] = {
    "a NumPy generator": lambda z, a, s: a + s * z + NOISE.normal(),
    "NumPy's global one": lambda z, a, s: a + s * z + np.random.normal(),  # noqa: NPY002
    "the global one, seeded": seeded,
    "Python's": lambda z, a, s: a + s * z + random.random(),
    "a clock": lambda z, a, s: a + s * z + (time.perf_counter_ns() % 1000),
    "a counter": counted,
    "inside jax.jit": lambda z, a, s: compiled(z, a, s),
    "an array": lambda z, a, s: a + s * z * jnp.mean(jnp.asarray(NOISE.normal(size=3))),
    "which way": lambda z, a, s: a + s * z if NOISE.random() < 0.5 else a + s * jnp.tanh(z),
    "which power": lambda z, a, s: a + s * z ** int(NOISE.integers(2, 2**20)),
}


@pytest.mark.parametrize("function", UNSTEADY.values(), ids=UNSTEADY)
def test_randomness_of_its_own_is_refused(function):
    if function is UNSTEADY["which way"]:  # one of many tries, as each is a coin
        message = refusal(lambda: [simulator(function) for _ in range(40)])
    else:
        message = refusal(lambda: simulator(function))
    assert message.startswith("generator: the function draws random numbers or changes something of its own")


def test_randomness_inside_a_loop_and_with_covariates():
    assert "draws random numbers" in refusal(lambda: simulator(scanned, latent_dim=3))
    given = functools.partial(hg.generator, covariates=1, b=hg.real())
    assert "draws random numbers" in refusal(lambda: given()(lambda z, x, b: b * x + z + NOISE.normal()))


def test_the_users_random_numbers_stay_as_they_were():
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    expected = np.random.random(), random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    simulator(lambda z, a, s: a + s * z)
    assert (np.random.random(), random.random()) == expected  # noqa: NPY002


def test_what_is_the_same_each_time_is_accepted():
    weights, key = jnp.asarray(NOISE.normal(size=(3, 3))), jax.random.key(0)
    inner = jax.jit(lambda z, a, s: a + s * z)
    for function in (
        lambda z, a, s: a + s * z + jnp.sum(weights) * jnp.nan_to_num(jnp.inf * 0 * z),
        lambda z, a, s: a + s * z * jax.random.uniform(key),
        lambda z, a, s: inner(z, a, s),
        lambda z, a, s: jax.lax.while_loop(lambda at: at < 3.0, lambda at: at + s, a) + z,
    ):
        assert simulator(function).names == ["a", "s"]


class Noisy(Generator):
    @property
    def parameters(self):
        return {"loc": constraints.real(), "scale": constraints.positive()}

    @property
    def law(self):
        return latents.normal

    def draw(self, z, loc, scale):
        return loc + scale * z + NOISE.normal()


def test_a_class_is_asked_too():
    assert "draw of Noisy draws random numbers" in refusal(lambda: hg.GAN(X, Noisy()))
    assert "draw of Noisy draws random numbers" in refusal(lambda: hg.GAN(X, Noisy().fix(loc=1.0)))


def test_features_are_asked_too():
    noisy = hg.discriminators.Features(lambda x: jnp.stack([x, x**2, jnp.tanh(x)]) + NOISE.normal())
    message = refusal(lambda: hg.GAN(X, hg.generators.Normal(), noisy))
    assert message.startswith("discriminator: the function of the features draws random numbers")


# Callbacks, and derivatives.


@pytest.mark.parametrize("method", [None, "sequential", "expand_dims"], ids=str)
def test_callbacks_are_refused(method):
    def called(z, a, s):
        shape = jax.ShapeDtypeStruct((), z.dtype)
        return jax.pure_callback(lambda *v: np.asarray(v[1] + v[2] * v[0]), shape, z, a, s, vmap_method=method)

    message = refusal(lambda: simulator(called))
    assert message.startswith("generator: the function cannot be mapped over draws and differentiated")


def test_a_rule_for_reverse_mode_alone_is_refused():
    @jax.custom_vjp
    def same(x):
        return x

    same.defvjp(lambda x: (x, None), lambda _, slope: (slope,))
    assert "cannot be mapped over draws and differentiated" in refusal(
        lambda: simulator(lambda z, a, s: a + same(s * z))
    )


# Inside JAX's own compilation.


def test_fits_inside_jit():
    result = hg.GAN(X, hg.generators.Normal()).fit()
    calls: list[Any] = [
        lambda: hg.GAN(X, hg.generators.Normal()).fit().params["loc"],
        lambda: result.quantile(0.5).params.iloc[0],
    ]
    for call in calls:
        message = refusal(lambda call=call: jax.jit(lambda a: a + call())(1.0))
        assert message.startswith("hellgan: called inside a function that JAX compiles")
    traced = refusal(lambda: jax.grad(lambda a: hg.GAN(a * X, hg.generators.Normal()).fit().params["loc"])(1.0))
    assert traced.startswith("data: not numeric (it is traced")
