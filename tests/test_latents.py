"""Latent draws: the laws against scipy, the net property of Sobol points, and who may change the bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.stats import qmc
from tolerance import assert_monte_carlo, mcse_mean

from hellgan import latents

LAWS = {
    "normal": (latents.normal, scipy.stats.norm()),
    "uniform": (latents.uniform, scipy.stats.uniform()),
    "laplace": (latents.laplace, scipy.stats.laplace()),
    "logistic": (latents.logistic, scipy.stats.logistic()),
    "cauchy": (latents.cauchy, scipy.stats.cauchy()),
    "exponential": (latents.exponential, scipy.stats.expon()),
    "t(1.5)": (latents.student_t(1.5), scipy.stats.t(1.5)),
    "t(5)": (latents.student_t(5.0), scipy.stats.t(5.0)),
}
EACH = pytest.mark.parametrize(("law", "truth"), LAWS.values(), ids=LAWS)


@EACH
def test_quantile_against_scipy(law, truth):
    u = np.array([1e-4, 0.01, 0.1, 0.25, 0.4, 0.5, 0.75, 0.8, 0.99, 1 - 1e-4])
    # scipy's t and cauchy take other routes; both agree to rounding times the tail's slope
    np.testing.assert_allclose(law.quantile(u), truth.ppf(u), rtol=1e-11, atol=1e-14)


@EACH
def test_log_density_against_scipy(law, truth):
    x = np.array([-50.0, -1.5, -0.25, 0.25, 0.5, 0.99, 1.5, 50.0])
    with jax.enable_x64(True):
        got = np.asarray(law.log_density(jnp.asarray(x)))
    np.testing.assert_allclose(got, truth.logpdf(x), rtol=1e-12)


@EACH
@pytest.mark.parametrize("kind", latents.KINDS)
def test_a_draw_is_the_quantile_of_a_uniform_one(kind, law, truth):
    z = latents.draw(kind, law, 256, 2, 3)
    np.testing.assert_array_equal(z, law.quantile(latents.draw(kind, latents.uniform, 256, 2, 3)))
    assert z.shape == (1, 256, 2)
    assert z.dtype == np.float64


@EACH
def test_every_law_is_finite_at_the_outermost_points(law, truth):
    # of Sobol cells of width 2^-30, and of independent draws, multiples of 2^-53
    for u in ([2.0**-31, 1 - 2.0**-31], [2.0**-54, 1 - 2.0**-53]):
        low, high = law.quantile(np.array(u))
        assert np.isfinite([low, high]).all()
        assert low < law.quantile(np.array(0.5)) < high


class Outermost:
    """Stands for a random generator, and for scipy's Sobol class: the least point and the greatest."""

    def __init__(self, *args, **kwargs):
        self.bits = kwargs.get("bits", 53)

    def random(self, shape):
        return np.broadcast_to([[0.0], [1 - 2.0**-53]], shape)

    def random_base2(self, power):
        return np.array([[0.0], [1 - 2.0**-self.bits]])

    def integers(self, low, high, size):
        return np.zeros(size, np.int64)


@pytest.mark.parametrize("kind", latents.KINDS)
def test_uniform_draws_lie_strictly_inside(kind, monkeypatch):
    monkeypatch.setattr(np.random, "default_rng", Outermost)
    monkeypatch.setattr(qmc, "Sobol", Outermost)
    # Cached: a seed and a dimension of its own.
    low, high = latents.draw(kind, latents.uniform, 2, 13, 987654321)[0, :, 0]
    assert 0 < low < 1e-9
    assert 1 - 1e-9 < high < 1


@pytest.mark.parametrize("m", [2, 64, 1024])
def test_sobol_samples_are_balanced(m):
    u = latents.draw("sobol", latents.uniform, m, 5, 11, 3)
    assert u.shape == (3, m, 5)
    for points in np.moveaxis(u, 1, 0).reshape(m, -1).T:
        np.testing.assert_array_equal(np.sort(np.floor(points * m)), np.arange(m))


def test_sobol_samples_fill_every_elementary_box():
    # the first two coordinates are a (0, 6, 2)-net: kills a Latin hypercube and coordinates shifted apart
    m = 64
    for points in latents.draw("sobol", latents.uniform, m, 2, 11, 3):
        for a in range(7):
            box = np.floor(points[:, 0] * 2**a) * 2 ** (6 - a) + np.floor(points[:, 1] * 2 ** (6 - a))
            np.testing.assert_array_equal(np.sort(box), np.arange(m))


def test_each_sobol_point_is_uniformly_placed():
    u = latents.draw("sobol", latents.uniform, 4, 1, 2, 2000)[1:, :, 0]
    for points in u.T:
        assert scipy.stats.kstest(points, "uniform").pvalue > 1e-6
    # so means over the points are unbiased, given the scramble that all samples share
    means = np.mean(u**2, axis=1)
    assert_monte_carlo(means.mean(), 1 / 3, mcse_mean(means), resolution=0.01)


def test_sobol_points_integrate_better_than_independent_ones():
    def errors(kind):
        z = latents.draw(kind, latents.normal, 512, 1, 5, 20)[..., 0]
        return np.sqrt(np.mean((np.mean(z**2, axis=1) - 1) ** 2))

    # sd of an independent mean sqrt(2 / 512) = .0625; of Sobol points .003 to .008 over eight seeds
    assert errors("sobol") < 0.015
    assert 0.04 < errors("iid") < 0.09


def test_independent_draws_are_independent_and_uniform():
    u = latents.draw("iid", latents.uniform, 4096, 2, 1, 2)
    assert u.shape == (2, 4096, 2)
    columns = np.moveaxis(u, 1, 0).reshape(4096, 4)
    for column in columns.T:
        assert scipy.stats.kstest(column, "uniform").pvalue > 1e-6
    off_diagonal = np.corrcoef(columns.T)[np.triu_indices(4, 1)]
    assert_monte_carlo(off_diagonal, 0.0, 1 / np.sqrt(4096), resolution=0.08)
    # unlike Sobol points, they are not one to a cell
    assert len(np.unique(np.floor(columns[:, 0] * 4096))) < 0.7 * 4096


@pytest.mark.parametrize("kind", latents.KINDS)
def test_the_first_sample_depends_on_the_seed_alone(kind):
    # different counts are computed afresh, past the cache
    samples = []
    for count in (1, 2, 7):
        np.random.seed(count)  # noqa: NPY002
        samples.append(latents.draw(kind, latents.normal, 32, 3, 4, count))
    np.testing.assert_array_equal(samples[0][0], samples[1][0])
    np.testing.assert_array_equal(samples[1], samples[2][:2])
    assert not np.any(samples[2][0] == samples[2][1])
    assert not np.any(samples[0] == latents.draw(kind, latents.normal, 32, 3, 5))
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    latents.draw(kind, latents.normal, 32, 3, 6)
    np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], before)  # noqa: NPY002


@pytest.mark.parametrize("kind", latents.KINDS)
def test_draws_are_shared_and_read_only(kind):
    z = latents.draw(kind, latents.uniform, 16, 1, 0)
    with pytest.raises(ValueError, match="read-only"):
        z[0, 0, 0] = 1.0
    assert latents.draw(kind, latents.uniform, 16, 1, 0) is z


def test_sizes():
    assert latents.size("sobol", 66, None) == 1024
    assert latents.size("iid", 66, None) == 660
    assert [latents.size("sobol", 66, m) for m in (2, 3, 1024, 1025, np.int64(2047))] == [2, 4, 1024, 2048, 2048]
    assert [latents.size("iid", 66, m) for m in (2, 1000, np.int64(1025))] == [2, 1000, 1025]
    assert type(latents.size("iid", 66, np.int64(1025))) is int


BAD = [
    (lambda: latents.size("halton", 66, None), ValueError, "latent: 'halton' is not known; give 'sobol' or 'iid'"),
    (lambda: latents.size(None, 66, None), ValueError, "latent"),
    (lambda: latents.size("iid", 66, 0), ValueError, "n_simulated: got 0"),
    (lambda: latents.size("sobol", 66, 1), ValueError, "n_simulated: got 1"),
    (lambda: latents.size("iid", 66, 100.0), TypeError, "n_simulated: got 100.0"),
    (lambda: latents.size("iid", 66, True), TypeError, "n_simulated: got True"),
    (lambda: latents.size("iid", 66, "100"), TypeError, "n_simulated: got '100'"),
    (lambda: latents.draw("halton", latents.normal, 64, 1, 0), ValueError, "latent: 'halton'"),
    (lambda: latents.draw("sobol", latents.normal, 100, 1, 0), ValueError, "m: got 100; .*powers of two"),
    (lambda: latents.get("cauchy"), ValueError, "latent: 'cauchy' is not a latent law; give one of normal, uniform"),
    (lambda: latents.get(["normal"]), ValueError, "latent"),  # pyright: ignore[reportArgumentType]
    (lambda: latents.get(None), ValueError, "latent"),  # pyright: ignore[reportArgumentType]
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "kind", "words"), BAD)
def test_bad_arguments(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_laws_by_name():
    assert latents.get("normal") is latents.normal
    assert latents.get("uniform") is latents.uniform
    assert latents.get(latents.cauchy) is latents.cauchy


def test_equal_laws_are_one_to_jax():
    assert latents.student_t(5.0) is latents.student_t(np.float64(5))
    assert latents.student_t(5.0) != latents.student_t(6.0)
    assert jax.tree.leaves(latents.normal) == []
    assert jax.tree.leaves(latents.student_t(5.0)) == []


@pytest.mark.parametrize("law", [latents.normal, latents.cauchy, latents.uniform, latents.exponential])
def test_stretched_points_have_the_law_by_their_weights(law):
    """Levels of the beta(2, 2) law with its density for weights: means are the law's, all points finite."""
    points = latents.draw("sobol", latents.uniform, 1024, 1, seed=3)[0]
    drawn, weight = latents.stretched(law, points).T
    np.testing.assert_allclose(drawn, law.quantile(scipy.stats.beta.cdf(points[:, 0], 2, 2)), rtol=1e-9)
    np.testing.assert_allclose(weight, scipy.stats.beta.pdf(points[:, 0], 2, 2), rtol=1e-12)
    assert abs(weight.mean() - 1) < 1e-4
    for level in (0.001, 0.1, 0.5, 0.99, 0.9999):
        assert abs(np.mean(weight * (drawn <= law.quantile(np.array(level)))) - level) < 1 / 1024
    ends = latents.stretched(law, np.array([[2.0**-31], [1 - 2.0**-31]]))
    assert np.all(np.isfinite(ends))
