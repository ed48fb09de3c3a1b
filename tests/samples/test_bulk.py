"""The bulk of a sample in several dimensions: consistent, equivariant, and blind to clusters that ellipsoids cover."""

import numpy as np
import pytest
from sklearn.covariance import MinCovDet

from hellgan.samples.bulk import bulk


def equal(n):
    return np.full(n, 1 / n)


def contaminated(d, n, part, kind, seed=0, distance=5.0):
    """Standard normal rows, the first ``part`` of them elsewhere, in a direction that is no coordinate's."""
    rng = np.random.default_rng([seed, d, n])
    x, k = rng.normal(size=(n, d)), int(part * n)
    away = np.arange(1, d + 1) / np.linalg.norm(np.arange(1, d + 1))
    if kind == "cluster":
        x[:k] = distance * away + np.sqrt(0.2) * x[:k]
    elif kind == "point":
        x[:k] = distance * away
    elif kind == "shift":
        x[:k] += distance * away
    else:
        x[:k] *= (distance * (1 + rng.exponential(size=k)) / np.linalg.norm(x[:k], axis=1))[:, None]
    return x, k


@pytest.mark.parametrize(("d", "n"), [(2, 2000), (5, 4000)])
def test_is_consistent_at_the_normal_law(d, n):
    factor = np.tril(np.ones((d, d)))
    x = 7 + np.random.default_rng(d).normal(size=(n, d)) @ factor.T
    found = bulk(x, equal(n))
    whitened = np.linalg.solve(factor, np.linalg.solve(factor, found.scatter).T)
    np.testing.assert_allclose(whitened, np.eye(d), atol=6 / np.sqrt(n))
    np.testing.assert_allclose(np.linalg.solve(factor, found.center - 7), 0, atol=6 / np.sqrt(n))
    assert 0.96 < found.inside.mean() < 1
    variances = np.einsum("kd,de,ke->k", found.directions, found.scatter, found.directions)
    np.testing.assert_allclose(variances, 1)


@pytest.mark.parametrize("kind", ["cluster", "point", "shift", "spread"])
@pytest.mark.parametrize(("d", "n"), [(2, 500), (3, 500), (5, 500), (10, 2000)])
def test_a_fifth_elsewhere_is_found(d, n, kind):
    x, k = contaminated(d, n, 0.2, kind)
    found = bulk(x, equal(n))
    # Of a shift by five standard deviations one in fifteen is less than 3.5 away.
    assert found.inside[:k].mean() < (0.2 if kind == "shift" else 0.06)
    assert found.inside[k:].mean() > 0.9
    assert np.linalg.norm(found.scatter - np.eye(d)) < 2 * np.sqrt(d * (d + 1) / n)
    if kind == "cluster":
        along = found.directions[0] / np.linalg.norm(found.directions[0])
        assert abs(along @ x[:k].mean(axis=0)) > 0.9 * np.linalg.norm(x[:k].mean(axis=0))


@pytest.mark.parametrize("seed", range(4))
def test_a_quarter_at_a_point_is_seen_from_the_centre(seed):
    """Skewness and kurtosis point elsewhere: in five dimensions chance makes more of them than a quarter at a point."""
    x, k = contaminated(5, 500, 0.25, "point", seed)
    assert not np.any(bulk(x, equal(500)).inside[:k])


def test_a_point_that_the_smallest_ellipsoid_covers():
    """The reason for lines: the minimum covariance determinant takes the point for the bulk's."""
    x, k = contaminated(5, 500, 0.2, "point", distance=10.0)
    smallest = MinCovDet(random_state=0).fit(x)
    assert smallest.support_[:k].mean() > 0.9
    assert not np.any(bulk(x, equal(500)).inside[:k])


@pytest.mark.parametrize("part", [0.0, 0.15])
def test_is_equivariant_and_blind_to_rows_of_weight_0(part):
    x, _ = contaminated(3, 200, part, "shift")
    scale, shift = np.array([2.0, -0.5, 1e6]), np.array([0.0, 3.0, 1e3])
    found, moved = bulk(x, equal(200)), bulk(scale * x + shift, equal(200))
    np.testing.assert_array_equal(moved.inside, found.inside)
    np.testing.assert_allclose(moved.center, scale * found.center + shift, rtol=1e-8)
    np.testing.assert_allclose(moved.scatter, np.outer(scale, scale) * found.scatter, rtol=1e-8)
    np.testing.assert_allclose(np.abs(moved.directions * scale), np.abs(found.directions), rtol=1e-6, atol=1e-9)
    padded = bulk(np.concatenate([x, 50 + x[:20]]), np.concatenate([equal(200), np.zeros(20)]))
    np.testing.assert_array_equal(padded.scatter, found.scatter)
    np.testing.assert_array_equal(padded.inside, [*found.inside, *np.zeros(20, bool)])


def test_weights_stand_for_repetitions():
    x, k = contaminated(3, 400, 0.1, "cluster")
    times = 1 + (np.arange(400) % 3)
    weighted = bulk(x, times / times.sum())
    repeated = bulk(np.repeat(x, times, axis=0), equal(times.sum()))
    np.testing.assert_allclose(weighted.scatter, repeated.scatter, atol=0.03)
    assert not np.any(weighted.inside[:k])


def test_more_than_half_tied_rows():
    x = np.concatenate([np.tile([1.0, 2.0], (60, 1)), np.random.default_rng(3).normal(size=(40, 2))])
    found = bulk(x, equal(100))
    np.testing.assert_array_equal(found.center, [1.0, 2.0])
    assert np.all(np.linalg.eigvalsh(found.scatter) > 0)
