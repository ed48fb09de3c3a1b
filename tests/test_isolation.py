"""hellgan keeps to itself: threads, precision, seeds, traces and imports."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiled import compilations

import hellgan as hg
from hellgan.objective import evaluation
from hellgan.solver import joint

ROOT = Path(hg.__file__).parents[1]
NEWCOMB = hg.datasets.load_newcomb()


def fit(x=NEWCOMB, seed=0, **arguments):
    return hg.GAN(x, hg.generators.Normal(), seed=seed, **arguments).fit()


def numbers(result):
    """All that a fit computes, as one array."""
    parts = (result.params, result.cov_params(), result.conf_int(), result.joint_cov(), result.outlier_scores())
    return np.concatenate([np.ravel(part) for part in parts] + [[result.saddle.value, result.saddle.score_norm]])


@pytest.fixture(scope="module")
def newcomb():
    return fit()


def test_double_precision_whatever_the_users_setting(newcomb):
    """Single precision would leave a score norm near 1e-4 and a value on the grid of float32."""
    every = numbers(newcomb)
    assert every.dtype == np.float64
    assert newcomb.saddle.score_norm < 1e-8
    assert np.mean(every == every.astype(np.float32)) < 0.1
    assert newcomb.sample(3).dtype == newcomb.log_ratio([1.0]).dtype == np.float64


def test_two_threads_give_the_numbers_of_one(newcomb):
    """The context of double precision is thread-local: a worker without its own computes in single."""
    samples = [NEWCOMB, NEWCOMB[::-1].copy()]
    alone = [numbers(newcomb), numbers(fit(samples[1]))]
    together = Barrier(2)

    def work(x):
        together.wait(timeout=60)
        return numbers(fit(x))

    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            for found, wanted in zip(pool.map(work, samples), alone, strict=True):
                np.testing.assert_array_equal(found, wanted)


def test_a_result_may_be_used_in_another_thread(newcomb):
    def use():
        return [newcomb.log_ratio(NEWCOMB), newcomb.sample(5, seed=1), newcomb.estfun(), newcomb.conf_int()]

    with ThreadPoolExecutor(1) as pool:
        for elsewhere, here in zip(pool.submit(use).result(), use(), strict=True):
            np.testing.assert_array_equal(elsewhere, here)


def users_own_work():
    """What a user of JAX with its defaults computes: dtypes, numbers, and the traces it takes."""
    traces = []

    @jax.jit
    def mean_of_squares(x):
        traces.append(x.dtype)
        return jnp.mean(x**2) + 0.1

    x = jnp.linspace(0, 1, 7)
    out = [mean_of_squares(x), jax.grad(mean_of_squares)(x), jax.random.normal(jax.random.key(0), (3,)), jnp.ones(2)]
    key_words = [setting.value for setting in (jax.enable_x64, jax.numpy_rank_promotion, jax.debug_nans)]
    return [np.asarray(o) for o in out], [str(o.dtype) for o in out], [str(t) for t in traces], key_words


def test_the_users_own_jax_is_left_alone():
    wanted = "float64" if jax.enable_x64.value else "float32"
    before = users_own_work()
    fit(weights=np.arange(1.0, 67.0)).summary()
    after = users_own_work()
    assert before[1:] == after[1:]
    assert set(before[1]) == {wanted}
    for one, other in zip(before[0], after[0], strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_users_settings_survive_an_error():
    before = users_own_work()

    @hg.generator(loc=hg.real())
    def fails_in_double(z, loc):
        if z.dtype == jnp.float64:
            raise ArithmeticError("of the user's own")
        return loc + z

    model = hg.GAN(NEWCOMB, fails_in_double)
    with pytest.raises(ArithmeticError, match="of the user's own"):
        model.fit(start=[27.0])
    assert users_own_work()[1:] == before[1:]


def test_the_users_results_are_numpy(newcomb):
    """A float64 array of JAX that leaves the context would be cast to single precision by the user's next step."""
    for value in (*vars(newcomb.saddle).values(), *vars(newcomb.sandwich).values()):
        assert isinstance(value, (np.ndarray, float, int, bool, str))
    for value in (newcomb.sample(2), newcomb.log_ratio([1.0]), newcomb.outlier_scores(), newcomb.outliers()):
        assert type(value) is np.ndarray


# Seeds.


def test_the_seed_decides(newcomb):
    np.testing.assert_array_equal(numbers(fit()), numbers(newcomb))
    np.testing.assert_array_equal(numbers(fit(seed=np.int64(0))), numbers(newcomb))  # pyright: ignore[reportArgumentType]
    other = fit(seed=1)
    assert not np.any(other.params == newcomb.params)
    # scrambled Sobol noise is small beside the standard error
    assert np.all(np.abs(other.params - newcomb.params) < newcomb.bse)


def global_state():
    """The numbers of NumPy's global generator."""
    return np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002


def test_global_random_state_is_neither_read_nor_moved(newcomb):
    np.random.seed(3)  # noqa: NPY002  (the global state is what the test is about)
    before = global_state()
    np.testing.assert_array_equal(numbers(fit()), numbers(newcomb))
    np.testing.assert_array_equal(global_state(), before)


# Traces.


def test_twenty_fresh_fits_trace_once(newcomb):
    """Data, weights, knots, latents, start and seed are arrays: only names and sizes are compiled in."""
    rng = np.random.default_rng(0)

    before = compilations(joint.search, evaluation.parts)
    for k in range(20):
        n = 65 + k % 16  # sixteen sizes share one padded size
        sample = rng.normal(3.0 * k, 1 + k, size=n)
        weights = rng.uniform(0.5, 1, size=n) if k % 2 else None
        model = hg.GAN(sample, hg.generators.Normal(), hg.discriminators.Sigmoids(16), "root", weights=weights, seed=k)
        assert model.fit().converged
    assert compilations(joint.search, evaluation.parts) == before


def test_a_users_generator_is_compiled_once():
    def own(z, loc):
        return loc + 5.0 * z

    def fresh(k):
        generator = hg.generator(loc=hg.real())(own)  # the decorator anew each time, of the same function
        hg.GAN(NEWCOMB + k, generator, seed=k).fit().conf_int()
        return compilations(joint.search, evaluation.parts)

    before = compilations(joint.search, evaluation.parts)
    first = fresh(0)
    assert first != before
    assert [fresh(k) for k in range(1, 6)] == [first] * 5


def test_losses_of_equal_functions_share_their_programs():
    def game(real):
        loss = hg.Loss(real=real, name="mine", concave=False)
        return jax.tree.structure(hg.GAN(NEWCOMB, hg.generators.Normal(), loss=loss).game())

    assert game(hg.losses.root.real) == game(hg.losses.root.real)
    assert game(hg.losses.root.real) != game(hg.losses.log.real)


# Fresh processes.


def program(text, **environment):
    import os

    environment = {**os.environ, **environment}
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


BITS = """
import json
import jax
jax.config.update("jax_enable_x64", {x64})
import numpy as np
import hellgan as hg
result = hg.GAN(hg.datasets.load_newcomb(), hg.generators.Normal()).fit()
import jax.numpy as jnp
numbers = [*result.params, *result.cov_params().to_numpy().ravel(), *result.saddle.alpha, result.saddle.value]
print(json.dumps([str(jnp.ones(1).dtype), [float(v).hex() for v in numbers]]))
"""


@pytest.mark.slow
def test_x64_on_globally_gives_the_same_bits(newcomb):
    found = {x64: program(BITS.format(x64=x64)) for x64 in (True, False)}
    assert found[True][0] == "float64"
    assert found[False][0] == "float32"
    assert found[True][1] == found[False][1]
    here = [*newcomb.params, *newcomb.cov_params().to_numpy().ravel(), *newcomb.saddle.alpha, newcomb.saddle.value]
    assert found[False][1] == [float(v).hex() for v in here]


LATE = ["statsmodels", "pandas", "scipy.stats", "matplotlib", "jaxopt", "patsy"]


def test_import_is_light_and_changes_nothing():
    loaded, x64, promotion, filters, names = program(
        "import json, sys, warnings, jax, jax.scipy.stats, equinox, jaxtyping, scipy.special\n"
        "before = list(warnings.filters)\n"
        "import hellgan as hg\n"
        f"loaded = [name for name in {LATE} if name in sys.modules]\n"
        "changed = before != list(warnings.filters)\n"
        "hg.generators.Normal(); hg.losses.get('root'); hg.discriminators.Sigmoids(16)\n"
        f"loaded += [name for name in {LATE} if name in sys.modules]\n"
        "print(json.dumps([loaded, jax.config.jax_enable_x64, jax.config.jax_numpy_rank_promotion, changed, dir(hg)]))"
    )
    assert loaded == []
    assert (x64, promotion, filters) == (False, "allow", False)
    assert {"GAN", "GANResults", "load", "compare", "datasets", "divergences"} <= set(names)


def test_every_public_name_is_there():
    for name in hg.__all__:
        assert getattr(hg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hg.nothing  # noqa: B018
    from hellgan.gan import GAN
    from hellgan.loading import load
    from hellgan.results import GANResults, compare

    assert (hg.GAN, hg.load, hg.GANResults, hg.compare) == (GAN, load, GANResults, compare)
