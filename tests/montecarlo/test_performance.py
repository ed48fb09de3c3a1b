"""Performance measures and their Monte Carlo errors: worked by hand, closed forms, failures, pairs, groups."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tolerance import EXACT, assert_monte_carlo, mcse_mean, mcse_proportion, mcse_sd

from hellgan.montecarlo import formulas
from hellgan.montecarlo.performance import MEASURES, Replicates, measure, replications_for, table

NAN = np.nan
VALUES = ["value", "mcse", "with_failures", "with_failures_mcse"]


def replicates(estimate, std_error=None, lower=None, upper=None, converged=None, truth=0.0, level=0.95):
    estimate = np.asarray(estimate, float)
    missing = np.full(estimate.shape, NAN)
    columns = [missing if column is None else np.asarray(column, float) for column in (std_error, lower, upper)]
    succeeded = np.ones(len(estimate), bool) if converged is None else np.asarray(converged, bool)
    return Replicates._make([estimate, *columns, succeeded, truth, level])


def some(whole: Replicates, chosen) -> Replicates:
    """Those replicates that are chosen, in that order."""
    return Replicates._make([*(column[chosen] for column in whole[:5]), whole.truth, whole.level])


# Worked by hand, R = 4. Estimates 1, 2, 3, 6 have mean 3, deviations -2, -1, 0, 3 with squares 14 in all, so that
# s^2 = 14/3; errors -1, 0, 1, 4 with squares 1, 0, 1, 16, sum 18. The widths of the intervals are 2.5, 4, 3, 2.5.
FOUR = replicates([1, 2, 3, 6], std_error=[1, 2, 2, 1], lower=[0, -1, 2, 5.5], upper=[2.5, 3, 5, 8], truth=2.0)
# The reference's, of the same samples: mean 2.5, deviations -.5, -1.5, .5, 1.5 with sum of squares 5 and of products
# with those above 1 + 1.5 + 0 + 4.5 = 7, so that r^2 = 49 / 70; errors 0, -1, 1, 2.
REFERENCE = replicates([2, 1, 3, 4], truth=2.0)
# Of four, Price and Bonett take the extremes, (n + 1) / 2 - sqrt(n) being .5, and z is the normal quantile of 15/16,
# since all four are on one side of the median with probability 1/16.
Z4 = 1.5341205443525463
MAD = 0.6744897501960817  # normal quantile of 3/4
BY_HAND = {
    # Morris et al., Table 6; rsimsum: bias and rbias. s / sqrt(4).
    "bias": (1.0, math.sqrt(14 / 12)),
    "relative_bias": (0.5, math.sqrt(14 / 12) / 2),
    # Price and Bonett: median 2.5, (6 - 1) / (2 z).
    "median_bias": (0.5, 5 / (2 * Z4)),
    # rsimsum: empse. s / sqrt(2 * 3).
    "empirical_se": (math.sqrt(14 / 3), math.sqrt(14 / 18)),
    # |x - 2.5| is 1.5, .5, .5, 3.5, of median 1; as many of the deviations are on either side: (3.5 - .5) / (2 z).
    "mad_se": (1 / MAD, 3 / (2 * Z4) / MAD),
    # rsimsum: modelse. Squares 1, 4, 4, 1 have mean 2.5 and variance 9 / 3: sqrt(3 / (4 * 4 * 2.5)).
    "model_se": (math.sqrt(2.5), math.sqrt(0.075)),
    "median_se": (1.5, 1 / (2 * Z4)),
    # rsimsum: relerror / 100 + 1. ratio sqrt(3 / (4 * 4 * 2.5^2) + 1 / (2 * 3)).
    "se_ratio": (math.sqrt(7.5 / 14), math.sqrt(7.5 / 14) * math.sqrt(0.03 + 1 / 6)),
    "mad_ratio": (1.5 * MAD, 1.5 * MAD / (2 * Z4) * math.sqrt((1 / 1.5) ** 2 + 9)),
    # rsimsum: mse. Distances of the squared errors from 4.5: -3.5, -4.5, -3.5, 11.5, of squares 177 in all.
    "mse": (4.5, math.sqrt(177 / 12)),
    # simhelpers' vignette: sums of all squared errors but one are 17, 18, 17, 2.
    "rmse": (
        math.sqrt(4.5),
        math.sqrt(
            3 / 4 * sum((math.sqrt(total / 3) - math.sqrt(4.5)) ** 2 for total in (17, 18, 17, 2)),
        ),
    ),
    # rsimsum: cover and becover; simhelpers: coverage. 2 is in three of the closed intervals (at the end of one), the
    # mean 3 in the second (at its end) and the third.
    "coverage": (0.75, math.sqrt(3 / 64)),
    "bias_eliminated_coverage": (0.5, 0.25),
    # simhelpers: width. Mean 3, deviations -.5, 1, 0, -.5 with sum of squares 1.5: sqrt(1.5 / 3 / 4).
    "interval_width": (3.0, math.sqrt(0.125)),
    # rsimsum: power; simhelpers: rejection rate. 2.25 is in all but the last.
    "rejection": (0.25, math.sqrt(3 / 64)),
    # rsimsum: relprec / 100 + 1. 2 ratio sqrt((1 - .7) / 3).
    "relative_efficiency": (5 / 14, 10 / 14 * math.sqrt(0.1)),
    # Jackknife as simhelpers does it: 6/17, 5/18, 5/17 and 2/2, less 6/18, are 1/51, -1/18, -2/51, 2/3.
    "relative_mse": (1 / 3, math.sqrt(3 / 4 * (5 / 51**2 + 1 / 18**2 + 4 / 9))),
    "convergence": (1.0, 0.0),
}


def test_by_hand():
    found = measure(FOUR, reference=REFERENCE, null=2.25)
    assert list(found.index) == list(MEASURES) == list(BY_HAND)
    wanted = np.array(list(BY_HAND.values()))
    np.testing.assert_allclose(found[["value", "mcse"]], wanted, rtol=EXACT)
    np.testing.assert_allclose(found[["with_failures", "with_failures_mcse"]], wanted, rtol=EXACT)
    assert (found["n"] == 4).all()
    assert (found["n_failed"] == 0).all()
    assert list(found.columns) == ["value", "mcse", "n", "with_failures", "with_failures_mcse", "n_failed"]


def test_median_and_mad_of_nine_by_hand():
    """With a skew: c = 5 - 3 = 2, and two of nine are on one side with probability (1 + 9) / 512.

    0, 1, 2, 3, 4, 6, 9, 13, 20 have median 4, error (13 - 1) / (2 z) = 6 / z. The deviations from it, with their side,
    are in order 0, 1-, 2-, 2+, 3-, 4-, 5+, 9+, 16+: median 3, error (9 - 1) / (2 z) = 4 / z. Between the second and the
    eighth there are three above and four below: -1/7. The products of the signs of (|x - 4| - 3) and (x - 4) are
    -1 + 1 + 1 + 1 beyond, 1 + 1 - 1 within: mean 3/9. So the square is (16 + 2/7 * 1/3 * 24 + 36/49) / z^2.
    """
    z = float(stats.norm.isf(10 / 512))
    found = measure(replicates([0, 1, 2, 3, 4, 6, 9, 13, 20], truth=1.0), ["median_bias", "mad_se"])
    np.testing.assert_allclose(found.loc["median_bias", ["value", "mcse"]].to_numpy(float), [3, 6 / z], rtol=EXACT)
    wanted = [3 / MAD, math.sqrt(16 + 16 / 7 + 36 / 49) / z / MAD]
    np.testing.assert_allclose(found.loc["mad_se", ["value", "mcse"]].to_numpy(float), wanted, rtol=EXACT)


# FOUR with three more: the fifth did not converge, but has an interval that holds 2, 2.25 and 3 and is 9 wide; the
# sixth has nothing; the seventh converged without an error or an interval.
SEVEN = replicates(
    [1, 2, 3, 6, 8, NAN, 10],
    std_error=[1, 2, 2, 1, 3, NAN, NAN],
    lower=[0, -1, 2, 5.5, 0, NAN, NAN],
    upper=[2.5, 3, 5, 8, 9, NAN, NAN],
    converged=[1, 1, 1, 1, 0, 0, 1],
    truth=2.0,
)


class TestFailures:
    def test_by_hand(self):
        """Of estimates 1, 2, 3, 6, 10 and, with the failure, 8; of errors and intervals four and, with it, five."""
        found = measure(SEVEN, null=2.25)
        assert (found["n_failed"] == 2).all()
        assert found["n"].to_dict() == {
            **dict.fromkeys(found.index, 5),
            **dict.fromkeys(("model_se", "median_se", "se_ratio", "mad_ratio", "interval_width"), 4),
            **dict.fromkeys(("coverage", "bias_eliminated_coverage", "rejection"), 4),
            "convergence": 7,
        }
        wanted = {
            "bias": (2.4, 3.0),
            "median_bias": (1.0, 2.5),
            "mse": ((18 + 64) / 5, (18 + 64 + 36) / 6),
            "model_se": (math.sqrt(2.5), math.sqrt(19 / 5)),
            "interval_width": (3.0, 21 / 5),
            # Misses of all seven, whatever the interval of the fifth.
            "coverage": (3 / 4, 3 / 7),
            "bias_eliminated_coverage": (2 / 4, 2 / 7),
            "rejection": (1 / 4, 1 / 7),
            "convergence": (5 / 7, 5 / 7),
        }
        for name, values in wanted.items():
            np.testing.assert_allclose(found.loc[name, ["value", "with_failures"]].to_numpy(float), values, rtol=EXACT)
        for name in ("coverage", "bias_eliminated_coverage", "rejection"):
            p = wanted[name][1]
            assert found.loc[name, "with_failures_mcse"] == pytest.approx(math.sqrt(p * (1 - p) / 7), rel=EXACT)
        assert found.loc["convergence", "mcse"] == pytest.approx(math.sqrt(10 / 7**3), rel=EXACT)

    def test_converged_part_is_that_of_a_study_without_the_others(self):
        """And with failures, of what can be computed, that of a study in which all converged."""
        keep = SEVEN.converged & np.isfinite(SEVEN.estimate)
        other = REFERENCE._replace(
            **{f: np.arange(7.0) ** 2 for f in ("estimate", "std_error", "lower", "upper")}, converged=np.ones(7, bool)
        )
        part, of_other = some(SEVEN, keep), some(other, keep)
        found, alone = measure(SEVEN, reference=other, null=2.25), measure(part, reference=of_other, null=2.25)
        names = found.index.drop("convergence")
        pd.testing.assert_frame_equal(
            found.loc[names, ["value", "mcse", "n"]], alone.loc[names, ["value", "mcse", "n"]]
        )
        everyone = measure(SEVEN._replace(converged=np.ones(7, bool)), reference=other, null=2.25)
        names = names.drop(["coverage", "bias_eliminated_coverage", "rejection"])
        assert np.array_equal(found.loc[names, "with_failures"], everyone.loc[names, "value"])
        assert np.array_equal(found.loc[names, "with_failures_mcse"], everyone.loc[names, "mcse"])

    def test_nothing_converged(self):
        found = measure(FOUR._replace(converged=np.zeros(4, bool)), null=2.25)
        assert np.isnan(found["value"].drop("convergence")).all()
        assert (found["n"].drop("convergence") == 0).all()
        assert (found.loc[["coverage", "bias_eliminated_coverage", "rejection"], "with_failures"] == 0).all()
        assert found.loc["bias", "with_failures"] == 1
        assert found.loc["convergence", "value"] == 0

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few_for_an_error(self, count):
        """And without a warning of NumPy's, which would be an error here."""
        few = some(FOUR, slice(count))
        found = measure(few, reference=few, null=0.0)
        assert found[VALUES].isna().to_numpy().all()
        assert (found["n"] == count).all()

    def test_two_are_enough_for_all_but_a_correlation(self):
        two = some(FOUR, slice(2))._replace(truth=2.5)
        found = measure(two, reference=replicates([2, 5], truth=2.5), null=0.0)
        assert list(found.loc[found["mcse"].isna()].index) == ["relative_efficiency"]
        assert found["value"].notna().all()

    def test_infinite_estimates_have_none(self):
        wild = measure(SEVEN._replace(estimate=np.where(np.isnan(SEVEN.estimate), np.inf, SEVEN.estimate)), null=2.25)
        pd.testing.assert_frame_equal(wild, measure(SEVEN, null=2.25))

    def test_unbounded_intervals_count(self):
        found = measure(FOUR._replace(upper=np.full(4, np.inf)), ["coverage", "interval_width"])
        assert found.loc["coverage", "value"] == 0.75
        assert found.loc["interval_width", "value"] == np.inf

    def test_estimates_all_the_same(self):
        found = measure(FOUR._replace(estimate=np.full(4, 2.0)), reference=REFERENCE, null=0.0)
        assert found.loc["empirical_se", "value"] == found.loc["mse", "value"] == 0
        assert found.loc["relative_efficiency", "value"] == np.inf


def test_without_a_truth_only_what_needs_none():
    needs_truth = ["bias", "relative_bias", "median_bias", "mse", "rmse", "coverage", "relative_mse"]
    found = measure(FOUR._replace(truth=NAN), reference=REFERENCE, null=2.25)
    assert found.loc[needs_truth, VALUES].isna().to_numpy().all()
    others = found.index.drop(needs_truth)
    pd.testing.assert_frame_equal(found.loc[others], measure(FOUR, others, reference=REFERENCE, null=2.25))


def test_relative_bias():
    """Over the truth, not its size; of 0 there are no shares."""
    found = measure(FOUR._replace(truth=-2.0), ["relative_bias"]).loc["relative_bias"]
    assert found["value"] == -2.5
    assert found["mcse"] == pytest.approx(math.sqrt(14 / 12) / 2, rel=EXACT)
    assert measure(FOUR._replace(truth=0.0), ["relative_bias"])[VALUES].isna().to_numpy().all()


def test_power_at_the_truth_is_the_size():
    found = measure(FOUR, ["coverage", "rejection"], null=FOUR.truth)
    assert found.loc["rejection", "value"] == 1 - found.loc["coverage", "value"]
    assert found.loc["rejection", "mcse"] == found.loc["coverage", "mcse"]


@pytest.fixture(scope="module")
def drawn():
    """Make replicates of a normal estimator, R = 40, with two failures, and its reference's."""
    rng = np.random.default_rng(11)
    estimate = 1.1 + 0.5 * rng.normal(size=40)
    std_error, width = 0.6 * np.sqrt(rng.gamma(10, 0.1, size=40)), rng.uniform(0.5, 1.0, size=40)
    converged = np.arange(40) % 20 > 0
    this = replicates(estimate, std_error, estimate - width, estimate + width, converged, truth=1.0)
    return this, replicates(estimate + 0.3 * rng.normal(size=40), truth=1.0)


class TestInvariance:
    def moved(self, drawn, function, null=0.2):
        """Measure after an increasing affine map of everything, or a decreasing one."""
        pair = []
        for each in drawn:
            lower, upper = np.sort([function(each.lower), function(each.upper)], axis=0)
            errors = abs(function(1.0) - function(0.0)) * each.std_error
            estimate, truth = function(each.estimate), function(each.truth)
            pair.append(Replicates(estimate, errors, lower, upper, each.converged, truth, 0.95))
        return measure(pair[0], reference=pair[1], null=function(null))

    @pytest.mark.parametrize(("slope", "shift"), [(1.0, 7.0), (3.0, 0.0), (-1.0, 0.0), (-0.01, -0.3)])
    def test_affine(self, drawn, slope, shift):
        """What is in the parameter's unit scales; the rest stays, but for the share of a truth that is shifted."""
        before, after = self.moved(drawn, lambda x: x), self.moved(drawn, lambda x: slope * x + shift)
        size = pd.Series(1.0, before.index)
        size[["bias", "median_bias"]] = slope
        size[["empirical_se", "mad_se", "model_se", "median_se", "rmse", "interval_width"]] = abs(slope)
        size["mse"] = slope**2
        names = before.index.drop(["relative_bias"] if shift else [])
        # Rounding of the shift, relative to standard errors of .5.
        for column, factor in zip(VALUES, [size, size.abs()] * 2, strict=True):
            np.testing.assert_allclose(
                after.loc[names, column], (factor * before[column])[names], rtol=1e-11, atol=1e-14
            )

    def test_order_of_replicates(self, drawn):
        order = np.random.default_rng(0).permutation(40)
        shuffled = [some(each, order) for each in drawn]
        before, after = measure(drawn[0], reference=drawn[1]), measure(shuffled[0], reference=shuffled[1])
        np.testing.assert_allclose(after, before, rtol=EXACT)

    def test_a_method_is_as_good_as_itself(self, drawn):
        """With no error at all; swapping two methods inverts their ratios, and keeps the errors relative to them."""
        this, other = drawn
        names = ["relative_efficiency", "relative_mse"]
        same = measure(this, names, reference=this)
        assert (same[["value", "with_failures"]] == 1).to_numpy().all()
        assert (same[["mcse", "with_failures_mcse"]] == 0).to_numpy().all()
        there, back = measure(this, names, reference=other), measure(other, names, reference=this)
        np.testing.assert_allclose(there["value"] * back["value"], 1, rtol=EXACT)
        a, b = there.loc["relative_efficiency"], back.loc["relative_efficiency"]
        assert a["mcse"] / a["value"] == pytest.approx(b["mcse"] / b["value"], rel=EXACT)

    def test_failures_of_the_reference_make_no_pairs(self, drawn):
        """Its estimate of a failure is used with failures only."""
        this, other = drawn
        failed = other._replace(converged=np.arange(40) % 5 > 0)
        found = measure(this, ["relative_efficiency"], reference=failed).loc["relative_efficiency"]
        both = this.converged & failed.converged
        wanted = formulas.relative_efficiency(this.estimate[both], other.estimate[both])
        assert (found["value"], found["mcse"], found["n"]) == (*wanted, both.sum())
        whole = formulas.relative_efficiency(this.estimate, other.estimate)
        assert (found["with_failures"], found["with_failures_mcse"]) == whole
        assert found["n_failed"] == 2


def test_jackknife_leaves_one_out(drawn):
    """Second route: the measure itself of all replicates but one, in turn."""
    this, other = (each._replace(converged=np.ones(40, bool)) for each in drawn)
    names = ["rmse", "relative_mse"]

    def values(keep):
        part = [some(each, keep) for each in (this, other)]
        return measure(part[0], names, reference=part[1])["value"].to_numpy()

    found = measure(this, names, reference=other)
    without = np.array([values(np.arange(40) != j) for j in range(40)])
    wanted = np.sqrt(39 / 40 * np.sum((without - found["value"].to_numpy()) ** 2, axis=0))
    # Sums less one term lose a digit or two.
    np.testing.assert_allclose(found["mcse"], wanted, rtol=1e-10)


# A normal estimator of 1: bias .1, sd .5, squared standard errors gamma of mean .36, half-widths .8 and 1 as likely;
# the reference has sd .4 and correlation .9. 2,000 studies of R = 200.
R, STUDIES = 200, 2000
NAMES = list(MEASURES)  # the convergence rate is the last


@pytest.fixture(scope="module")
def studies():
    rng = np.random.default_rng(2019)
    estimates = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=(STUDIES, R))
    halves, errors = rng.choice([0.8, 1.0], size=(STUDIES, R)), 0.6 * np.sqrt(rng.gamma(10, 0.1, size=(STUDIES, R)))
    succeeded = rng.random((STUDIES, R)) < 0.9

    def study(k):
        estimate, of_other = 1.1 + 0.5 * estimates[k, :, 0], 0.95 + 0.4 * estimates[k, :, 1]
        this = replicates(estimate, errors[k], estimate - halves[k], estimate + halves[k], truth=1.0)
        found = measure(this, NAMES[:-1], reference=replicates(of_other), null=0.2)
        rate = measure(this._replace(converged=succeeded[k]), NAMES[-1:])
        return np.concatenate([found[["value", "mcse"]], rate[["value", "mcse"]]])

    return np.stack([study(k) for k in range(STUDIES)])


@pytest.mark.slow
@pytest.mark.montecarlo
class TestNormalEstimator:
    def test_values_are_those_of_the_law(self, studies):
        def held(point):
            """Probability that the interval about N(1.1, .5^2) holds a point."""
            ends = [stats.norm.cdf(point + side * np.array([0.8, 1.0]), 1.1, 0.5) for side in (-1, 1)]
            return np.mean(ends[1] - ends[0])

        median_se = 0.6 * np.sqrt(stats.gamma.median(10, scale=0.1))
        law = {
            "bias": 0.1,
            "relative_bias": 0.1,
            "median_bias": 0.1,
            "empirical_se": 0.5,
            "mad_se": 0.5,
            "model_se": 0.6,
            "median_se": median_se,
            "se_ratio": 1.2,
            "mad_ratio": median_se / 0.5,
            "mse": 0.26,
            "rmse": np.sqrt(0.26),
            "coverage": held(1.0),
            "bias_eliminated_coverage": held(1.1),
            "interval_width": 1.8,
            "rejection": 1 - held(0.2),
            "relative_efficiency": 0.64,
            "relative_mse": (0.05**2 + 0.16) / 0.26,
            "convergence": 0.9,
        }
        wanted = np.array([law[name] for name in NAMES])
        # Ratios and roots are biased by order 1/R of themselves.
        bias = 2 / R * wanted
        assert_monte_carlo(studies[..., 0].mean(axis=0), wanted, mcse_mean(studies[..., 0]), bias=bias, resolution=0.03)

    def test_mcse_is_the_standard_deviation_over_studies(self, studies):
        """Of every measure: the error of a standard deviation of 2,000 is 1.6 %."""
        said = np.sqrt(np.mean(studies[..., 1] ** 2, axis=0))
        ratio, error = studies[..., 0].std(axis=0, ddof=1) / said, mcse_sd(studies[..., 0]) / said
        # At R = 200 the error of a deviation is 6 % too large. The coverage of the mean takes that as fixed.
        bias = [0.07 if name.startswith("mad") else 0.02 for name in NAMES]
        assert_monte_carlo(ratio, 1.0, error, bias=bias, resolution=0.16)

    def test_coverage_of_two_errors(self, studies):
        """The bias is within 1.96 of its errors in 95 of 100 studies."""
        value, mcse = studies[:, NAMES.index("bias")].T
        share = np.mean(np.abs(value - 0.1) < 1.96 * mcse)
        assert_monte_carlo(share, 0.95, mcse_proportion(0.95, STUDIES), resolution=0.025)


@pytest.mark.slow
@pytest.mark.montecarlo
def test_errors_of_robust_measures_of_a_skewed_law():
    """Exponential estimates: without the skew's part that of the deviation would be 2.472^-1/2 = .64 of what it is."""
    rng = np.random.default_rng(5)
    found = np.array([[formulas.median(x), formulas.mad_se(x)] for x in rng.exponential(size=(4000, 1000))])
    m, d = math.log(2), math.asinh(0.5)
    assert_monte_carlo(found[..., 0].mean(axis=0), [m, d / MAD], mcse_mean(found[..., 0]), bias=2e-3, resolution=0.01)
    said = np.sqrt(np.mean(found[..., 1] ** 2, axis=0))
    ratio, error = found[..., 0].std(axis=0, ddof=1) / said, mcse_sd(found[..., 0]) / said
    assert_monte_carlo(ratio, 1.0, error, bias=0.03, resolution=0.1)
    # Asymptotic law: 1 / (2 f(m) sqrt(n)), and sqrt(2.472) / (2 (f+ + f-) sqrt(n)) by the influence function.
    above, below = math.exp(-m - d), math.exp(-m + d)
    skew = (above - below) / 0.5
    product = 2 * (above - (1 - below))
    square = 1 - 2 * skew * product + skew**2
    assert square == pytest.approx(2.472, abs=1e-3)
    asymptotic = np.array([1.0, math.sqrt(square) / (2 * (above + below)) / MAD]) / math.sqrt(1000)
    assert_monte_carlo(found[..., 0].std(axis=0) / asymptotic, 1.0, error, bias=0.02, resolution=0.1)


class TestReplicationsFor:
    @pytest.mark.parametrize(
        ("expected", "mcse", "wanted"),
        [(0.95, 0.005, 1900), (0.5, 0.01, 2500), (0.8, 0.01, 1600), (0.95, 0.002, 11875), (0.95, 0.003, 5278)],
    )
    def test_share_by_hand(self, expected, mcse, wanted):
        """Morris et al.: 1,900 for coverage to half a point. .0475 / .003^2 = 5277.8, rounded up."""
        for name in ("coverage", "rejection", "convergence", "bias_eliminated_coverage"):
            assert replications_for(name, mcse, expected=expected) == wanted

    def test_pilot_by_hand(self):
        """Errors of FOUR: bias sqrt(14/12), so 4 * 14/12 / .01 = 466.67; coverage .75, so .1875 / .0001."""
        assert replications_for("bias", 0.1, FOUR) == 467
        assert replications_for("coverage", 0.01, FOUR) == 1875
        assert replications_for("rejection", 0.01, FOUR, null=2.25) == 1875
        assert replications_for("relative_efficiency", 0.1, FOUR, reference=REFERENCE) == 21  # 4 * (100/196) * .1 / .01

    def test_failures_are_paid_for(self):
        """Eight of which FOUR converged, twice as many."""
        half = some(FOUR, np.tile(np.arange(4), 2))._replace(converged=np.arange(8) < 4)
        assert replications_for("bias", 0.1, half) == 934  # 2 * 466.67, rounded up

    def test_cost_that_was_told_is_what_it_takes(self, drawn):
        this = drawn[0]
        wanted = measure(this, ["rmse"]).loc["rmse", "mcse"] / 3
        assert replications_for("rmse", wanted, this) == 360

    @pytest.mark.parametrize("level", [0.9, 0.99])
    def test_level_stands_in_for_a_coverage_without_misses(self, level):
        """That is p (1 - p) / mcse^2: .09 / .0001 = 900 and .0099 / .0001 = 99."""
        sure = FOUR._replace(lower=np.full(4, -9.0), upper=np.full(4, 9.0), level=level)
        wanted = {0.9: 900, 0.99: 99}[level]
        assert replications_for("coverage", 0.01, sure) == wanted
        assert replications_for("bias_eliminated_coverage", 0.01, sure) == wanted
        assert replications_for("rejection", 0.01, sure, null=2.0) == wanted
        with pytest.raises(ValueError, match="rejection has error 0 over 4 of the pilot's 4; give `expected`"):
            replications_for("rejection", 0.01, sure, null=1.0)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"name": "bias", "mcse": 0.0, "replicates": FOUR}, "mcse: got 0.0; give a finite positive number"),
            ({"name": "bias", "mcse": NAN, "replicates": FOUR}, "mcse: got nan"),
            ({"name": "bias", "mcse": 0.1}, "got neither"),
            ({"name": "coverage", "mcse": 0.1, "replicates": FOUR, "expected": 0.9}, "got both"),
            ({"name": "bias", "mcse": 0.1, "expected": 0.9}, "bias is not a proportion"),
            ({"name": "coverage", "mcse": 0.1, "expected": 95}, "expected: got 95; give the coverage"),
            ({"name": "coverage", "mcse": 0.1, "expected": NAN}, "expected: got nan"),
            ({"name": "cover", "mcse": 0.1, "expected": 0.9}, "there is no 'cover'; choose from bias"),
            ({"name": "convergence", "mcse": 0.1, "replicates": FOUR}, "convergence has error 0 over 4"),
            ({"name": "rejection", "mcse": 0.1, "replicates": FOUR}, "rejection needs a null"),
            (
                {"name": "bias", "mcse": 0.1, "replicates": FOUR._replace(converged=np.arange(4) < 1)},
                "bias has error nan over 1 of the pilot's 4; give a pilot with more replicates",
            ),
        ],
    )
    def test_bad_input(self, arguments, message):
        with pytest.raises(ValueError, match=message) as caught:
            replications_for(**arguments)
        assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize(
    ("changes", "arguments", "error", "message"),
    [
        ({}, {"names": ["bias", "variance"]}, ValueError, "there is no 'variance'; choose from bias, relative_bias"),
        ({}, {"names": ["relative_mse"]}, ValueError, "relative_mse needs a reference; give `reference`"),
        ({}, {"names": ["rejection"]}, ValueError, "rejection needs a null; give `null`"),
        ({}, {"reference": replicates([1, 2])}, ValueError, "reference: 2 replicates, where the method has 4"),
        ({}, {"reference": [1, 2, 3, 4]}, TypeError, r"reference: got \[1, 2, 3, 4\]; give Replicates"),
        ({"estimate": np.zeros(3)}, {}, ValueError, r"arrays of shapes \(3,\), \(4,\)"),
        ({"converged": np.ones(4)}, {}, TypeError, "converged is float64; give True or False"),
        ({"level": 95}, {}, ValueError, "level: 95; give that of the intervals"),
        ({"level": NAN}, {}, ValueError, "level: nan"),
    ],
)
def test_bad_input(changes, arguments, error, message):
    with pytest.raises(error, match=message):
        measure(FOUR._replace(**changes), **arguments)


def test_names_choose_and_order():
    assert list(measure(FOUR, ["mse", "bias", "mse"]).index) == ["mse", "bias"]
    assert list(measure(FOUR, "coverage").index) == ["coverage"]
    without = set(MEASURES) - {"rejection", "relative_efficiency", "relative_mse"}
    assert set(measure(FOUR).index) == without


@pytest.fixture(scope="module")
def frame():
    """Make a long frame: three methods, a missing factor value, two parameters; method c lacks some replicates."""
    rng = np.random.default_rng(8)
    index = pd.MultiIndex.from_product(
        [["b", "a", "c"], [None, "point"], [500, 100], range(30), ["scale", "loc"]],
        names=["method", "contamination", "n", "replicate", "parameter"],
    )
    rows = index.to_frame(index=False)
    rows["truth"] = np.where(rows["parameter"] == "loc", 0.0, rows["n"] / 100)
    # Methods see the same samples.
    shared = np.tile(rng.normal(size=240), 3)
    rows["estimate"] = rows["truth"] + shared + 0.5 * rng.normal(size=len(rows))
    rows["std_error"] = rng.uniform(0.8, 1.4, size=len(rows))
    rows["lower"], rows["upper"] = rows["estimate"] - 2 * rows["std_error"], rows["estimate"] + 2 * rows["std_error"]
    rows["converged"] = rng.random(len(rows)) < 0.9
    rows.loc[rng.random(len(rows)) < 0.05, ["estimate", "std_error", "lower", "upper"]] = NAN
    lost = (rows["method"] == "c") & (rows["replicate"] % 7 == 3)
    return rows[~lost].reset_index(drop=True)


BY = ["method", "contamination", "n"]


class TestTable:
    def expected(self, frame, null, reference):
        """Second route: masks, one group at a time, and pairs by a merge."""
        found = []
        columns = ["estimate", "std_error", "lower", "upper", "converged"]
        keys = frame[[*BY, "parameter"]].drop_duplicates()
        for key in keys.itertuples(index=False):
            factor = frame["contamination"].isna() if pd.isna(key.contamination) else frame["contamination"] == "point"
            cell = frame[factor & (frame["n"] == key.n) & (frame["parameter"] == key.parameter)]
            both = cell[cell["method"] == key.method].merge(
                cell[cell["method"] == reference], how="left", on="replicate", suffixes=("", "_reference")
            )
            truth = both["truth"].iloc[0]
            this = Replicates._make([*(both[c].to_numpy() for c in columns), truth, 0.95])
            numbers = (both[f"{c}_reference"].to_numpy(float) for c in columns[:4])
            converged = (both["converged_reference"] == True).to_numpy(bool)  # noqa: E712
            other = Replicates._make([*numbers, converged, truth, 0.95])
            rows = (
                measure(this, reference=other, null=null.get(key.parameter))
                .reset_index()
                .rename(columns={"n": "n_used"})
            )
            found.append(pd.DataFrame([key] * len(rows), columns=[*BY, "parameter"]).join(rows))
        return pd.concat(found, ignore_index=True)

    @pytest.mark.parametrize("reference", ["a", "c"])
    def test_is_measure_of_every_group(self, frame, reference):
        null = {"loc": 0.5}
        found, wanted = table(frame, BY, reference=reference, null=null), self.expected(frame, null, reference)
        pd.testing.assert_frame_equal(found, wanted, check_exact=False, rtol=EXACT, check_dtype=False)
        pairs = found.loc[found["measure"] == "relative_mse"].groupby("method")["n_used"].max()
        assert (pairs[["b", "a"]] > pairs["c"]).all() if reference == "a" else (pairs <= 26).all()

    def test_order_of_rows_does_not_matter(self, frame):
        shuffled = frame.sample(frac=1.0, random_state=3)
        key = [*BY, "parameter", "measure"]
        before, after = (
            table(each, BY, reference="a").sort_values(key, ignore_index=True) for each in (frame, shuffled)
        )
        pd.testing.assert_frame_equal(after, before, check_exact=True)

    def test_categories_and_arrow(self, frame):
        """As Parquet files give them back; a category without rows is no group."""
        other = frame.assign(
            method=pd.Categorical(frame["method"], ["a", "b", "c", "d"]),
            contamination=frame["contamination"].astype("category"),
            parameter=frame["parameter"].astype("category"),
            converged=frame["converged"].astype("boolean"),
            estimate=frame["estimate"].astype("Float64"),
        )
        found, wanted = (table(each, BY, reference="a", null={"loc": 0.5}) for each in (other, frame))
        assert isinstance(found["method"].dtype, pd.CategoricalDtype)
        for column in wanted.columns:
            a, b = found[column].to_numpy(object), wanted[column].to_numpy(object)
            assert all(x == y or (pd.isna(x) and pd.isna(y)) for x, y in zip(a, b, strict=True)), column

    def test_method_absent_from_a_cell(self, frame):
        """There is then nothing to compare with, and n says so; everything else is there."""
        part = frame[~((frame["method"] == "a") & (frame["n"] == 100))]
        found = table(part, BY, ["bias", "relative_mse"], reference="a")
        alone = (found["n"] == 100) & (found["measure"] == "relative_mse")
        assert (found.loc[alone, "n_used"] == 0).all()
        assert found.loc[alone, VALUES].isna().to_numpy().all()
        assert found.loc[~alone, VALUES].notna().to_numpy().all()
        assert alone.sum() == 8  # b and c, two contaminations, two parameters

    def test_groups_come_as_in_the_frame(self, frame):
        found = table(frame, BY, ["bias"])
        first = frame[[*BY, "parameter"]].drop_duplicates(ignore_index=True)
        pd.testing.assert_frame_equal(found.loc[:, [*BY, "parameter"]], first)

    def test_empty_frame(self, frame):
        assert list(table(frame[:0], BY).columns) == list(table(frame, BY).columns)
        assert len(table(frame[:0], BY)) == 0

    @pytest.mark.parametrize(
        ("change", "arguments", "message"),
        [
            (lambda f: f.drop(columns=["truth", "lower"]), {}, "frame: no column 'lower', 'truth'"),
            (lambda f: f, {"by": ["method", "size"]}, "frame: no column 'size'"),
            (lambda f: f, {"by": ["method", "n"]}, "rows repeat a replicate of their group, first in method b, n 500"),
            (lambda f: f.assign(truth=np.arange(len(f))), {}, "truth: both 0 and 2 in method b"),
            (lambda f: f.assign(converged="True"), {}, "frame: converged is"),
            (lambda f: f.assign(converged=NAN), {}, "frame: converged is float64"),
            (lambda f: f, {"reference": "d"}, "reference: there is no method 'd'; choose from b, a, c"),
            (lambda f: f[f["method"] == "a"], {"by": BY[1:], "reference": "a"}, "name 'method' in by"),
            (lambda f: f, {"null": {"shape": 1.0}}, "null: the frame has no parameter 'shape'"),
            (lambda f: f, {"measures": ["relative_mse"]}, "relative_mse needs a reference"),
            (lambda f: f, {"measures": ["variance"]}, "there is no 'variance'"),
            (lambda f: f, {"level": 95}, "level: 95"),
            (lambda f: f.rename(columns={"n": "value"}), {"by": [*BY[:2], "value"]}, "by: the table has columns value"),
        ],
    )
    def test_bad_input(self, frame, change, arguments, message):
        with pytest.raises(ValueError, match=message):
            table(change(frame), **{"by": BY, **arguments})
