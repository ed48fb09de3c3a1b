"""A lower saddle point elsewhere: where a sample has two groups, a fit describes the larger one."""

import warnings

import numpy as np
import pytest

import hellgan as hg
from hellgan import elsewhere


def two_groups(seed: int, gap: float = 8.0, share: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=400)
    x[: int(share * len(x))] += gap
    return x


SAMPLES = np.stack([two_groups(seed) for seed in range(16)])


@pytest.fixture(scope="module")
def batch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hg.FitWarning)
        return hg.fit_batch(hg.GAN(SAMPLES[0], hg.generators.Normal()), SAMPLES)


def test_the_larger_of_two_groups_is_described(batch):
    """From the family's own start some end between the groups: loc 3, scale 4."""
    model = hg.GAN(SAMPLES[0], hg.generators.Normal())
    at_first = np.array([m.equations().solve(m.starts()).theta[0] for m in (model.on(x) for x in SAMPLES)])
    assert np.sum(at_first > 2) >= 2
    assert np.all(np.abs(batch.params["loc"]) < 0.3)
    assert np.all(np.abs(batch.params["scale"] - 1) < 0.3)
    assert np.all(batch.bulk_share < 0.65)


@pytest.mark.parametrize("law", ["Gamma", "LogNormal"])
def test_on_the_half_line(law):
    rng = np.random.default_rng(3)
    x = rng.gamma(9.0, 1.0, 400) if law == "Gamma" else np.exp(rng.normal(2, 0.3, 400))
    x[:160] *= 20
    own = x[160:]
    result = hg.GAN(x, getattr(hg.generators, law)()).fit()
    clean = hg.GAN(own, getattr(hg.generators, law)()).fit()
    assert np.all(np.abs(result.params - clean.params) < 3 * clean.bse)


def test_batch_and_single_fits_are_the_same(batch):
    model = hg.GAN(SAMPLES[0], hg.generators.Normal())
    first = [m.equations().solve(m.starts()).theta[0] for m in (model.on(x) for x in SAMPLES)]
    k = int(np.argmax(first))  # one that was found elsewhere
    single = batch[k]
    np.testing.assert_allclose(single.params, batch.params.iloc[k], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(single.bse, batch.bse.iloc[k], rtol=1e-6)
    assert single.bulk_pvalue == pytest.approx(batch.bulk_pvalue[k], rel=1e-5)


def test_only_a_lower_point_is_taken():
    """Groups five apart: a fit between them has the lower value, and is told."""
    model = hg.GAN(two_groups(1, gap=4.0, share=0.45), hg.generators.Normal())
    with pytest.warns(hg.FitWarning, match="describes no part"):
        result = model.fit()
    assert result.params["loc"] > 1
    assert elsewhere.lower(model, model.equations(), result.saddle) is None


def test_given_starts_are_kept_to():
    model = hg.GAN(SAMPLES[0], hg.generators.Normal())
    with pytest.warns(hg.FitWarning, match="describes no part"):
        between = model.fit(start={"loc": 3.0, "scale": 4.0})
    assert between.params["loc"] > 2
    found, law = elsewhere.lower(model, model.equations(), between.saddle)
    assert found.value < between.saddle.value
    assert not law.trouble
    again = hg.GAN(SAMPLES[0], hg.generators.Normal(), reweight=True)
    assert elsewhere.lower(again, again.equations(), between.saddle) is None
