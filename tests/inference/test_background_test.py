"""The test of the background: contamination beside the bulk is told, and what is away is not."""

import warnings

import numpy as np
import pytest
from scipy import stats

import hellgan as hg

NORMAL = hg.generators.Normal()


def crowd_of(fit):
    """The crowd that the test of the background found."""
    found = fit.background_test().crowd
    assert found is not None
    return found


def samples(count: int, n: int, share: float, kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 2.0, (count, n))
    wrong = round(share * n)
    drawn = {"spread": 1 + 20 * rng.uniform(-1, 1, (count, wrong)), "near": rng.normal(7.0, 0.4, (count, wrong))}
    drawn["beyond"] = rng.normal(11.0, 0.4, (count, wrong))  # in a zone, but for its nearest quarter
    x[:, :wrong] = drawn[kind] if kind in drawn else rng.normal(17.0, 0.4, (count, wrong))
    return x


@pytest.mark.parametrize(("reweight", "kind"), [(False, "spread"), (True, "spread"), (False, "beyond")])
def test_by_hand(reweight, kind):
    """The zones' counts, and what observations spread over the bulk would do, written anew."""
    x = samples(1, 400 if kind == "spread" else 2000, 0.1, kind)[0]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit = hg.GAN(x, NORMAL, reweight=reweight).fit()
    assert (kind == "spread") == any("lie beside the bulk" in str(warning.message) for warning in told)
    found, game = fit.background_test(), fit.equations.game
    drawn = np.sort(fit.params["loc"] + fit.params["scale"] * game.z[:, 0])
    low, high = drawn[int(1024 * (1 - found.level))], drawn[int(np.ceil(1024 * found.level)) - 1]
    width = high - low

    def count(rows, begin, end):
        return len(x) * np.mean((rows > begin) & (rows <= end))

    def excess(begin, end, quarter_begin, quarter_end):
        seen, near = count(x, begin, end), count(x, quarter_begin, quarter_end)
        most = max(near - count(drawn, quarter_begin, quarter_end), 0) + np.sqrt(max(near, 1))
        return min(4 * most, max(seen - count(drawn, begin, end), 0))

    right = excess(high, high + width, high, high + width / 4)
    left = excess(low - width, low, low - width / 4, low)
    assert found.observed == pytest.approx(count(x, high, high + width) + count(x, low - width, low))
    assert found.expected == pytest.approx(count(drawn, high, high + width) + count(drawn, low - width, low))
    assert found.pvalue == pytest.approx(stats.poisson.sf(round(found.observed) - 1, found.expected), rel=1e-6)
    at = (np.arange(2000) + 0.5) / 2000
    influence = fit.influence().at(low + at * width)[["loc", "scale"]].to_numpy()
    shift = (at * right + (1 - at) * left) @ influence / 2000 / len(x) / fit.bse.to_numpy()
    assert found.shifts == pytest.approx(shift, abs=0.02)
    assert found.is_rejected == (kind == "spread")
    assert "would be off by +" in str(found)


@pytest.mark.parametrize(
    ("kind", "share", "least", "most"),
    [("spread", 0.1, 0.95, 1), ("far", 0, 0, 0.1), ("far", 0.1, 0, 0.15)],
)
def test_what_is_beside_the_bulk_is_flagged_and_what_is_away_is_not(kind, share, least, most):
    batch = hg.fit_batch(hg.GAN(samples(1, 500, 0, "far")[0], NORMAL), samples(60, 500, share, kind, seed=1))
    assert least <= batch.flagged.mean() <= most


def test_a_cluster_beside_the_bulk_is_flagged():
    """At three standard deviations; some of these fits do not converge, which flags them, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = hg.fit_batch(hg.GAN(samples(1, 500, 0, "far")[0], NORMAL), samples(60, 500, 0.1, "near", seed=1))
    assert batch.flagged.mean() >= 0.95


CROWDED = samples(200, 100, 0.1, "near", seed=5)  # ten of a hundred are three standard deviations from the centre
MOVED = CROWDED[160]  # whose fit is moved over them


def test_the_crowd_by_hand():
    """The interval between two quantiles of the draws in which the binomial tail is least, by going through all."""
    x = MOVED
    with pytest.warns(hg.FitWarning, match="observations lie between .* where the fitted law has"):
        fit = hg.GAN(x, NORMAL).fit()
    found = crowd_of(fit)
    drawn = np.sort(fit.params["loc"] + fit.params["scale"] * fit.equations.game.z[:, 0])
    tail = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4]
    ends = [drawn[int(np.ceil(1024 * level)) - 1] for level in [*tail, 0.5, *[1 - level for level in tail[::-1]]]]
    pairs = []
    for i, low in enumerate(ends):
        for high in ends[i + 1 :]:
            k, j = (int(np.sum((rows > low) & (rows <= high))) for rows in (x, drawn))
            if j <= 0.35 * 1024:
                pairs.append((stats.binom.sf(k - 1, k + j, 100 / 1124), low, high, k, 100 * j / 1024))
    assert (found.pvalue, found.low, found.high, found.observed, found.expected) == pytest.approx(min(pairs), rel=1e-9)
    assert found.is_rejected
    assert 6.0 < found.low < found.high < 8.5
    assert not fit.background_test().moves
    assert f"within, {found.observed:.0f} from" in str(fit.background_test())


@pytest.mark.filterwarnings("ignore::hellgan.FitWarning")
def test_weights_count_in_crowds_as_repetitions_do():
    plain = crowd_of(hg.GAN(MOVED, NORMAL).fit())
    tripled = crowd_of(hg.GAN(MOVED, NORMAL, weights=np.full(100, 3.0)).fit())
    assert (tripled.low, tripled.observed, tripled.pvalue) == pytest.approx((plain.low, plain.observed, plain.pvalue))
    again = crowd_of(hg.GAN(np.concatenate([MOVED, MOVED + 1e-7]), NORMAL).fit())
    assert again.pvalue < plain.pvalue / 5
    aside = np.concatenate([MOVED, np.full(50, 3.0)])
    ignored = crowd_of(hg.GAN(aside, NORMAL, weights=np.r_[np.ones(100), np.zeros(50)]).fit())
    assert (ignored.observed, ignored.pvalue) == pytest.approx((plain.observed, plain.pvalue), rel=1e-6)


@pytest.mark.montecarlo
def test_crowds_in_small_samples_are_flagged():
    """What lies outside flags all but a tenth, what lies within the most of these."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = hg.fit_batch(hg.GAN(CROWDED[0], NORMAL), CROWDED)
    assert batch.flagged.mean() >= 0.95


@pytest.mark.montecarlo
@pytest.mark.parametrize("step", [0.0, 0.4, 1.0])
def test_clean_samples_have_no_crowds(step):
    """Also where they are rounded, to a fifth of a standard deviation (2) and to a half of it."""
    clean = np.random.default_rng(3).normal(1.0, 2.0, (200, 500))
    clean = np.round(clean / step) * step if step else clean
    fits = [hg.GAN(clean[0], NORMAL).fit()]
    batch = hg.fit_batch(fits[0].model, clean)
    assert batch.flagged.mean() <= 0.04
    crowds = [crowd_of(batch[k]) for k in range(20)]
    assert sum(crowd.is_rejected for crowd in crowds) <= 1


@pytest.mark.parametrize("step", [0.4, 1.0])
def test_rounding_makes_no_crowd(step):
    x = np.round(np.random.default_rng(4).normal(1.0, 2.0, 2000) / step) * step
    assert crowd_of(hg.GAN(x, NORMAL).fit()).pvalue > 0.01


def test_a_reweighted_fit_has_no_crowd():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = hg.GAN(MOVED, NORMAL, reweight=True).fit()
    assert fit.background_test().crowd is None


def test_of_observations_that_are_not_numbers_there_is_none():
    fit = hg.GAN(np.random.default_rng(0).normal(size=(300, 2)), hg.generators.MultivariateNormal(2)).fit()
    with pytest.raises(ValueError, match="on the line"):
        fit.background_test()
