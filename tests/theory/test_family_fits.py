"""Each family fits from the package's own start, for ten seeds; simulated truth and real data."""

import numpy as np
import pytest
from tolerance import assert_monte_carlo

import hellgan as hg

pytestmark = pytest.mark.slow
N, SEEDS = 400, 10

SIMULATED = {
    "Gamma": (hg.generators.Gamma(), {"a": 2.5, "scale": 3.0}, lambda rng: rng.gamma(2.5, 3.0, N)),
    "Weibull": (hg.generators.Weibull(), {"c": 1.7, "scale": 3.0}, lambda rng: 3.0 * rng.weibull(1.7, N)),
    "StudentT": (
        hg.generators.StudentT(),
        {"df": 4.0, "loc": 1.0, "scale": 2.0},
        lambda rng: 1.0 + 2.0 * rng.standard_t(4.0, N),
    ),
}


def fits(x, generator, **options):
    """The same sample fitted with ten seeds of the latent draws."""
    return hg.fit_batch(hg.GAN(x, generator, **options), [x] * SEEDS, seeds=range(SEEDS))


def assert_seeds_agree(batch, share=0.5):
    """Every fit certified; estimates scatter over the seeds by less than a share of their standard errors."""
    assert np.all(batch.converged), batch.trouble
    scatter = batch.params.std() / batch.bse.mean()
    assert np.all(scatter[np.isfinite(scatter)] < share), scatter


@pytest.mark.parametrize(("generator", "truth", "draw"), SIMULATED.values(), ids=SIMULATED)
def test_simulated_samples(generator, truth, draw):
    batch = fits(draw(np.random.default_rng(17)), generator)
    assert_seeds_agree(batch)
    for name, value in truth.items():
        logs = np.log(batch.params[name].mean()) if name != "loc" else batch.params[name].mean()
        error = batch.bse[name].mean() / (batch.params[name].mean() if name != "loc" else 1)
        assert_monte_carlo(logs, np.log(value) if name != "loc" else value, error, resolution=2.0)


def test_faithful_is_the_mixture_of_em():
    """EM: weight .361, means 54.61 and 80.09, standard deviations 5.87 (maximum likelihood, by R's mclust).

    The two estimators see one sample, and differ by less than the standard error of either.
    """
    batch = fits(np.asarray(hg.datasets.load_faithful()["waiting"]), hg.generators.NormalMixture(2))
    assert_seeds_agree(batch)
    expected = np.array([0.361, 0.639, 54.61, 80.09, 5.87, 5.87])
    assert np.all(np.abs(batch.params.mean() - expected) < batch.bse.mean())


def test_galaxies_and_components_that_lie_apart():
    """EM with three components: weights .085, .878, .037 and means 9.71, 21.40, 33.04.

    The slow galaxies lie apart from the others: the error of their weight is that of a count.
    """
    velocities = np.asarray(hg.datasets.load_galaxies(), float).ravel()
    batch = fits(velocities / (1000 if velocities.max() > 1000 else 1), hg.generators.NormalMixture(3))
    assert np.all(batch.converged), batch.trouble
    centre = batch.params.mean()
    np.testing.assert_allclose(centre[["loc_1", "loc_2"]], [9.71, 21.40], atol=0.5)
    np.testing.assert_allclose(centre["weight_1"], 7 / 82, atol=0.02)
    np.testing.assert_allclose(batch.bse["weight_1"], np.sqrt(7 / 82 * 75 / 82 / 82), rtol=0.1)
    assert np.all(np.isfinite(batch.bse))
