"""Comparators against the libraries behind them, closed forms and second routes."""

import concurrent.futures
import dataclasses
import sys

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from compiled import compilations
from scipy import integrate, optimize, special
from tolerance import EXACT, assert_monte_carlo, mcse_mean, mcse_sd

import hellgan as hg
from hellgan import inference, latents, parameters
from hellgan.generators import (
    Cauchy,
    Exponential,
    Gamma,
    GAndK,
    Laplace,
    LinearRegression,
    Logistic,
    LogNormal,
    MultivariateNormal,
    MultivariateStudentT,
    Normal,
    NormalMixture,
    StudentT,
    Uniform,
    Weibull,
)
from hellgan.montecarlo import comparators
from hellgan.montecarlo.comparators import (
    DensityPower,
    Huber,
    MaximumLikelihood,
    MedianMAD,
    MinCovDet,
    MinimumHellinger,
    SimulatedMoments,
    minimisation,
)
from hellgan.montecarlo.comparators.comparator import Comparator, wald_intervals
from hellgan.montecarlo.comparators.hellinger import kernel_roots
from hellgan.montecarlo.comparators.nodes import information, laid, latent_nodes
from hellgan.samples.robust import robust_scale

LOCATION = Logistic().fix(scale=1.0)
NORMAL = np.random.default_rng(1).normal(1, 2, 300)


def rng(seed: int | list[int] = 0):
    return np.random.default_rng(seed)


def quantiles(law, n=4001):
    """A sample that is as like its law as can be."""
    return law.quantile((np.arange(n) + 0.5) / n)


def fit(comparator, generator, x, seed=0):
    comparator.check(generator, len(x))
    found = comparator.estimate(generator, x, rng(seed))
    assert found.converged, found.message
    assert len(found.values) == len(found.std_errors) == len(comparator.names(generator))
    return found


@hg.generator(latent="normal", latent_dim=2, loc=hg.real())
def twice_measured(z, loc):
    """Measure one location twice, the second time with half the error."""
    return jnp.stack([loc + z[0], loc + 0.5 * z[1]])


class TestMaximumLikelihood:
    @pytest.mark.parametrize(
        ("generator", "law", "start"),
        [
            (Logistic(), lambda t: scipy.stats.logistic(t[0], t[1]), [1.0, 2.0]),
            (Cauchy(), lambda t: scipy.stats.cauchy(t[0], t[1]), [1.0, 2.0]),
            (StudentT(4.0), lambda t: scipy.stats.t(4, t[0], t[1]), [1.0, 2.0]),
            (StudentT(), lambda t: scipy.stats.t(t[0], t[1], t[2]), [3.0, 1.0, 2.0]),
            (Gamma(), lambda t: scipy.stats.gamma(t[0], scale=t[1]), [3.0, 2.0]),
            (Weibull(), lambda t: scipy.stats.weibull_min(t[0], scale=t[1]), [1.5, 2.0]),
            (LogNormal(), lambda t: scipy.stats.lognorm(t[0], scale=t[1]), [0.5, 2.0]),
        ],
        ids=lambda g: getattr(g, "name", ""),
    )
    def test_is_where_scipys_log_densities_are_largest(self, generator, law, start):
        x = law(start).rvs(400, random_state=5)
        options = {"xatol": 1e-9, "fatol": 1e-14, "maxiter": 10_000, "maxfev": 10_000}

        def objective(t):
            return -law(t).logpdf(x).mean() if t[-1] > 0 and (len(t) == 2 or t[0] > 0) else np.inf

        expected = optimize.minimize(objective, start, method="Nelder-Mead", options=options).x
        found = fit(MaximumLikelihood(), generator, x)
        np.testing.assert_allclose(found.values, expected, rtol=1e-6)

    def test_errors_of_exponential_families_are_those_of_the_expected_information(self):
        x = rng(3).gamma(3, 2, 400)
        a, scale = (found := fit(MaximumLikelihood(), Gamma(), x)).values
        information = np.array([[special.polygamma(1, a), 1 / scale], [1 / scale, a / scale**2]])
        expected = np.sqrt(np.diag(np.linalg.inv(information)) / 400)
        np.testing.assert_allclose(found.std_errors, expected, rtol=1e-6)
        x = rng(4).exponential(2.0, 100)
        found = fit(MaximumLikelihood(), Exponential(), x)
        np.testing.assert_allclose([found.values[0], found.std_errors[0]], [x.mean(), x.mean() / 10], rtol=1e-9)
        # the sandwich: sd(x) / sqrt(n)
        found = fit(MaximumLikelihood(cov="sandwich"), Exponential(), x)
        assert found.std_errors[0] == pytest.approx(x.std() / 10, rel=1e-9)

    def test_errors_at_logistic_quantiles(self):
        # information: 1/3 for the location, (3 + pi^2) / 9 for the log scale
        found = fit(MaximumLikelihood(), Logistic(), 1 + 2 * quantiles(latents.logistic))
        expected = 2 / np.sqrt(4001 * np.array([1 / 3, (3 + np.pi**2) / 9]))
        np.testing.assert_allclose(found.values, [1, 2], atol=2e-3)
        np.testing.assert_allclose(found.std_errors, expected, rtol=2e-3)

    @pytest.mark.parametrize("cov", ["information", "sandwich"])
    @pytest.mark.parametrize("d", [1, 3])
    def test_closed_form_is_what_the_optimiser_finds(self, cov, d):
        comparator = MaximumLikelihood(cov=cov)
        generator = Normal() if d == 1 else MultivariateNormal(d)
        x = rng(6).standard_t(8, 250) if d == 1 else rng(6).standard_t(8, (250, d)) @ rng(7).normal(size=(d, d)) + 3
        closed, sought = fit(comparator, generator, x), comparator.single(generator, x, rng())
        assert sought.converged
        np.testing.assert_allclose(closed.values, sought.values, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(closed.std_errors, sought.std_errors, rtol=1e-7)

    def test_laplace(self):
        x = np.array([0.0, 1.0, 3.0, 4.0, 12.0])  # median 3; absolute deviations 3, 2, 0, 1, 9, mean 3
        found = fit(MaximumLikelihood(), Laplace(), x)
        np.testing.assert_allclose(found.values, [3, 3], rtol=EXACT)
        np.testing.assert_allclose(found.std_errors, [3 / np.sqrt(5)] * 2, rtol=EXACT)

    def test_a_fixed_parameter_is_held(self):
        found = fit(MaximumLikelihood(), Normal().fix(scale=2.0), NORMAL)
        np.testing.assert_allclose(found.values, [NORMAL.mean()], rtol=1e-8)
        np.testing.assert_allclose(found.std_errors, [2 / np.sqrt(300)], rtol=1e-8)

    def test_regression_is_least_squares(self):
        x = rng(8).normal(size=(120, 2))
        y = 1 + x @ [1.0, -2.0] + rng(9).normal(size=120)
        found = fit(MaximumLikelihood(), LinearRegression(columns=2), np.column_stack([x, y]))
        ols = sm.OLS(y, sm.add_constant(x)).fit()
        scale = np.sqrt(ols.ssr / 120)
        np.testing.assert_allclose(found.values, [*ols.params, scale], rtol=1e-7)
        expected = [*(ols.bse * scale / np.sqrt(ols.scale)), scale / np.sqrt(240)]
        np.testing.assert_allclose(found.std_errors, expected, rtol=1e-6)

    def test_a_bad_start_is_overcome(self, monkeypatch):
        expected = fit(MaximumLikelihood(), Logistic(), NORMAL)
        start = {"loc": np.float64(9.0), "scale": np.float64(0.4)}
        monkeypatch.setattr(hg.generators.LocationScale, "start", lambda *_: start)
        found = fit(MaximumLikelihood(), Logistic(), NORMAL)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-8)
        assert found.iterations > expected.iterations

    @pytest.mark.parametrize("generator", [Logistic(), StudentT(4.0)], ids=lambda g: g.name)
    @pytest.mark.parametrize("kind", [MaximumLikelihood, DensityPower, MinimumHellinger])
    def test_units_do_not_matter(self, kind, generator):
        one, other = fit(kind(), generator, NORMAL), fit(kind(), generator, 1e6 * NORMAL + 1e8)
        np.testing.assert_allclose(other.values, 1e6 * one.values + [1e8, 0], rtol=1e-7)
        np.testing.assert_allclose(other.std_errors, 1e6 * one.std_errors, rtol=1e-4)

    def test_a_likelihood_without_a_maximum_is_no_estimate(self):
        # With tails lighter than the normal law's the degrees of freedom run to infinity.
        found = MaximumLikelihood().estimate(StudentT(), np.linspace(-1, 1, 200), rng())
        assert not found.converged
        assert found.message


class TestMedianMAD:
    def test_by_hand(self):
        # median 3, absolute deviations 2, 1, 0, 1, 97, their median 1, over Phi^-1(3/4)
        found = fit(MedianMAD(), Normal(), np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
        np.testing.assert_allclose(found.values, [3, 1.482602218505602], rtol=EXACT)
        # sqrt(pi / 2), and 1 / (4 phi(q) q), q = Phi^-1(3/4)
        expected = 1.482602218505602 / np.sqrt(5) * np.array([1.2533141, 1.1663871])
        np.testing.assert_allclose(found.std_errors, expected, rtol=1e-6)

    @pytest.mark.parametrize(
        "generator", [Logistic(), Cauchy(), Laplace(), StudentT(3.0), Uniform()], ids=lambda g: g.name
    )
    def test_is_consistent_at_the_family(self, generator):
        found = fit(MedianMAD(), generator, 1 + 2 * quantiles(generator.law))
        np.testing.assert_allclose(found.values, [1, 2], atol=3e-3)

    def test_errors_of_other_families(self):
        # Cauchy: f(0) = 1 / pi, upper quartile 1 of density 1 / 2 pi: both errors are pi / 2 scale / sqrt(n)
        found = fit(MedianMAD(), Cauchy(), quantiles(latents.cauchy, 101))
        np.testing.assert_allclose(found.std_errors, found.values[1] * np.pi / 2 / np.sqrt(101), rtol=1e-6)
        # Uniform on (loc, loc + scale): the median has 1/2, the scale 1 scale / sqrt(n); loc = median - scale / 2
        found = fit(MedianMAD(), Uniform(), np.linspace(0, 1, 101))
        expected = found.values[1] / np.sqrt(101) * np.array([np.sqrt(1 / 4 + 1 / 4), 1])
        np.testing.assert_allclose(found.std_errors, expected, rtol=1e-6)

    @pytest.mark.montecarlo
    @pytest.mark.parametrize("name", ["normal", "logistic"])
    def test_errors_are_those_of_replications(self, name):
        generator = Normal() if name == "normal" else Logistic()
        samples = getattr(rng(10), name)(size=(4000, 301))
        found = MedianMAD().estimate_each(generator, samples, [rng()] * 4000, 0.95)
        assert found.converged.all()
        spread, errors = found.values.std(axis=0, ddof=1), found.std_errors.mean(axis=0)
        mcse = np.hypot(mcse_sd(found.values), mcse_mean(found.std_errors)) / spread
        assert_monte_carlo(errors / spread, 1.0, mcse, bias=0.01, resolution=0.07)

    def test_fixed_parameters(self):
        both = fit(MedianMAD(), Logistic(), NORMAL)
        loc = fit(MedianMAD(), LOCATION, NORMAL)
        np.testing.assert_allclose(loc.values, both.values[:1], rtol=EXACT)
        np.testing.assert_allclose(loc.std_errors, [2 / np.sqrt(300)], rtol=1e-6)  # f(0) = 1/4
        scale = fit(MedianMAD(), Logistic().fix(loc=0.0), NORMAL)
        np.testing.assert_allclose(scale.values, both.values[1:], rtol=EXACT)

    def test_a_fixed_scale_adds_no_error_to_a_location_off_the_centre(self):
        """Uniform on (loc, loc + 1): the median less 1/2, and f = 1 there."""
        found = fit(MedianMAD(), Uniform().fix(scale=1.0), np.linspace(0, 1, 101))
        np.testing.assert_allclose(found.values, [0], atol=1e-12)
        np.testing.assert_allclose(found.std_errors, [0.5 / np.sqrt(101)], rtol=EXACT)

    @pytest.mark.parametrize("generator", [MultivariateNormal(3), MultivariateStudentT(3, 4.0)], ids=lambda g: g.name)
    def test_several_dimensions_are_taken_one_by_one(self, generator):
        x = rng(11).normal(size=(200, 3)) * [1, 2, 3]
        found = fit(MedianMAD(), generator, x)
        line = Normal() if isinstance(generator, MultivariateNormal) else StudentT(4.0)
        each = [fit(MedianMAD(), line, column) for column in x.T]
        assert MedianMAD().names(generator) == ("loc_1", "loc_2", "loc_3", "scale_1", "scale_2", "scale_3")
        np.testing.assert_allclose(found.values, np.ravel([e.values for e in each], "F"), rtol=EXACT)
        np.testing.assert_allclose(found.std_errors, np.ravel([e.std_errors for e in each], "F"), rtol=EXACT)

    def test_half_a_sample_of_one_value_is_a_failure_of_its_own(self):
        samples = rng(12).normal(size=(3, 21))
        samples[1, :12] = 0.0
        found = MedianMAD().estimate_each(Normal(), samples, [rng()] * 3, 0.95)
        assert found.converged.tolist() == [True, False, True]
        assert found.messages[1].startswith("the median absolute deviation is 0")
        assert np.all(np.isfinite(found.lower[[0, 2]]))


class TestHuber:
    @pytest.mark.parametrize("c", [1.0, 1.5])
    def test_is_statsmodels_proposal_2(self, c):
        x = np.r_[NORMAL, 40.0, 50.0]
        found = fit(Huber(c), Normal(), x)
        expected = sm.robust.scale.Huber(c=c, maxiter=200)(x)
        np.testing.assert_allclose(found.values, expected, rtol=EXACT)

    def test_errors_at_normal_quantiles(self):
        c, n = 1.5, 4001
        found = fit(Huber(c), Normal(), 1 + 2 * quantiles(latents.normal, n))
        inner = 2 * special.ndtr(c) - 1
        density = np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi)
        squares = inner - 2 * c * density  # E t^2 within c
        second = squares + c**2 * (1 - inner)
        fourth = 3 * inner - 2 * density * (c**3 + 3 * c) + c**4 * (1 - inner)
        expected = 2 / np.sqrt(n) * np.array([np.sqrt(second) / inner, np.sqrt(fourth - second**2) / (2 * squares)])
        np.testing.assert_allclose(found.values, [1, 2], atol=2e-3)
        np.testing.assert_allclose(found.std_errors, expected, rtol=2e-3)

    def test_errors_at_logistic_quantiles(self):
        """The scale that proposal 2 gives is 1.678 of the family's: its error is divided by that."""
        c, n = 1.5, 4001
        inner = 2 * special.ndtr(c) - 1
        density = np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi)
        second = inner - 2 * c * density + c**2 * (1 - inner)  # at the normal law
        z = quantiles(latents.logistic, 100_000)
        unit = optimize.brentq(lambda s: np.mean(np.clip(z / s, -c, c) ** 2) - second, 1, 3)
        t = z / unit
        within, squares = np.abs(t) <= c, np.clip(t, -c, c) ** 2
        of_loc = unit * np.sqrt(squares.mean()) / within.mean()
        of_scale = squares.std() / (2 * np.mean(t**2 * within))
        found = fit(Huber(c), Logistic(), 1 + 2 * quantiles(latents.logistic, n))
        np.testing.assert_allclose(np.sqrt(n) * found.std_errors, [2 * of_loc, 2 * of_scale], rtol=2e-3)

    @pytest.mark.montecarlo
    def test_errors_are_those_of_replications_of_a_skew_law(self):
        samples = rng(13).gamma(3, size=(1500, 200))
        found = Huber(model=Normal()).estimate_each(Gamma(), samples, [rng()] * 1500, 0.95)
        assert found.converged.all()
        spread, errors = found.values.std(axis=0, ddof=1), found.std_errors.mean(axis=0)
        mcse = np.hypot(mcse_sd(found.values), mcse_mean(found.std_errors)) / spread
        assert_monte_carlo(errors / spread, 1.0, mcse, bias=0.015, resolution=0.13)

    def test_is_consistent_at_the_family(self):
        for generator in (Logistic(), StudentT(3.0), Uniform()):
            found = fit(Huber(), generator, 1 + 2 * quantiles(generator.law))
            np.testing.assert_allclose(found.values, [1, 2], atol=3e-3)

    def test_regression_is_statsmodels_rlm(self):
        x = rng(14).normal(size=(150, 2))
        y = 1 + x @ [1.0, -2.0] + rng(15).standard_t(3, 150)
        found = fit(Huber(1.1), LinearRegression(columns=["a", "b"]), np.column_stack([x, y]))
        expected = sm.RLM(y, sm.add_constant(x), M=sm.robust.norms.HuberT(t=1.1)).fit()
        np.testing.assert_allclose(found.values, [*expected.params, expected.scale], rtol=1e-10)
        np.testing.assert_allclose(found.std_errors, [*expected.bse, np.nan], rtol=1e-10)
        # Laplace's upper quartile is log 2
        found = fit(Huber(1.1), LinearRegression("laplace", ["a", "b"]), np.column_stack([x, y]))
        assert found.values[-1] == pytest.approx(expected.scale * special.ndtri(0.75) / np.log(2), rel=1e-10)

    def test_iterations_that_run_out_are_a_failure(self, monkeypatch):
        monkeypatch.setattr("hellgan.montecarlo.comparators.huber._STEPS", 3)
        x = rng(14).normal(size=(2, 150, 2)) ** 3
        found = Huber(0.5).estimate_each(LinearRegression(columns=1), x, [rng()] * 2, 0.95)
        assert not found.converged.any()
        assert "3 iterations" in found.messages[0]
        found = Huber(0.5).estimate_each(Normal(), x[:, :, 0], [rng()] * 2, 0.95)
        assert "failed to converge" in found.messages[0]


class TestMinCovDet:
    def test_is_scikit_learns(self):
        from sklearn import covariance

        x = 3 + rng(16).normal(size=(200, 4)) @ rng(17).normal(size=(4, 4))
        x[:30] += 20
        found = fit(MinCovDet(0.75), MultivariateNormal(4), x, seed=4)
        expected = covariance.MinCovDet(support_fraction=0.75, random_state=int(rng(4).integers(2**32))).fit(x)
        named = dict(zip(MinCovDet().names(MultivariateNormal(4)), found.values, strict=True))
        cov = expected.covariance_
        assert named["loc_2"] == expected.location_[1]
        for i in range(4):
            assert named[f"scale_{i + 1}"] == pytest.approx(np.sqrt(cov[i, i]), rel=EXACT)
            for j in range(i):
                expected_corr = cov[i, j] / np.sqrt(cov[i, i] * cov[j, j])
                assert named[f"corr_{j + 1}{i + 1}"] == pytest.approx(expected_corr, rel=EXACT)
        assert np.all(np.isnan(found.std_errors))

    def test_says_what_to_install(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn.covariance", None)
        with pytest.raises(ImportError, match="pip install scikit-learn"):
            MinCovDet().check(MultivariateNormal(3), 100)


class TestDensityPower:
    @pytest.mark.parametrize("beta", [0.1, 0.5, 1.0])
    def test_normal_score_equations_hold(self, beta):
        x = np.r_[NORMAL, 40.0, 50.0]
        loc, scale = fit(DensityPower(beta), Normal(), x).values
        t = (x - loc) / scale
        power = np.exp(-beta * t**2 / 2)
        assert np.mean(power * t) == pytest.approx(0, abs=1e-8)
        # E f^beta (t^2 - 1) = -beta / (1 + beta)^(3/2), over f^beta(loc)
        assert np.mean(power * (t**2 - 1)) == pytest.approx(-beta / (1 + beta) ** 1.5, abs=1e-8)

    @pytest.mark.parametrize("generator", [Logistic(), StudentT(), Gamma()], ids=lambda g: g.name)
    def test_without_power_it_is_maximum_likelihood(self, generator):
        x = rng(17).gamma(3, 2, 200) if generator.name == "Gamma" else rng(17).standard_t(3, 200)
        small, likelihood = fit(DensityPower(1e-7), generator, x), fit(MaximumLikelihood(cov="sandwich"), generator, x)
        np.testing.assert_allclose(small.values, likelihood.values, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(small.std_errors, likelihood.std_errors, rtol=1e-4)

    @pytest.mark.parametrize("generator", [StudentT(), Gamma(), NormalMixture(2)], ids=lambda g: g.name)
    def test_is_where_the_divergence_by_quadrature_is_least(self, generator):
        draws = {"StudentT": rng(18).standard_t(3, 300), "Gamma": rng(18).gamma(3, 2, 300)}
        mixed = np.r_[rng(18).normal(-3, 1, 120), rng(19).normal(2, 1.5, 180)]
        x = draws.get(generator.name, mixed)
        found = fit(DensityPower(0.5), generator, x)
        grid = np.linspace(-200, 200, 40_001) if generator.name != "Gamma" else np.linspace(1e-9, 200, 40_001)

        def density(natural, y):
            if generator.name == "StudentT":
                return scipy.stats.t.pdf(y, *natural)
            if generator.name == "Gamma":
                return scipy.stats.gamma.pdf(y, natural[0], scale=natural[1])
            w, loc, scale = generator.named(natural).values()
            return scipy.stats.norm.pdf(y[:, None], loc, scale) @ w

        def divergence(natural):
            return integrate.trapezoid(density(natural, grid) ** 1.5, grid) - 3 * np.mean(density(natural, x) ** 0.5)

        least = divergence(found.values)
        for k in range(len(found.values)):
            step = 0.02 * found.std_errors[k]
            up, down = (found.values + sign * step * np.eye(len(found.values))[k] for sign in (1, -1))
            if generator.name == "NormalMixture":  # weights sum to 1
                up, down = (np.r_[v[:2] / v[:2].sum(), v[2:]] for v in (up, down))
            rise, fall = divergence(up) - least, divergence(down) - least
            # a slope of a hundredth of an error would make one of them negative
            assert rise > 0
            assert fall > 0
            assert abs(rise - fall) < 0.1 * (rise + fall)

    def test_errors_at_normal_quantiles(self):
        beta, n = 0.5, 4001
        found = fit(DensityPower(beta), Normal(), 1 + 2 * quantiles(latents.normal, n))

        def mean(h, power):
            return integrate.quad(lambda t: h(t) * np.exp(-(1 + power) * t**2 / 2) / np.sqrt(2 * np.pi), -12, 12)[0]

        # J and K of Basu et al. for the log scale, of score t^2 - 1, without f^beta(loc), which cancels
        j, xi = mean(lambda t: (t**2 - 1) ** 2, beta), mean(lambda t: t**2 - 1, beta)
        k = mean(lambda t: (t**2 - 1) ** 2, 2 * beta) - xi**2
        expected = 2 / np.sqrt(n) * np.array([(1 + beta**2 / (1 + 2 * beta)) ** 0.75, np.sqrt(k) / j])
        np.testing.assert_allclose(found.values, [1, 2], atol=2e-3)
        np.testing.assert_allclose(found.std_errors, expected, rtol=2e-3)

    @pytest.mark.slow
    @pytest.mark.montecarlo
    def test_errors_are_those_of_replications(self):
        samples = rng(20).standard_t(3, (1200, 200))  # fitted by the wrong law
        found = DensityPower(model=Normal()).estimate_each(StudentT(3.0), samples, [rng()] * 1200, 0.95)
        assert found.converged.all()
        spread, errors = found.values.std(axis=0, ddof=1), found.std_errors.mean(axis=0)
        mcse = np.hypot(mcse_sd(found.values), mcse_mean(found.std_errors)) / spread
        assert_monte_carlo(errors / spread, 1.0, mcse, bias=0.02, resolution=0.13)

    def test_points_are_laid_anew_where_the_start_is_far(self, monkeypatch):
        expected = fit(DensityPower(), Normal(), NORMAL).values
        start = {"loc": np.float64(4.0), "scale": np.float64(0.3)}
        monkeypatch.setattr(hg.generators.LocationScale, "start", lambda *_: start)
        np.testing.assert_allclose(fit(DensityPower(), Normal(), NORMAL).values, expected, rtol=1e-8)


class TestMinimumHellinger:
    def test_kernel_density_is_scipys(self):
        x = np.r_[NORMAL, 1e4]  # a row beyond the points
        points, roots = kernel_roots(x, 0.2)
        scale = robust_scale(x, np.full(301, 1 / 301))
        kernel = scipy.stats.gaussian_kde(x, bw_method=0.2 * scale / x.std(ddof=1))
        step = points[1] - points[0]
        assert step == pytest.approx(0.05 * scale)
        near = np.abs(points - np.median(x)) < 20
        expected = kernel(points[near])
        np.testing.assert_allclose((roots[near] / step) ** 2, expected, atol=5e-4 * expected.max())
        assert np.sum((roots / step) ** 2) * step == pytest.approx(300 / 301, rel=1e-9)

    def test_is_where_the_affinity_with_scipys_kernel_density_is_largest(self):
        h = 0.25
        found = fit(MinimumHellinger(bandwidth=h), StudentT(4.0), NORMAL)
        scale = robust_scale(NORMAL, np.full(300, 1 / 300))
        kernel = scipy.stats.gaussian_kde(NORMAL, bw_method=h * scale / NORMAL.std(ddof=1))
        grid = np.linspace(-20, 22, 8001)
        root = np.sqrt(kernel(grid))

        def affinity(t):
            return -integrate.trapezoid(root * np.sqrt(scipy.stats.t.pdf(grid, 4, *t)), grid)

        expected = optimize.minimize(affinity, [1, 2], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15}).x
        np.testing.assert_allclose(found.values, expected, atol=0.01 * found.std_errors.min())

    def test_errors_are_those_of_the_information(self):
        found = fit(MinimumHellinger(), Normal(), NORMAL)
        scale = found.values[1]
        np.testing.assert_allclose(found.std_errors, scale / np.sqrt([300, 600]), rtol=1e-9)

    @pytest.mark.montecarlo
    def test_is_near_maximum_likelihood_on_clean_data(self):
        samples = rng(21).normal(size=(300, 500))
        found = MinimumHellinger().estimate_each(Normal(), samples, [rng()] * 300, 0.95)
        likelihood = MaximumLikelihood().estimate_each(Normal(), samples, [rng()] * 300, 0.95)
        assert found.converged.all()
        gap = (found.values - likelihood.values) / likelihood.std_errors
        # the scale's bias, from kernel and noise, is of order n^(-2/3)
        assert_monte_carlo(gap.mean(axis=0), 0.0, mcse_mean(gap), bias=[0.0, 0.35], resolution=0.5)
        assert np.all(np.corrcoef(found.values.T, likelihood.values.T)[[0, 1], [2, 3]] > 0.95)

    def test_far_outliers_do_not_move_it(self):
        clean = rng(22).normal(size=450)
        alone, errors = (found := fit(MinimumHellinger(), Normal(), clean)).values, found.std_errors
        near, far = (
            fit(MinimumHellinger(), Normal(), np.r_[clean, np.linspace(c - 1, c + 1, 50)]).values for c in (15, 1e9)
        )
        # another bandwidth, since outliers move the median absolute deviation
        np.testing.assert_allclose(near, alone, atol=0.6 * errors.max())
        np.testing.assert_allclose(far, near, atol=1e-6)
        assert MaximumLikelihood().estimate(Normal(), np.r_[clean, np.full(50, 15.0)], rng()).values[0] > 1.4


class TestSimulatedMoments:
    def latents(self, n, seed, law=latents.logistic, dim=1):
        return latents.draw("iid", law, n, dim, int(rng(seed).integers(2**32)))[0]

    @pytest.mark.parametrize("weight", ["optimal", "identity"])
    def test_the_first_moment_matches_means(self, weight):
        x = rng(23).logistic(1, size=200)
        comparator = SimulatedMoments(degree=1, weight=weight, n_simulated=50, latent="iid")
        found = fit(comparator, LOCATION, x, seed=3)
        assert found.values[0] == pytest.approx(x.mean() - self.latents(50, 3).mean(), abs=1e-9)
        assert found.std_errors[0] == pytest.approx(x.std(ddof=1) * np.sqrt(1 / 200 + 1 / 50), rel=1e-9)

    def test_two_moments_of_a_normal_law_are_mean_and_deviation(self):
        found = fit(SimulatedMoments(n_simulated=4096), Normal(), NORMAL)
        np.testing.assert_allclose(found.values, [NORMAL.mean(), NORMAL.std()], rtol=2e-3)
        # delta method: deviation's error is sqrt((m4 - m2^2) / n) / (2 sd); Sobol points add none
        t = NORMAL - NORMAL.mean()
        expected = np.array([t.std(), np.sqrt(np.mean(t**4) - np.var(t) ** 2) / (2 * t.std())]) / np.sqrt(299)
        np.testing.assert_allclose(found.std_errors, expected, rtol=5e-3)

    @pytest.mark.parametrize("weight", ["optimal", "identity"])
    def test_linear_moments_have_a_closed_form(self, weight):
        n, m = 300, 150
        x = 2 + rng(24).normal(size=(n, 2)) * [1.0, 0.5]
        comparator = SimulatedMoments(moments=lambda row: row, weight=weight, n_simulated=m, latent="iid")
        found = fit(comparator, twice_measured, x, seed=5)
        gap = x.mean(axis=0) - (self.latents(m, 5, latents.normal, 2) * [1.0, 0.5]).mean(axis=0)
        cov = np.cov(x.T)
        w = np.linalg.inv(cov).sum(axis=0) if weight == "optimal" else np.ones(2)
        w = w / w.sum()
        assert found.values[0] == pytest.approx(w @ gap, abs=1e-9)
        assert found.std_errors[0] == pytest.approx(np.sqrt(w @ cov @ w * (1 / n + 1 / m)), rel=1e-9)

    @pytest.mark.parametrize("weight", ["optimal", "identity"])
    @pytest.mark.parametrize("degree", [3, 7, 11])
    def test_finds_the_least_of_a_grid(self, degree, weight):
        x = rng(25).logistic(size=200)
        comparator = SimulatedMoments(degree=degree, weight=weight, n_simulated=200, latent="iid")
        found = fit(comparator, LOCATION, x, seed=6)
        powers = np.arange(1, degree + 1)
        rows, z = x[:, None] ** powers, self.latents(200, 6)
        size = rows.std(axis=0)
        factor = np.asarray(np.linalg.qr((rows - rows.mean(axis=0)) / size, mode="r"))
        root = np.linalg.inv(factor.T) / size if weight == "optimal" else np.eye(degree)
        grid = np.linspace(-3, 3, 3001)
        values = [np.sum((root @ (rows.mean(axis=0) - ((z + t) ** powers).mean(axis=0))) ** 2) for t in grid]
        assert found.values[0] == pytest.approx(grid[np.argmin(values)], abs=2e-3)

    @pytest.mark.slow
    @pytest.mark.montecarlo
    def test_errors_are_those_of_replications(self):
        samples = rng(26).logistic(size=(1500, 1000))
        comparator = SimulatedMoments(degree=2, n_simulated=1000, latent="iid")
        found = comparator.estimate_each(LOCATION, samples, [rng([27, r]) for r in range(1500)], 0.95)
        assert found.converged.all()
        values, errors = found.values[:, 0], found.std_errors[:, 0]
        mcse = np.hypot(mcse_sd(values), mcse_mean(errors)) / values.std()
        assert_monte_carlo(errors.mean() / values.std(ddof=1), 1.0, mcse, bias=0.02, resolution=0.13)

    def test_latents_are_the_replicates_own(self):
        samples = np.repeat(rng(28).logistic(size=(1, 200)), 3, axis=0)
        comparator = SimulatedMoments(degree=1, n_simulated=200, latent="iid")
        found = comparator.estimate_each(LOCATION, samples, [rng(1), rng(1), rng(2)], 0.95).values[:, 0]
        assert found[0] == found[1] != found[2]

    def test_a_singular_covariance_is_a_failure(self):
        x = np.tile([1.0, 2.0, 3.0, 4.0], 50)
        found = SimulatedMoments(degree=7).estimate_each(LOCATION, x[None], [rng()], 0.95)
        assert found.messages[0] == "ValueError: the moments' covariance is singular; give fewer moments."


class TestNodes:
    @pytest.mark.parametrize("beta", [0.01, 0.5, 1.0])
    def test_powers_of_the_density(self, beta):
        z, weights = latent_nodes(latents.normal)
        power = weights @ np.exp(-beta * z**2 / 2)
        assert power == pytest.approx((1 + beta) ** -0.5, rel=1e-12)
        u, weights = latent_nodes(latents.uniform)
        assert weights @ u**beta == pytest.approx(1 / (1 + beta), rel=1e-12)

    @pytest.mark.parametrize("generator", [NormalMixture(2), NormalMixture(2).fix(scale=[1.0, 1.5])])
    def test_mixture_far_apart(self, generator):
        natural = {"weight": [0.3, 0.7], "loc": [-6.0, 6.0], "scale": [1.0, 1.5]}
        theta = generator.theta(**{name: value for name, value in natural.items() if name in generator.parameters})
        _, weights, logs = laid(generator, theta)
        # components do not overlap: sum of w^(3/2) (2 pi)^(-1/4) scale^(-1/2) (3/2)^(-1/2); overlap is below 1e-6
        expected = (0.3**1.5 + 0.7**1.5 / 1.5**0.5) * (2 * np.pi) ** -0.25 / 1.5**0.5
        assert weights.sum() == pytest.approx(1, rel=1e-12)
        assert weights @ np.exp(0.5 * logs) == pytest.approx(expected, rel=1e-4)
        y = np.linspace(-40, 40, 400_001)
        density = 0.3 * scipy.stats.norm.pdf(y, -6, 1) + 0.7 * scipy.stats.norm.pdf(y, 6, 1.5)
        assert weights @ np.exp(0.5 * logs) == pytest.approx(integrate.trapezoid(density**1.5, y), rel=1e-9)

    def test_information(self):
        theta = np.array([0.3, np.log(2.0)])
        expected = np.diag([1 / 12, (3 + np.pi**2) / 9])
        np.testing.assert_allclose(information(Logistic(), theta), expected, atol=1e-9)
        theta = np.log([3.0, 2.0])
        expected = np.array([[9 * special.polygamma(1, 3), 3], [3, 3]])  # of log shape and log scale
        np.testing.assert_allclose(information(Gamma(), theta), expected, rtol=1e-8)

    def test_a_draw_that_underflows_has_no_weight(self):
        y, weights, logs = laid(Gamma(), np.log([0.02, 1.0]))
        assert np.all(np.isfinite(y)) and np.all(np.isfinite(logs))  # noqa: PT018
        assert np.any(weights == 0)


ALL = [
    (MaximumLikelihood(), Logistic()),
    (MaximumLikelihood(), Normal()),
    (MedianMAD(), Logistic()),
    (Huber(), Normal()),
    (DensityPower(), Normal()),
    (MinimumHellinger(), Normal()),
    (SimulatedMoments(degree=3, latent="iid"), LOCATION),
]


@pytest.mark.parametrize(("comparator", "generator"), ALL, ids=lambda part: getattr(part, "label", ""))
class TestEach:
    def test_many_samples_are_each_alone(self, comparator, generator):
        samples = rng(30).logistic(size=(4, 100))
        seeds = [rng([31, r]) for r in range(4)]
        found = comparator.estimate_each(generator, samples, seeds, 0.9)
        spaces = generator.element_spaces
        assert found.names == comparator.names(generator) == tuple(generator.names)
        assert found.converged.all()
        for r in range(4):
            alone = comparator.estimate(generator, samples[r], rng([31, r]))
            np.testing.assert_array_equal(found.values[r], alone.values)
            np.testing.assert_array_equal(found.std_errors[r], alone.std_errors)
            ends = inference.intervals(spaces, alone.values, alone.std_errors, special.ndtri(0.95))
            np.testing.assert_allclose(np.stack([found.lower[r], found.upper[r]], 1), ends, rtol=EXACT)

    def test_a_sample_that_fails_does_so_alone(self, comparator, generator):
        samples = rng(32).logistic(size=(3, 100))
        samples[1] = np.nan
        found = comparator.estimate_each(generator, samples, [rng(r) for r in range(3)], 0.95)
        assert found.converged.tolist() == [True, False, True]
        assert [bool(message) for message in found.messages] == [False, True, False]

    def test_threads_do_not_matter(self, comparator, generator):
        samples = rng(33).logistic(size=(12, 100))

        def task(r):
            return comparator.estimate(generator, samples[r], rng(r)).values

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            together = list(pool.map(task, range(12)))
        np.testing.assert_array_equal(together, [task(r) for r in range(12)])


def test_nothing_is_compiled_for_a_replicate():
    samples, generators = rng(34).logistic(size=(6, 100)), [Logistic().fix(scale=s) for s in (1.0, 1.5, 2.0)]
    kinds = (MaximumLikelihood(), DensityPower(0.5), DensityPower(0.7), MinimumHellinger(), SimulatedMoments(degree=3))

    def run(rows):
        for comparator in kinds:
            for generator in generators:
                comparator.estimate_each(generator, rows, [rng()] * len(rows), 0.95)

    run(samples[:2])
    programs = (minimisation._slope, minimisation._curvature, parameters.natural_scale)
    before = compilations(*programs)
    run(samples[2:])
    assert compilations(*programs) == before


def test_intervals_of_a_stack_by_hand():
    # 2 exp(-+ 1.96 x 0.5 / 2) and 1 -+ 1.96
    lower, upper = wald_intervals(
        Normal().element_spaces, np.array([[1.0, 2.0]] * 2), np.array([[1, 0.5], [1, np.nan]]), 1.96
    )
    np.testing.assert_allclose(lower, [[-0.96, 1.2252527], [-0.96, np.nan]], rtol=1e-7)
    np.testing.assert_allclose(upper, [[2.96, 3.2646324], [2.96, np.nan]], rtol=1e-7)


def test_another_model_than_the_truths_is_fitted():
    comparator = MaximumLikelihood(model=Normal())
    assert comparator.names(Gamma()) == ("loc", "scale")
    x = rng(35).gamma(3, size=100)
    np.testing.assert_allclose(fit(comparator, Gamma(), x).values, [x.mean(), x.std()], rtol=EXACT)


@pytest.mark.parametrize(
    ("comparator", "generator", "n", "error", "words"),
    [
        (MaximumLikelihood(), GAndK(), 100, ValueError, "no density in closed form"),
        (MaximumLikelihood(), Uniform(), 100, ValueError, "support of Uniform moves"),
        (MaximumLikelihood(cov="sandwich"), Laplace(), 100, ValueError, "no sandwich exists"),
        (MaximumLikelihood(), LinearRegression("laplace", 2), 100, ValueError, "has a kink"),
        (MaximumLikelihood(), Normal(), 2, ValueError, "2 observations are too few for 2 parameters"),
        (MaximumLikelihood(model="Normal"), Normal(), 9, TypeError, "give a generator"),  # pyright: ignore[reportArgumentType]
        (
            MaximumLikelihood(model=Normal()),
            MultivariateNormal(2),
            9,
            ValueError,
            "dimension 1 and 0 covariates, the data 2",
        ),
        (MedianMAD(), Gamma(), 100, ValueError, "no location-scale family"),
        (MedianMAD(), LinearRegression(columns=1), 100, ValueError, "no location-scale family"),
        (MedianMAD(), MultivariateStudentT(2), 100, ValueError, "no location-scale family"),
        (MedianMAD(), MultivariateNormal(2).fix(loc=[0, 0], scale=[1, 1]), 100, ValueError, "both fixed"),
        (Huber(), Gamma(), 100, ValueError, "no location-scale family"),
        (Huber(), LOCATION, 100, ValueError, "no location-scale family with both free"),
        (MinCovDet(), MultivariateStudentT(2, 4.0), 100, ValueError, "no MultivariateNormal"),
        (DensityPower(), MultivariateNormal(2), 100, ValueError, "give a family on the line"),
        (DensityPower(), Laplace(), 100, ValueError, "has a kink"),
        (DensityPower(), LinearRegression(columns=1), 100, ValueError, "1 covariates; give a family on the line"),
        (MinimumHellinger(), GAndK(), 100, ValueError, "no density"),
        (MinimumHellinger(), MultivariateNormal(2), 100, ValueError, "give a family on the line"),
        (SimulatedMoments(), MultivariateNormal(2), 100, ValueError, "give moments="),
        (SimulatedMoments(), LinearRegression(columns=1), 100, ValueError, "has covariates"),
        (SimulatedMoments(degree=1), Normal(), 100, ValueError, "1 moments are too few for 2"),
    ],
)
def test_check_refuses_with_a_sentence(comparator, generator, n, error, words):
    with pytest.raises(error, match=words) as caught:
        comparator.check(generator, n)
    assert str(caught.value).startswith(type(comparator).__name__ + ": ")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("name", "arguments", "error", "words"),
    [
        ("mle", {}, ValueError, "'mle' is not known; give one of ml, median_mad"),
        ("huber", {"k": 2}, TypeError, "k is no argument; it takes model, c"),
        ("huber", {"c": -1}, ValueError, "positive"),
        ("ml", {"cov": "hessian"}, ValueError, "'information' or 'sandwich'"),
        ("ml", {"model": "Nomal"}, ValueError, "'Nomal' is not known"),
        ("ml", {"model": {"df": 3}}, ValueError, "model has no family"),
        ("density_power", {"beta": 0.0}, ValueError, "positive"),
        ("density_power", {"beta": "half"}, TypeError, "positive number"),
        ("minimum_hellinger", {"bandwidth": 0}, ValueError, "between 0 and 10"),
        ("min_cov_det", {"support_fraction": 2}, ValueError, "share"),
        ("simulated_moments", {"weight": "two-step"}, ValueError, "'optimal' or 'identity'"),
        ("simulated_moments", {"degree": 0}, ValueError, "positive whole number"),
        ("simulated_moments", {"degree": 2, "moments": abs}, ValueError, "one of the two"),
        ("simulated_moments", {"moments": 3}, TypeError, "function of one observation"),
        ("simulated_moments", {"latent": "halton"}, ValueError, "'sobol' or 'iid'"),
    ],
)
def test_bad_arguments_are_refused(name, arguments, error, words):
    with pytest.raises(error, match=words):
        comparators.named(name, **arguments)


@pytest.mark.parametrize(("error", "message"), [(29.0, ""), (31.0, "scale runs to the edge of its space")])
def test_an_endless_interval_is_a_failure(error, message):
    minimum = minimisation.Minimum(np.array([0.0, -20.0]), np.eye(2), np.zeros(2), 3, "")
    found = minimisation.concluded(Normal(), minimum, np.diag([1.0, error**2]))
    np.testing.assert_allclose(found.std_errors, [1.0, error * np.exp(-20)])
    assert found.converged == (not message)
    assert found.message.startswith(message)


def test_a_comparator_must_say_what_it_does():
    class Nothing(Comparator):
        @property
        def label(self):
            return "nothing"

        def problem(self, family, n):
            return None

    with pytest.raises(TypeError, match="Nothing defines neither `single` nor `together`"):
        Nothing().estimate(Normal(), np.arange(5.0), np.random.default_rng(0))


def test_comparators_by_name():
    assert comparators.named("density_power", beta=0.3) == DensityPower(0.3)
    by_table = comparators.named("ml", model={"family": "StudentT", "df": 4.0}, cov="sandwich")
    assert by_table.names(Normal()) == ("loc", "scale")
    assert by_table.model is not None
    assert by_table.model.law is StudentT(4.0).law
    assert comparators.named("huber", model="Normal").model == Normal()
    made = [comparators.named(name) for name in comparators.names()]
    assert len({c.label for c in made}) == len(made) == 7
    for comparator in made:
        assert comparator.chunk in (64, 1024, 8192)
        with pytest.raises(dataclasses.FrozenInstanceError):
            comparator.model = None  # pyright: ignore[reportAttributeAccessIssue]
