"""Rounded samples: the step that is found, quantiles between the steps, and fits that do not see the steps."""

import warnings
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import hellgan as hg
from hellgan.discriminators import GaussianBumps, Sigmoids, Splines
from hellgan.discriminators.placement import knots_and_widths
from hellgan.samples.robust import quantile, robust_scale
from hellgan.samples.ties import heaviest, rounding_step, spread_quantile


def equal(n):
    return np.full(n, 1 / n)


READINGS = np.random.default_rng(1).normal(10.2, 0.5, 200)


@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_step_of_rounded_readings(step):
    x = step * np.round(READINGS / step)
    assert rounding_step(x, equal(200)) == pytest.approx(step)
    others = np.concatenate([x, [1000 * step, 1003.2 * step, x.mean()]])
    assert rounding_step(others, equal(203)) == pytest.approx(step)


def test_what_is_not_rounded_has_no_step():
    assert rounding_step(READINGS, equal(200)) == 0
    assert (
        rounding_step(np.round(READINGS, 1), equal(200)) == 0
    )  # a fifth of a standard deviation: a twelfth at the mode
    assert rounding_step(np.ones(20), equal(20)) == 0
    assert rounding_step(hg.datasets.load_newcomb(), equal(66)) == 0
    assert rounding_step(np.concatenate([np.zeros(100), READINGS]), equal(300)) == 0  # a third at an atom
    assert rounding_step(np.concatenate([np.zeros(100), np.round(READINGS, 2)]), equal(300)) == 0


def test_step_by_weight():
    x = np.array([1.0, 1.0, 2.0, 3.0, 7.0])
    assert rounding_step(x, np.array([0.4, 0.3, 0.2, 0.1, 0.0])) == 1
    assert rounding_step(np.array([1.0, 2.0, 3.0, 50.0]), np.array([0.5, 0.2, 0.2, 0.1])) == 1


def test_quantiles_of_steps_by_hand():
    """A tenth at 0, six at 1, three at 2: distribution function .1 at .5, .7 at 1.5, 1 at 2.5."""
    x = np.repeat([0.0, 1.0, 2.0], [1, 6, 3])
    found, step = spread_quantile(x, np.array([0.05, 0.1, 0.4, 0.7, 0.85]), equal(10))
    np.testing.assert_allclose(found, [0, 0.5, 1, 1.5, 2])
    assert step == 1
    found, step = spread_quantile(np.append(x, 50.0), np.array([0.95, 0.99]), equal(11))
    np.testing.assert_allclose(found, 50 - 0.5 + (np.array([0.95, 0.99]) - 10 / 11) * 11)


def test_stacks_and_samples_without_ties():
    levels, stack = np.array([0.1, 0.5, 0.9]), np.stack([READINGS, np.round(READINGS)])
    found, step = spread_quantile(stack, levels, equal(200))
    np.testing.assert_array_equal(found[0], quantile(READINGS, levels, equal(200)))
    np.testing.assert_array_equal(found[1], spread_quantile(stack[1], levels, equal(200))[0])
    np.testing.assert_array_equal(step, [0, 1])
    assert np.all(np.diff(found[1]) > 0)


def test_widths_are_at_least_a_step():
    x = np.round(READINGS)
    knots, widths = knots_and_widths(x, 16, equal(200))
    assert np.all(widths >= 1)
    assert np.all(np.diff(knots) > 0)
    _, fine = knots_and_widths(READINGS, 16, equal(200))
    assert 0.1 * robust_scale(READINGS, equal(200)) <= fine.min() < 0.3


@pytest.mark.parametrize("spec", [Sigmoids(16), Splines(8), GaussianBumps(8)], ids=lambda s: type(s).__name__)
def test_readings_rounded_to_two_standard_deviations(spec):
    x = np.round(READINGS)
    fit = hg.GAN(x, hg.generators.Normal(), spec).fit()
    assert fit.converged
    assert fit.params["loc"] == pytest.approx(x.mean(), abs=0.02)
    assert fit.bse["loc"] == pytest.approx(x.std() / np.sqrt(200), rel=0.1)
    assert fit.params["scale"] == pytest.approx(np.sqrt(0.25 + 1 / 12), abs=0.06)
    assert "rounded to steps of 1: " in " ".join(fit.notes())
    assert "0.0833 (step^2 / 12)" in " ".join(fit.notes())


@pytest.mark.montecarlo
@pytest.mark.parametrize("step", [0.25, 0.5, 1.0, 2.0])
def test_errors_are_honest_at_any_step(step):
    x = np.array([np.random.default_rng([13, s]).normal(10.2, 1, 200) for s in range(100)])
    x = step * np.round(x / step)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", hg.FitWarning)  # no law of the family is rounded: the coarser, the more is seen
        batch = hg.fit_batch(hg.GAN(x[0], hg.generators.Normal()), x)
    assert batch.params["loc"].mean() == pytest.approx(10.2, abs=0.03)
    assert batch.params["scale"].mean() == pytest.approx(np.sqrt(1 + step**2 / 12), rel=0.03)
    for name in ("loc", "scale"):
        assert batch.bse[name].median() == pytest.approx(batch.params[name].std(), rel=0.2)


# Atoms.


def test_heaviest_value_by_hand():
    x = np.array([1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 7.0])
    found = heaviest(x, equal(8))
    assert found is not None
    assert found == (2.0, 5 / 8, 1.5, 3.0)
    assert heaviest(np.where(x == 2, 1.0, x), equal(8)) == (1.0, 6 / 8, -0.5, 2.5)  # at the end: as far to either side
    assert heaviest(x[1:5], equal(4)) is None
    assert heaviest(np.full(9, 3.0), equal(9)) is None
    assert heaviest(READINGS, equal(200)) is None
    heavy = np.concatenate([x, [9.0]]), np.array([1.0] * 8 + [20.0])
    # Not the one observation that counts most.
    assert heaviest(heavy[0], heavy[1] / 28) == pytest.approx((2.0, 5 / 28, 1.5, 3.0))
    assert found.exceeds(0.05, 100)
    assert not found.exceeds(5 / 8 - 0.1, 100)  # four errors are .2


@pytest.mark.parametrize(
    ("kind", "is_told"), [("clean", False), ("rounded", False), ("an atom", True), ("its own", False)]
)
def test_an_atom_that_the_law_does_not_explain_is_told(kind, is_told):
    """A twentieth at one value of a continuous law; not rounding, and not an atom that the simulator has, too."""
    rng = np.random.default_rng(3)
    x = rng.normal(1, 2, 400)
    generator: Any = hg.generators.Normal()
    if kind == "rounded":
        x = np.round(x)
    elif kind == "an atom":
        x[:20] = 0.3
    elif kind == "its own":
        x = np.maximum(x, 0)

        @hg.generator(loc=hg.real(), scale=hg.positive())
        def censored(z, loc, scale):
            return jnp.maximum(loc + scale * z, 0.0)

        generator = censored

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = hg.GAN(x, generator).fit()
        batch = hg.fit_batch(fit.model, x[None])
    said = [str(warning.message) for warning in caught if "the fitted law does not explain" in str(warning.message)]
    assert (len(said) == 1) == is_told
    assert any("share one value" in str(warning.message) for warning in caught) == is_told
    assert ("5 % of the observations are 0.3" in str(fit.summary())) == is_told
    assert batch.flagged[0] >= is_told
