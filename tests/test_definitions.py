"""What defines an object; that no compiled program answers for what a function was before."""

import dataclasses
import functools
import json
import math
import os
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import hellgan as hg
from hellgan import functions
from hellgan.definitions import definition, digest, untold
from hellgan.execution import programs
from hellgan.generators import Generator

GAIN = 1.0


def scaled(x):
    return GAIN * x


def through(x):
    return scaled(x) + 1


def factorial(k):
    return 1 if k == 0 else k * factorial(k - 1)


def even(k):
    return k == 0 or odd(k - 1)


def odd(k):
    return k != 0 and even(k - 1)


def logged(function):
    @functools.wraps(function)
    def inner(*arguments):
        return function(*arguments)

    return inner


@logged
def one(x):
    return x + 1


@logged
def two(x):
    return x + 2


class Model:
    def __init__(self, gain):
        self.gain = gain

    def draw(self, z, loc, scale):
        return self.gain * loc + scale * z

    def __call__(self, x):
        return self.gain * x

    @functools.cached_property
    def twice(self):
        return 2 * self.gain


class Slotted:
    __slots__ = ("gain",)

    def __init__(self, gain):
        self.gain = gain

    def __call__(self, x):
        return self.gain * x


@dataclasses.dataclass
class Settings:
    gain: float
    names: tuple = ()


def closing(value):
    return lambda x: x + value


def keyword(by):
    def inner(x, *, by=by):
        return x + by

    return inner


def attributed(by):
    def inner(x):
        return x + inner.by  # pyright: ignore[reportFunctionMemberAccess]

    inner.by = by  # pyright: ignore[reportFunctionMemberAccess]
    return inner


PAIRS = {
    "lambdas on one line": (lambda x: x + 1, lambda x: x + 2),
    "constants of a kind": (lambda x: x + 1, lambda x: x + 1.0),
    "signs of zero": (lambda x: x + 0.0, lambda x: x + -0.0),
    "methods of the sample": (lambda x: x.mean(), lambda x: x.max()),
    "functions inside": (lambda x: (lambda y: y + 1)(x), lambda x: (lambda y: y + 2)(x)),
    "names of arguments": (lambda x, *, rng: rng.random(), lambda x, *, seed: seed.random()),
    "wrapped": (one, two),
    "bound methods": (Model(1.0).draw, Model(2.0).draw),
    "callable objects": (Model(1.0), Model(2.0)),
    "objects with slots": (Slotted(1.0), Slotted(2.0)),
    "closures": (closing(1.0), closing(2.0)),
    "closures over objects": (closing(Model(1.0)), closing(Model(2.0))),
    "closures over records": (closing(Settings(1.0)), closing(Settings(2.0))),
    "closures over large arrays": (closing(np.zeros(10_000)), closing(np.eye(100).ravel())),
    "closures over single precision": (closing(np.full(3, 0.1)), closing(np.full(3, 0.1, np.float32))),
    "closures over frames": (closing(pd.DataFrame({"a": [1, 2]})), closing(pd.DataFrame({"a": [1, 3]}))),
    "closures over generators": (closing(np.random.default_rng(1)), closing(np.random.default_rng(2))),
    "closures over sets": (closing({"a", "b"}), closing({"a", "c"})),
    "closures over other keys": (closing({1: 2.0}), closing({"1": 2.0})),
    "keyword defaults": (keyword(1.0), keyword(2.0)),
    "attributes": (attributed(1.0), attributed(2.0)),
    "partials": (functools.partial(max, 1), functools.partial(max, 2)),
    "partials of methods": (functools.partial(Model(1.0).draw, 1.0), functools.partial(Model(2.0).draw, 1.0)),
    "compiled functions": (jax.jit(closing(1.0)), jax.jit(closing(2.0))),
    "bound methods of built-in objects": ([1.0].index, [2.0].index),
    "NumPy's": (np.mean, np.median),
    "JAX's": (jnp.sin, jnp.cos),
    "built in": (math.sin, math.cos),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_what_differs_has_another_definition(kind):
    first, second = PAIRS[kind]
    assert digest(first) != digest(second)
    assert digest(first) == digest(first)
    assert untold(definition(first)) is None
    json.dumps(definition(first))


@pytest.mark.parametrize(
    "function",
    [scaled, through, lambda x: json.loads(x) * GAIN, Model(0).draw],
    ids=["scaled", "through", "lambda", "bound"],
)
def test_values_and_functions_that_a_function_names_are_part_of_it(function, monkeypatch):
    before = digest(function)
    monkeypatch.setitem(globals(), "GAIN", 2.0)
    assert (digest(function) != before) == (function.__name__ != "draw")


def test_attributes_of_own_modules_are_part_of_a_function(monkeypatch):
    settings = types.ModuleType("own_settings")
    settings.gain = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "own_settings", settings)

    def reads(x):
        return settings.gain * x  # pyright: ignore[reportAttributeAccessIssue]

    before = digest(reads)
    monkeypatch.setattr(settings, "gain", 2.0)
    assert digest(reads) != before


def test_recursion_ends():
    assert digest(factorial) != digest(even) != digest(odd)
    circle: list = [1]
    circle.append(circle)
    model = Model(1.0)
    model.gain = model  # pyright: ignore[reportAttributeAccessIssue]
    for function in (closing(circle), closing(model), factorial, even):
        assert untold(definition(function)) is None


def test_use_changes_no_definition():
    model, function = Model(2.0), closing(np.ones(3))
    before = digest(model), digest(function), digest(factorial)
    assert model.twice == 4.0
    for _ in range(3000):  # Python rewrites the code of what is called often
        function(1.0)
        factorial(5)
    assert (digest(model), digest(function), digest(factorial)) == before


def test_what_cannot_be_told_says_so():
    lock = threading.Lock()
    assert untold(definition(closing(lock))) == "_thread.lock"
    assert untold(definition(closing([{"deep": (lock,)}]))) == "_thread.lock"
    nested: list = []
    for _ in range(5000):
        nested = [nested]
    assert "leads to too much" in str(untold(definition(nested)))


SCRIPT = """
import functools, math, sys
sys.path.insert(0, {folder!r})
import numpy as np
from test_definitions import *
def own(x, names=frozenset({{"a", "b", "c"}})):
    return x if x in {{"p", "q", "r"}} else through(math.sin(x))
things = [own, closing({{"u", "v", "w"}}), one, Model(1.0).draw, Settings, factorial, even, lambda x: np.mean(x) + GAIN]
print([digest(thing) for thing in things])
"""


def test_definitions_do_not_depend_on_the_process():
    code = SCRIPT.format(folder=str(Path(__file__).parent))
    found = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout
        for env in ({**ENVIRONMENT, "PYTHONHASHSEED": seed} for seed in ("1", "2"))
    }
    (line,) = found
    assert len(set(line.split())) == 8


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


# Programs.


@programs.program
def _drawn(generator, theta, z):
    return generator(theta, z)


def drawn(generator):
    return float(_drawn(generator, np.array([3.0, 0.0]), np.zeros(1))[0])


SPACES: dict[str, Any] = {"loc": hg.real(), "scale": hg.positive()}


def test_a_method_decorated_again_is_compiled_again():
    model, found = Model(1.0), []
    for model.gain in (1.0, 2.0):
        found.append(drawn(hg.generator(**SPACES)(model.draw)))
    assert found == [3.0, 6.0]


def test_a_function_of_a_changed_variable_is_compiled_again(monkeypatch):
    def draw(z, loc, scale):
        return GAIN * loc + scale * z

    found = [drawn(hg.generator(**SPACES)(draw))]
    monkeypatch.setitem(globals(), "GAIN", 2.0)
    assert [*found, drawn(hg.generator(**SPACES)(draw))] == [3.0, 6.0]


def test_the_same_function_shares_programs():
    model = Model(1.0)
    first, second = (hg.generator(**SPACES)(model.draw) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != hg.generator(**SPACES)(Model(1.0).draw)


def test_what_has_changed_since_is_refused():
    model = Model(1.0)
    generator = hg.generator(**SPACES)(model.draw)
    model.gain = 2.0
    with pytest.raises(ValueError, match="generator: what the function draw reads has changed since it was given"):
        hg.GAN(np.arange(9.0), generator)
    with pytest.raises(ValueError, match="generator: what the function draw reads has changed"):
        hg.truth(generator, loc=0.0, scale=1.0)
    with pytest.raises(ValueError, match="generator: what the function draw reads has changed"):
        drawn(generator)


def test_losses_and_features_follow_their_functions():
    model = Model(1.0)
    first = hg.Loss(lambda v: -jnp.exp(-v * model.gain), name="own")
    features = hg.discriminators.Features(lambda x: jnp.stack([x, model.gain * x**2]))
    assert hg.losses.get(first) is first
    slope = first.c
    model.gain = 2.0
    with pytest.raises(ValueError, match=r"loss: what the function <lambda> reads has changed"):
        hg.losses.get(first)
    with pytest.raises(ValueError, match=r"discriminator: .*changed"):
        features.place(np.ones((9, 1)), np.full(9, 1 / 9), 0)
    assert hg.Loss(first.real.function, name="own").c == 2 * slope  # pyright: ignore[reportFunctionMemberAccess]


def test_a_function_that_counts_its_calls_works():
    calls = []

    def draw(z, loc, scale):
        calls.append(1)
        return loc + scale * z

    generator = hg.generator(**SPACES)(draw)
    assert [drawn(generator), drawn(generator)] == [3.0, 3.0]
    count = len(calls)
    assert drawn(generator) == 3.0
    assert len(calls) == count  # compiled once


class Own(Generator):
    """A user's family."""

    gain = 1.0

    @property
    def parameters(self):
        return SPACES

    @property
    def law(self):
        return hg.generators.Normal().law

    def draw(self, z, loc, scale):
        return self.gain * loc + scale * z


def test_a_family_whose_class_changes_is_compiled_again(monkeypatch):
    family = Own()
    functions.require_unchanged(family)
    assert drawn(family) == 3.0
    forgotten = []
    monkeypatch.setattr(functions.jax, "clear_caches", lambda clear=jax.clear_caches: forgotten.append(1) or clear())
    functions.require_unchanged(Own())
    assert not forgotten
    monkeypatch.setattr(Own, "gain", 2.0)
    functions.require_unchanged(family)
    assert drawn(family) == 6.0
    assert forgotten
