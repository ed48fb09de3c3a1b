"""Redescending moments: features by hand, what they do far out, and fits that a fifth of the sample does not move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hellgan as hg
from hellgan.discriminators import Redescending, RedescendingMoments

RNG = np.random.default_rng(4)
X = RNG.multivariate_normal([10, 0, -5], [[4, 1.2, 0], [1.2, 1, -0.3], [0, -0.3, 2.25]], 400)
TRUTH = np.array([10, 0, -5, 2, 1, 1.5, 0.6, 0, -0.2])


def equal(n):
    return np.full(n, 1 / n)


def placed(x, **arguments) -> Redescending:
    basis = RedescendingMoments(**arguments).place(x, equal(len(x)), 0)
    assert isinstance(basis, Redescending)
    return basis


def features(basis, x):
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(basis.features)(jnp.asarray(x, jnp.float64)))


def test_features_by_hand_in_the_bulk():
    basis = placed(X)
    t = basis.whitening @ (X[0] - basis.center)
    assert t @ t < basis.falls[0] ** 2
    assert np.all(np.abs(basis.directions @ t) < basis.falls_along[0])
    found = features(basis, X[:1])[0]
    assert found[0] == 1
    np.testing.assert_allclose(found[1:4], t, rtol=1e-12)
    products = [t[i] * t[j] for i in range(3) for j in range(i + 1)]
    np.testing.assert_allclose(found[4:10], products / basis.falls[0], rtol=1e-12)
    distance, knots = np.sqrt(t @ t + 1), np.sqrt(basis.radii**2 + 1)
    np.testing.assert_allclose(found[10:16], 0.5 * np.tanh((distance - knots) / (2 * basis.radius_widths)), rtol=1e-10)
    along = (basis.directions @ t)[:, None]
    lines = 0.5 * np.tanh((along - basis.knots) / (2 * basis.knot_widths))
    np.testing.assert_allclose(found[16:], lines.ravel(), rtol=1e-10)
    assert basis.size == len(found) == 1 + 9 + 6 + 3 * 8


@pytest.mark.parametrize("outwards", [0, 1])
def test_moments_redescend_smoothly(outwards):
    """Along a line the moments end at 0; two derivatives have no jump where the weight begins to fall and ends."""
    basis = placed(X)
    direction = (np.eye(3)[0], basis.directions[0])[outwards]
    line = np.linspace(0, 12, 4001)
    points = basis.center + np.linalg.solve(basis.whitening, np.outer(direction, line)).T
    moments = features(basis, points)[:, 1:10]
    end = (basis.falls, basis.falls_along)[outwards][1]
    assert basis.falls_along[1] < basis.falls[1]
    assert np.all(moments[line > end] == 0)
    assert np.max(np.abs(moments)) > 0.5
    second = np.diff(moments, 2, axis=0) / (line[1] - line[0]) ** 2
    assert np.max(np.abs(np.diff(second, axis=0))) < 0.1 * np.max(np.abs(second))


def test_all_features_are_bounded():
    basis = placed(X)
    far = basis.center + 1e8 * np.random.default_rng(0).normal(size=(50, 3))
    found = features(basis, far)
    assert np.all(np.isfinite(found))
    assert np.all(np.abs(found) <= 1)


@pytest.mark.parametrize(("n", "radial", "lines"), [(400, 6, 3), (60, 6, 0), (36, 4, 0)])
def test_fewer_sigmoids_for_fewer_observations(n, radial, lines):
    basis = placed(X[:n])
    assert (len(basis.radii), len(basis.knots)) == (radial, lines)
    assert basis.size == 1 + 9 + radial + 8 * lines
    assert basis.directions.shape == (3, 3)


def test_directions_and_ridge_as_given():
    assert placed(X, directions=1).knots.shape == (1, 8)
    np.testing.assert_array_equal(placed(X, ridge=0.5).ridge, [0, *[0.5] * 39])
    np.testing.assert_array_equal(np.unique(placed(X).ridge), [0, 1e-5, 3e-4])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RedescendingMoments(4), "directions: got 4; give 0 to 3."),
        (lambda: RedescendingMoments(ridge=-1), "ridge: got -1"),
        (lambda: placed(X[:, :1]), "discriminator: RedescendingMoments is for several dimensions"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def with_a_tenth(x, where):
    x = x.copy()
    x[:40] = where + np.sqrt(0.2) * np.random.default_rng(1).normal(size=(40, 3))
    return x


@pytest.mark.parametrize("where", [(25, 8, 10), (25, 0, -5), (10, 5, -5), (1e9, 0, 0)])
def test_a_tenth_in_a_cluster_moves_nothing(where):
    clean = hg.GAN(X[40:], hg.generators.MultivariateNormal(3)).fit()
    fit = hg.GAN(with_a_tenth(X, where), hg.generators.MultivariateNormal(3)).fit()
    assert fit.converged
    assert set(range(40)) <= set(fit.outliers())
    assert np.all(np.abs(fit.params - clean.params) < clean.bse)
    assert fit.contamination_test().pvalue < 1e-6


def test_a_fifth_moves_nothing_and_the_intervals_hold():
    hits = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.multivariate_normal([10, 0, -5], [[4, 1.2, 0], [1.2, 1, -0.3], [0, -0.3, 2.25]], 400)
        x[:80] = rng.multivariate_normal([25, 8, 10], 0.2 * np.eye(3), 80)
        interval = hg.GAN(x, hg.generators.MultivariateNormal(3)).fit().conf_int().to_numpy()
        hits.append((interval[:, 0] <= TRUTH) & (interval[:, 1] >= TRUTH))
    # 180 intervals, with the default of before none of which held for the scales
    assert np.mean(hits) > 0.9
    assert np.min(np.mean(hits, axis=0)) >= 0.75


def test_a_t_law_with_a_fifth_elsewhere():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(500, 5)) / np.sqrt(rng.chisquare(4, 500) / 4)[:, None]
    x[:100] = 15 + 0.5 * rng.normal(size=(100, 5))
    fit = hg.GAN(x, hg.generators.MultivariateStudentT(5, 4.0)).fit()
    assert fit.converged
    error = (fit.params - np.repeat([0, 1, 0], [5, 5, 10])) / fit.bse
    assert np.mean(np.abs(error) < 2) > 0.85
    assert np.max(np.abs(error)) < 4
