"""A parameter that runs to the edge of its space is said to; the others are those of the law that is there."""

import numpy as np
import pytest

import hellgan as hg
from hellgan.cautions import ConvergenceWarning
from hellgan.solver.certificate import EDGE

STUDENT, NORMAL = hg.generators.StudentT(), hg.generators.Normal()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_normal_sample_is_the_edge_of_students_laws(seed):
    """These took ten starts, half a minute, and gave the advice to change a ridge."""
    x = np.random.default_rng([13, seed]).normal(size=200)
    with pytest.warns(ConvergenceWarning, match=rf"{EDGE} of the space of df = .* \(the normal law\)"):
        fit = hg.GAN(x, STUDENT).fit()
    normal = hg.GAN(x, NORMAL).fit()
    np.testing.assert_allclose(fit.params[["loc", "scale"]], normal.params, rtol=1e-4)
    assert fit.params["df"] > 1e6
    assert fit.saddle.kind == "at an edge"
    assert fit.saddle.starts == 1
    assert not fit.converged
    assert fit.bse.isna().all()
    assert "fit the law without it" in fit.trouble


def test_a_sample_with_tails_is_not():
    x = np.random.default_rng(5).standard_t(3, 300)
    fit = hg.GAN(x, STUDENT).fit()
    assert fit.converged
    assert fit.saddle.kind == "local minimax"


def test_in_a_batch_and_with_a_parameter_held():
    samples = np.stack([np.random.default_rng([13, 1]).normal(size=200), np.random.default_rng(6).standard_t(3, 200)])
    with pytest.warns(ConvergenceWarning, match="1 of 2"):
        batch = hg.fit_batch(hg.GAN(samples[0], STUDENT), samples)
    assert batch.trouble[0].startswith(EDGE)
    assert batch.converged.tolist() == [False, True]
    with pytest.warns(ConvergenceWarning, match=EDGE):
        held = hg.GAN(samples[0], STUDENT.fix(loc=0.0)).fit()
    alone = hg.GAN(samples[0], NORMAL.fix(loc=0.0)).fit()
    assert held.params["scale"] == pytest.approx(alone.params["scale"], rel=1e-4)


def test_a_certified_fit_near_an_edge_where_the_law_is_another_is_told():
    """A stable law at alpha = 2 has no beta, whose error would be too small."""
    x = np.random.default_rng(2).normal(size=500)
    with pytest.warns(hg.FitWarning, match="alpha is less than two standard errors from the edge.*the normal law"):
        fit = hg.GAN(x, hg.generators.AlphaStable()).fit()
    assert fit.converged
    batch = hg.fit_batch(hg.GAN(x, hg.generators.AlphaStable()), x[None])
    assert batch.flagged.all()
    assert not hg.fit_batch(hg.GAN(x, hg.generators.Normal()), x[None]).flagged.any()
