"""Units and offsets of data: estimates and errors that do not depend on them, as far as double precision holds."""

import numpy as np
import pytest

import hellgan as hg
from hellgan.solver.certificate import TOLERANCE, accepted

Z = np.random.default_rng(3).normal(size=200)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_errors_have_the_unit_of_the_data(unit):
    fit, other = (hg.GAN(x, hg.generators.Normal()).fit() for x in (Z, unit * Z))
    assert other.converged
    np.testing.assert_allclose(other.params / unit, fit.params, rtol=1e-6)
    np.testing.assert_allclose(other.bse / unit, fit.bse, rtol=1e-6)


def test_units_of_covariate_and_response():
    rows = np.column_stack([Z, 1 + 2 * Z + np.random.default_rng(4).normal(size=200)])
    fit, other = (hg.GAN(x, hg.generators.LinearRegression()).fit() for x in (rows, rows * [1e-9, 1e6]))
    assert other.converged
    np.testing.assert_allclose(other.bse / [1e6, 1e15, 1e6], fit.bse, rtol=1e-6)


@pytest.mark.parametrize("name", ["Laplace", "Uniform", "Cauchy"])
def test_an_offset_costs_its_own_digits_and_no_more(name):
    """Seconds since 1970 that vary by one: sixteen digits less nine."""
    family, rng = getattr(hg.generators, name)(), np.random.default_rng(12)
    draws = {"Laplace": rng.laplace, "Uniform": rng.uniform, "Cauchy": lambda size: rng.standard_cauchy(size)}
    x = draws[name](size=300)
    near, far = (hg.GAN(offset + x, family).fit() for offset in (0.0, 1.7e9))
    assert far.converged
    assert np.all(np.abs(far.params - [1.7e9, 0] - near.params) < 1e-3 * near.bse)
    np.testing.assert_allclose(far.bse, near.bse, rtol=1e-3)


def test_a_parameter_that_does_nothing_is_named():
    @hg.generator(latent="normal", loc=hg.real(), scale=hg.positive(), idle=hg.real(), power=hg.positive())
    def generator(z, loc, scale, idle, power):
        return loc + scale * z + 0.0 * idle

    for held, name in (({"power": 1.0}, "idle"), ({"idle": 0.0}, "power")):
        with pytest.warns(Warning, match=f"the simulated features do not react to {name}"):
            hg.GAN(Z, generator.fix(**held)).fit()


def test_what_score_is_solved():
    """A ten thousandth of a standard error, but never less than 1e-8."""
    assert accepted(np.full(10_000, 1e-4)) == pytest.approx(1e-6)
    assert accepted(np.array([0.5, 0.5, 0.0])) == pytest.approx(1e-4 * np.sqrt(0.5))
    assert accepted(np.broadcast_to(1e-10, 10**6)) == 10 * TOLERANCE
