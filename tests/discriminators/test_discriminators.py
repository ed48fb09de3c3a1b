"""Discriminators: features by hand, exact equivariance, placement by quantiles, and what is refused."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, interpolate, stats
from scipy.special import expit
from tolerance import EXACT

import hellgan as hg
from hellgan import discriminators, generators, latents
from hellgan.discriminators import (
    MLP,
    Features,
    GaussianBumps,
    Polynomial,
    RandomFeatures,
    RedescendingMoments,
    Scores,
    Sigmoids,
    Splines,
)

SPECS = {
    "Polynomial": Polynomial(3),
    "Sigmoids": Sigmoids(4),
    "Splines": Splines(4),
    "GaussianBumps": GaussianBumps(5),
    "RandomFeatures": RandomFeatures(6),
}
EACH = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
WITH_MLP = pytest.mark.parametrize("spec", [*SPECS.values(), MLP((3, 2))], ids=[*SPECS, "MLP"])
N = 60
X = {d: np.random.default_rng(d).standard_t(3, size=(N, d)) for d in (1, 2, 3)}


def equal(n):
    return np.full(n, 1 / n)


# Compiled once a kind and shape.


@jax.jit
def _features(basis, x):
    return jax.vmap(basis.features)(x)


@jax.jit
def _slopes(basis, x):
    return jax.vmap(jax.jacfwd(basis.features))(x)


@jax.jit
def _log_ratios(basis, alpha, x):
    return jax.vmap(lambda row: basis.log_ratio(alpha, row))(x)


def in_double(function, *arguments):
    with jax.enable_x64(True):
        return np.asarray(function(*jax.tree.map(jnp.asarray, arguments)))


def features(basis, x):
    """Features (n, q + 1), or the log ratio (n, 1) of a network at its start."""
    if basis.is_linear:
        return in_double(_features, basis, x)
    return in_double(_log_ratios, basis, basis.start, x)[:, None]


# What holds for all.


@EACH
@pytest.mark.parametrize("d", [1, 2])
def test_a_basis_starts_with_one_and_is_linear_in_alpha(spec, d):
    basis = spec.place(X[d], equal(N), 0)
    phi = features(basis, X[d])
    assert basis.is_linear
    assert phi.shape == (N, basis.size) == (N, basis.ridge.size)
    np.testing.assert_array_equal(phi[:, 0], 1.0)
    assert np.linalg.matrix_rank(phi) == basis.size
    np.testing.assert_array_equal(basis.start, np.zeros(basis.size))
    alpha = np.linspace(-1, 2, basis.size)
    np.testing.assert_allclose(in_double(_log_ratios, basis, alpha, X[d]), phi @ alpha, rtol=1e-11, atol=EXACT)


@WITH_MLP
@pytest.mark.parametrize("d", [1, 2])
def test_location_scale_equivariance(spec, d):
    x = X[d]
    here = features(spec.place(x, equal(N), 0), x)
    # powers of two do not round: bit for bit
    for b in (2.0, 0.25) if d == 1 else (np.array([4.0, 0.5]),):
        np.testing.assert_array_equal(features(spec.place(b * x, equal(N), 0), b * x), here)
    for a, b in ((3.7, 0.9), (-41.0, 12.5)) if d == 1 else ((np.array([3.7, -11.0]), np.array([0.9, 12.5])),):
        there = features(spec.place(a + b * x, equal(N), 0), a + b * x)
        np.testing.assert_allclose(there, here, rtol=EXACT, atol=EXACT)


@WITH_MLP
def test_a_placement_does_not_depend_on_the_order_of_rows(spec):
    order = np.random.default_rng(0).permutation(N)
    for d in (1, 2):
        one, other = (spec.place(x, equal(N), 0) for x in (X[d], X[d][order]))
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(a, b)


@WITH_MLP
@pytest.mark.parametrize("d", [1, 2])
def test_placement_on_each_of_some_samples(spec, d):
    samples, seeds = np.stack([X[d], X[d][::-1] * 2 + 1, X[d] ** 3]), [0, 0, 5]
    together = spec.place_each(samples, equal(N), seeds)
    for k, seed in enumerate(seeds):
        alone = spec.place(samples[k], equal(N), seed)
        for mine, theirs in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(mine[k], theirs, rtol=1e-13, atol=1e-13)


@WITH_MLP
@pytest.mark.parametrize("d", [1, 2])
def test_zero_weight_rows_do_not_move_a_placement(spec, d):
    x = X[d]
    # in the very middle, where a bump would be centred, and far out
    middle = np.median(x, axis=0)
    more = np.concatenate([x, np.broadcast_to(middle, (4, *middle.shape)), np.full((3, *middle.shape), 1e6)])
    for weights in (equal(N), np.arange(1, N + 1) / (N * (N + 1) / 2)):
        one, other = spec.place(x, weights, 0), spec.place(more, np.concatenate([weights, np.zeros(7)]), 0)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(a, b, rtol=EXACT, atol=0)


@pytest.mark.parametrize(
    "spec", [Sigmoids(4), Splines(4), GaussianBumps(5)], ids=["Sigmoids", "Splines", "GaussianBumps"]
)
def test_integer_weights_place_knots_like_repeated_rows(spec):
    x, counts = X[1][:29], 1 + np.arange(29) % 4
    assert counts.sum() % 2 == 1  # no level is a multiple of 1 / sum, where rounding could decide
    basis = spec.place(x, counts / counts.sum(), 0)
    t = (np.repeat(x, counts) - basis.center) / basis.scale
    levels = np.sin(np.pi * (np.arange(spec.k) + 0.5) / (2 * spec.k)) ** 2
    knots = np.ravel(basis.centers if isinstance(spec, GaussianBumps) else basis.knots)
    knots = knots[2:-2] if isinstance(spec, Splines) else knots  # without those further out
    np.testing.assert_allclose(knots, np.quantile(t, levels, method="inverted_cdf"), rtol=EXACT)
    assert basis.center == np.quantile(np.repeat(x, counts), 0.5, method="inverted_cdf")


@EACH
@pytest.mark.parametrize("d", [1, 2])
def test_features_are_bounded_where_claimed(spec, d):
    basis = spec.place(X[d], equal(N), 0)
    far = np.stack([sign * np.full(d, size) for size in (1e2, 1e6, 1e100) for sign in (1, -1)])
    phi, slopes = features(basis, far), in_double(_slopes, basis, far)
    if isinstance(spec, Polynomial):
        assert np.all(np.abs(phi[:2, 1:]) > 10)
        return
    low, high = (0.0, 1.0) if isinstance(spec, GaussianBumps) else (-0.5, 0.5)
    assert np.all((phi[:, 1:] >= low - EXACT) & (phi[:, 1:] <= high + EXACT))
    # and they redescend: no NaN from 0 times infinity
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes[2:], 0, atol=1e-100)


@EACH
def test_slopes_of_features(spec):
    # the generator learns through them
    for d in (1, 2):
        basis = spec.place(X[d], equal(N), 0)
        slopes = in_double(_slopes, basis, X[d]).reshape(N, basis.size, d)
        h = 1e-6
        for k in range(d):
            step = h * np.eye(d)[k]
            central = (features(basis, X[d] + step) - features(basis, X[d] - step)) / (2 * h)
            # errs by h^2 times the third derivative, and by rounding / h
            np.testing.assert_allclose(slopes[..., k], central, rtol=1e-7, atol=1e-7)


# Sigmoids.


def test_sigmoids_by_hand():
    # 0, 1, ..., 100: median 50, MAD 25; levels sin^2(pi/8), sin^2(3 pi/8) = (1 -+ 1/sqrt 2) / 2, one spacing
    x, mad = np.arange(101.0), 25 * 1.482602218505602
    basis = Sigmoids(2).place(x[:, None], equal(101), 0)
    low, high = 50 * (1 - np.sqrt(0.5)), 50 * (1 + np.sqrt(0.5))
    np.testing.assert_allclose(basis.center + basis.scale * basis.knots, [low, high], rtol=EXACT)
    np.testing.assert_allclose([basis.center[0], basis.scale[0]], [50, mad], rtol=EXACT)
    np.testing.assert_allclose(basis.widths, (high - low) / mad, rtol=EXACT)
    expected = [[1, 0, expit(-1) - 0.5], [1, expit(0.5) - 0.5, expit(-0.5) - 0.5], [1, expit(1) - 0.5, 0]]
    np.testing.assert_allclose(features(basis, np.array([[low], [50], [high]])), expected, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("k", [3, 16])
def test_sigmoids_sit_at_arcsine_levels(k):
    basis = Sigmoids(k).place(X[1], equal(N), 0)
    levels = [np.sin(np.pi * (j - 0.5) / (2 * k)) ** 2 for j in range(1, k + 1)]
    knots = np.quantile(X[1], levels)
    np.testing.assert_allclose(basis.center + basis.scale * basis.knots, knots, rtol=1e-11)
    # inside, the local spacing is half the gap between the neighbours
    spacing = (knots[2:] - knots[:-2]) / 2 / basis.scale
    assert np.all(spacing > 0.1)
    np.testing.assert_allclose(basis.widths[1:-1], spacing, rtol=1e-11)
    np.testing.assert_allclose(basis.widths[0] * basis.scale, knots[1] - knots[0], rtol=1e-11)


def test_widths_have_a_floor_where_data_are_tied():
    x = np.concatenate([np.full(30, 1.0), np.linspace(0, 5, 60)])[:, None]
    basis = Sigmoids(16).place(x, equal(90), 0)
    assert basis.widths.min() == pytest.approx(0.1, rel=EXACT)
    assert np.linalg.matrix_rank(features(basis, x)) > 8


def test_sigmoids_of_reflected_data_are_reflected():
    # levels and widths are symmetric: the span is the same
    here = features(Sigmoids(5).place(X[1], equal(N), 0), X[1])
    there = features(Sigmoids(5).place(-X[1], equal(N), 0), -X[1])
    np.testing.assert_allclose(there[:, 1:], -here[:, :0:-1], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("d", [2, 3])
def test_sigmoids_lie_along_axes_and_diagonals(d):
    k, x = 3, X[d] * np.arange(1.0, d + 1)
    basis = Sigmoids(k).place(x, equal(N), 0)
    axes = np.eye(d)
    pairs = [axes[i] + sign * axes[j] for i, j in itertools.combinations(range(d), 2) for sign in (1, -1)]
    expected = {tuple(np.round(u / np.linalg.norm(u), 12)) for u in [*axes, *pairs]}
    directions, counts = np.unique(np.round(basis.directions, 12), axis=0, return_counts=True)
    assert {tuple(u) for u in directions} == expected
    assert len(expected) == d**2
    np.testing.assert_array_equal(counts, k)
    assert basis.size == 1 + k * d**2
    # knots at the quantiles of what was standardised by median and MAD
    center = np.median(x, axis=0)
    t = (x - center) / (1.482602218505602 * np.median(np.abs(x - center), axis=0))
    levels = np.sin(np.pi * (np.arange(k) + 0.5) / (2 * k)) ** 2
    for u in directions:
        mine = np.all(np.abs(basis.directions - u) < 1e-9, axis=1)
        np.testing.assert_allclose(basis.knots[mine], np.quantile(t @ u, levels), rtol=0, atol=1e-11)
    values = 0.5 * np.tanh(0.5 * (t @ basis.directions.T - basis.knots) / basis.widths)
    np.testing.assert_allclose(features(basis, x)[:, 1:], values, rtol=0, atol=1e-11)


# Splines.


def rising_splines(t, knots, degree):
    """Normalised B-splines of degree - 1, integrated by scipy, less 1/2."""
    columns = []
    for j in range(len(knots) - degree):
        rise = interpolate.BSpline.basis_element(knots[j : j + degree + 1]).antiderivative()
        low, high = rise(knots[j]), rise(knots[j + degree])
        columns.append((rise(np.clip(t, knots[j], knots[j + degree])) - low) / (high - low) - 0.5)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(("k", "degree"), [(2, 3), (4, 3), (9, 3), (4, 5)])
def test_splines_are_integrated_b_splines(k, degree):
    basis = Splines(k, degree).place(X[1], equal(N), 0)
    assert basis.size == 1 + k + degree - 2
    knots = basis.knots[0]
    x = basis.center + basis.scale * np.concatenate([knots, np.linspace(knots[0] - 1, knots[-1] + 1, 97)])
    phi = features(basis, x[:, None])
    np.testing.assert_allclose(phi[:, 1:], rising_splines((x - basis.center) / basis.scale, knots, degree), atol=EXACT)
    # their differences are B-splines: together with what is left on either side they are a partition of unity
    ends = np.stack([np.full(len(x), 0.5), np.full(len(x), -0.5)])
    shares = -np.diff(np.column_stack([ends[0], phi[:, 1:], ends[1]]), axis=1)
    assert shares.min() > -EXACT
    for j in range(k + degree - 3):
        inside = interpolate.BSpline.basis_element(knots[j : j + degree + 2], extrapolate=False)
        t = np.clip((x - basis.center) / basis.scale, knots[j], knots[j + degree + 1])
        np.testing.assert_allclose(shares[:, j + 1], inside(t), atol=EXACT)


def test_knots_of_splines():
    k, degree = 6, 4
    knots = Splines(k, degree).place(X[1], equal(N), 0).knots[0]
    basis = Sigmoids(k).place(X[1], equal(N), 0)
    np.testing.assert_array_equal(knots[3:-3], basis.knots)
    np.testing.assert_allclose(np.diff(knots[:5]), basis.knots[1] - basis.knots[0], rtol=1e-13)
    np.testing.assert_allclose(np.diff(knots[-5:]), basis.knots[-1] - basis.knots[-2], rtol=1e-13)


@pytest.mark.parametrize("degree", [3, 4])
def test_splines_have_two_derivatives_everywhere(degree):
    basis = Splines(5, degree).place(X[1], equal(N), 0)
    coefficients, widths = basis.coefficients[0], np.diff(basis.knots[0])
    powers = np.arange(degree + 1)
    for order in range(degree):
        # derivatives in t of each interval's polynomial at its two ends; a flat one on either side
        falling = np.prod([powers - i for i in range(order)], axis=0) * np.ones(degree + 1)
        at_right = np.einsum("ipr,p->ir", coefficients, falling) / widths[:, None] ** order
        at_left = coefficients[:, order] * falling[order] / widths[:, None] ** order
        outside = np.zeros((1, at_left.shape[1])) if order else np.full((1, at_left.shape[1]), 0.5)
        before, after = np.concatenate([-outside, at_right]), np.concatenate([at_left, outside])
        np.testing.assert_allclose(before, after, rtol=0, atol=1e-13 * max(1, np.abs(after).max()))


def test_second_derivatives_of_splines():
    # the solver's, against scipy's
    basis = Splines(5).place(X[1], equal(N), 0)
    knots = basis.knots[0]
    x = basis.center + basis.scale * np.linspace(knots[0] - 1, knots[-1] + 1, 37)
    t = (x - basis.center) / basis.scale
    got = in_double(jax.jit(jax.vmap(jax.jacfwd(jax.jacfwd(basis.features)))), x[:, None])[:, 1:, 0, 0]
    for j in range(len(knots) - 3):
        b = interpolate.BSpline.basis_element(knots[j : j + 4])
        slope = b.derivative()(t) * 3 / (knots[j + 3] - knots[j]) / basis.scale**2
        expected = np.where((knots[j] < t) & (t < knots[j + 3]), slope, 0.0)
        np.testing.assert_allclose(got[:, j], expected, rtol=0, atol=1e-11 * np.abs(slope).max())


def test_splines_hold_all_cubics_between_the_inner_knots():
    basis = Splines(5).place(X[1], equal(N), 0)
    low, high = basis.knots[0, 2], basis.knots[0, -3]
    t = np.linspace(low, high, 50)
    phi = features(basis, (basis.center + basis.scale * t)[:, None])
    for power in (1, 2, 3):
        target = (t / max(-low, high)) ** power
        alpha = np.linalg.lstsq(phi, target, rcond=None)[0]
        np.testing.assert_allclose(phi @ alpha, target, rtol=0, atol=1e-11)


def test_splines_of_reflected_data_are_reflected():
    here = features(Splines(5).place(X[1], equal(N), 0), X[1])
    there = features(Splines(5).place(-X[1], equal(N), 0), -X[1])
    np.testing.assert_allclose(there[:, 1:], -here[:, :0:-1], rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("k", [8, 16])
def test_knots_of_splines_on_tied_data_are_apart(k):
    x = np.concatenate([np.full(50, 1.0), np.linspace(0, 5, 40), np.full(30, 4.0)])
    weights = equal(len(x))
    basis = Splines(k).place(x[:, None], weights, 0)
    knots = basis.knots[0]
    gap = 1 / k * (1.482602218505602 * np.median(np.abs(x - np.median(x)))) / basis.scale[0]
    assert np.diff(knots).min() >= gap * (1 - 1e-12)
    levels = np.sin(np.pi * (np.arange(k) + 0.5) / (2 * k)) ** 2
    quantiles = (np.quantile(x, levels) - basis.center) / basis.scale
    # each moves by no more than what its tie needs, half of it to either side
    most = max(np.sum(np.abs(quantiles - q) < 1e-9) for q in quantiles)
    assert most > 1
    assert np.max(np.abs(knots[2:-2] - quantiles)) <= gap * (most - 1) / 2 + EXACT
    # both sides alike
    np.testing.assert_allclose(Splines(k).place(-x[:, None], weights, 0).knots[0], -knots[::-1], rtol=0, atol=1e-12)
    assert np.all(np.isfinite(features(basis, x[:, None])))


@pytest.mark.parametrize("d", [2, 3])
def test_splines_lie_along_axes_and_diagonals(d):
    k = 3
    basis, sigmoids = (kind(k).place(X[d], equal(N), 0) for kind in (Splines, Sigmoids))
    assert basis.size == 1 + (k + 1) * d**2
    np.testing.assert_array_equal(basis.directions, sigmoids.directions[::k])
    t = (X[d] - basis.center) / basis.scale
    columns = [rising_splines(t @ u, knots, 3) for u, knots in zip(basis.directions, basis.knots, strict=True)]
    np.testing.assert_allclose(features(basis, X[d])[:, 1:], np.concatenate(columns, axis=1), rtol=0, atol=1e-11)


# Scores.

NORMAL = generators.Normal()
POSITIVE = np.random.default_rng(4).lognormal(1, 0.7, (N, 1))
# each with its log density by scipy, as a function of an observation and the unconstrained parameters
FAMILIES = {
    "logistic": (generators.Logistic(), X[1], lambda x, t: stats.logistic.logpdf(x, t[0], np.exp(t[1]))),
    "t, fixed scale": (
        generators.StudentT(5.0).fix(scale=2.0),
        X[1],
        lambda x, t: stats.t.logpdf(x, 5, t[0], 2.0),
    ),
    "exponential": (generators.Exponential(), POSITIVE, lambda x, t: stats.expon.logpdf(x, 0, np.exp(t[0]))),
    "lognormal": (
        generators.LogNormal(),
        POSITIVE,
        lambda x, t: stats.lognorm.logpdf(x, np.exp(t[0]), 0, np.exp(t[1])),
    ),
    "bivariate normal": (
        generators.MultivariateNormal(2),
        X[2],
        lambda x, t: stats.multivariate_normal.logpdf(x, t[:2], bivariate(t)),  # pyright: ignore[reportArgumentType]
    ),
}


def bivariate(t):
    # the correlation is behind rows (y, 1) of unit length
    cross = np.exp(t[2] + t[3]) * t[4] / np.sqrt(1 + t[4] ** 2)
    return np.array([[np.exp(2 * t[2]), cross], [cross, np.exp(2 * t[3])]])


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_are_derivatives_of_the_log_density(name):
    family, rows, log_density = FAMILIES[name]
    x = family.squeezed(rows)
    basis = Scores(family, bounded=False).place(rows, equal(N), 0)
    p = family.size
    assert basis.size == 1 + p
    theta = family.theta(**family.start(x, equal(N)))
    h = 1e-5
    expected = np.stack([(log_density(x, theta + e) - log_density(x, theta - e)) / (2 * h) for e in h * np.eye(p)], 1)
    phi = features(basis, rows)
    np.testing.assert_array_equal(phi[:, 0], 1.0)
    scores = np.linalg.solve(basis.whitening, phi[:, 1:].T).T
    # errs by h^2 times third derivatives, which are of the scores' size, and by rounding / h
    np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
    # nothing is left to the seed
    np.testing.assert_array_equal(features(Scores(family, bounded=False).place(rows, equal(N), 5), rows), phi)


def test_scores_are_standardised_by_the_information_matrix():
    basis = Scores(NORMAL, bounded=False).place(X[1], equal(N), 0)
    scale = np.exp(basis.theta[1])
    # of (loc, log scale): diag(1 / scale^2, 2), from quasi-random points; random ones err by .06
    information = np.linalg.inv(basis.whitening.T @ basis.whitening)
    np.testing.assert_allclose(information, np.diag([scale**-2, 2]), rtol=1e-2, atol=1e-2 / scale)
    x = X[1][:, 0]
    t = (x - np.median(x)) / (1.482602218505602 * np.median(np.abs(x - np.median(x))))
    by_hand = np.stack([t / scale, t**2 - 1], axis=1) @ basis.whitening.T
    np.testing.assert_allclose(features(basis, X[1])[:, 1:], by_hand, rtol=1e-11, atol=1e-11)
    # simulated scores have exactly the identity for their second moments
    z = latents.draw("sobol", latents.normal, 16384, 1, 0)[0]
    phi = features(basis, basis.theta[0] + scale * z)[:, 1:]
    np.testing.assert_allclose(phi.T @ phi / 16384, np.eye(2), rtol=0, atol=1e-11)


def test_bounded_scores_are_shrunk_into_a_ball():
    raw = Scores(NORMAL, bounded=False).place(X[1], equal(N), 0)
    basis = Scores(NORMAL, c=2.5).place(X[1], equal(N), 0)
    s = features(raw, X[1])[:, 1:]
    expected = s / np.sqrt(1 + np.sum(s**2, axis=1, keepdims=True) / 2.5**2)
    np.testing.assert_allclose(features(basis, X[1])[:, 1:], expected, rtol=EXACT, atol=EXACT)
    far = np.array([[1e3], [-1e3], [1e100], [-1e100], [1e149]])
    phi, slopes = features(basis, far)[:, 1:], in_double(_slopes, basis, far)[:, 1:]
    norms = np.linalg.norm(phi, axis=1)
    assert np.all(norms <= 2.5 * (1 + EXACT))
    np.testing.assert_allclose(norms[2:], 2.5, rtol=1e-12)
    assert np.all(np.isfinite(slopes))
    np.testing.assert_allclose(slopes[2:], 0, atol=1e-90)


@pytest.mark.parametrize(("fixed", "claimed"), [({"scale": 1.0}, 1.29), ({}, 3.25)], ids=["loc", "loc and scale"])
def test_the_default_radius_keeps_95_percent_efficiency(fixed, claimed):
    family = NORMAL.fix(**fixed) if fixed else NORMAL
    basis = Scores(family).place(X[1], equal(N), 0)
    assert basis.radius is not None
    c = float(basis.radius)
    assert c == pytest.approx(claimed, abs=0.01)
    parts = [lambda t: t, lambda t: (t**2 - 1) / np.sqrt(2)][: family.size]

    def mean(f):
        return integrate.quad(lambda t: f(t) * stats.norm.pdf(t), -12, 12, points=[0], epsabs=1e-11, limit=200)[0]

    def shrunk(i):
        return lambda t: parts[i](t) / np.sqrt(1 + sum(f(t) ** 2 for f in parts) / c**2)

    p = range(family.size)
    jacobian = np.array([[mean(lambda t, i=i, j=j: shrunk(i)(t) * parts[j](t)) for j in p] for i in p])
    means = np.array([mean(shrunk(i)) for i in p])
    second = np.array([[mean(lambda t, i=i, j=j: shrunk(i)(t) * shrunk(j)(t)) for j in p] for i in p])
    information = jacobian.T @ np.linalg.solve(second - np.outer(means, means), jacobian)
    # the radius is found with 16,384 quasi-random points
    assert family.size / np.trace(np.linalg.inv(information)) == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("bounded", [True, False])
def test_scores_are_location_scale_equivariant(bounded):
    spec = Scores(generators.Logistic(), bounded)
    here = features(spec.place(X[1], equal(N), 0), X[1])
    for a, b in ((0.0, 2.0), (3.7, 0.9), (-41.0, 12.5)):
        there = features(spec.place(a + b * X[1], equal(N), 0), a + b * X[1])
        # rounding of observations near a, and the root that the radius is
        np.testing.assert_allclose(there, here, rtol=1e-11, atol=1e-11)
    spec = Scores(generators.MultivariateNormal(2), bounded)
    a, b = np.array([3.7, -11.0]), np.array([0.9, 12.5])
    here = features(spec.place(X[2], equal(N), 0), X[2])
    there = features(spec.place(a + b * X[2], equal(N), 0), a + b * X[2])
    np.testing.assert_allclose(there, here, rtol=1e-10, atol=1e-10)


def test_scores_of_rows_of_weight_zero_do_not_count():
    spec, more = Scores(NORMAL), np.concatenate([X[1], np.full((3, 1), 1e6), [[0.0]]])
    one, other = spec.place(X[1], equal(N), 0), spec.place(more, np.concatenate([equal(N), np.zeros(4)]), 0)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=EXACT)


def fit(x, discriminator):
    return hg.GAN(x, NORMAL, discriminator, n_simulated=256).fit()


@pytest.fixture(scope="module")
def contaminated():
    rng = np.random.default_rng(11)
    x = np.concatenate([rng.normal(1, 1, 180), rng.normal(9, 0.3, 20)])
    return x, {bounded: fit(x, Scores(NORMAL, bounded)) for bounded in (True, False)}


def test_raw_scores_are_maximum_likelihood(contaminated):
    # x and x^2: means and variances of data and simulations agree, whatever the data; z is not quite standardised
    x, fits = contaminated
    assert fits[False].converged
    z = latents.draw("sobol", latents.normal, 256, 1, 0)[0, :, 0]
    scale = x.std() / z.std()
    expected = [x.mean() - scale * z.mean(), scale]
    np.testing.assert_allclose(fits[False].params.to_numpy(), expected, rtol=1e-8)
    # 256 Sobol points come that close to the normal law's own mean and deviation
    np.testing.assert_allclose(fits[False].params.to_numpy(), [x.mean(), x.std()], rtol=0, atol=0.02 * x.std())
    assert fits[False].params["scale"] > 2


def test_bounded_scores_survive_outliers(contaminated):
    x, fits = contaminated
    result = fits[True]
    assert result.converged
    assert result.saddle.is_saddle
    # a tenth at the edge of the ball, c = 3.25, moves a mean of standardised scores by up to .1 c / .9 = .36, and the
    # parameter by that over the mean slope of a shrunk score, about .8; maximum likelihood is off by .8 and by 1.6
    c = float(result.model.basis.radius)
    phi = features(result.model.basis, x[:180, None])[:, 1:]
    assert np.all(np.linalg.norm(phi, axis=1) < c)
    clean = fit(x[:180], Scores(NORMAL))
    shift = np.abs(result.params.to_numpy() - clean.params.to_numpy())
    assert np.all(shift < 0.5)
    assert np.all(shift < np.abs(fits[False].params.to_numpy() - clean.params.to_numpy()) / 2)
    with pytest.raises(ValueError, match="2 features for 2 parameters leave nothing to test; give more features"):
        result.overidentification_test()


def test_a_fit_with_scores_is_read_back(contaminated, tmp_path):
    result = contaminated[1][True]
    result.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    assert again.model.discriminator == result.model.discriminator
    np.testing.assert_array_equal(again.params, result.params)
    np.testing.assert_array_equal(again.log_ratio([0.0, 3.0]), result.log_ratio([0.0, 3.0]))


def test_a_fit_with_splines_is_certified():
    x = np.random.default_rng(12).normal(1, 1, 200)
    result = fit(x, Splines(4))
    assert result.saddle.is_saddle
    # within two standard errors of the sample's own, which are nearly efficient
    assert np.all(np.abs(result.params.to_numpy() - [x.mean(), x.std()]) < 2 * result.bse.to_numpy())
    assert result.overidentification_test().df == 3


def test_scores_of_fixed_families_and_their_recipes():
    spec = Scores(generators.StudentT(5.0).fix(loc=1.0), c=2.0)
    recipe = json.loads(json.dumps(discriminators.recipe(spec)))
    assert recipe["generator"] == {"family": "StudentT", "arguments": {"df": 5.0}, "fixed": {"loc": 1.0}}
    one, other = (s.place(X[1], equal(N), 0) for s in (spec, discriminators.make(**recipe)))
    np.testing.assert_array_equal(features(one, X[1]), features(other, X[1]))
    assert one.size == 2


class Bare(generators.Generator):
    """A user's own family, with a density and no start."""

    @property
    def parameters(self):
        return {"loc": hg.real()}

    @property
    def law(self):
        return latents.normal

    def draw(self, z, loc):
        return loc + z

    def log_density(self, x, loc):
        return latents.normal.log_density(x - loc)


def test_scores_of_a_users_own_family_have_no_recipe():
    assert discriminators.recipe(Scores(Bare())) is None


# Bumps, monomials, random features, the user's own.


def test_bumps_in_one_dimension_by_hand():
    # the knots of the sigmoids by hand; each bump's width is the gap to the other
    x = np.arange(101.0)
    basis = GaussianBumps(2).place(x[:, None], equal(101), 0)
    low, high = 50 * (1 - np.sqrt(0.5)), 50 * (1 + np.sqrt(0.5))
    e = np.exp
    expected = [[1, 1, e(-0.5)], [1, e(-0.125), e(-0.125)], [1, e(-2), e(-0.5)]]
    np.testing.assert_allclose(features(basis, np.array([[low], [50], [2 * high - low]])), expected, rtol=EXACT)


def test_bumps_in_several_dimensions_spread_over_the_central_data():
    k, x = 5, np.concatenate([X[2], [[300.0, 300.0], [-500.0, 20.0]]])
    basis = GaussianBumps(k).place(x, equal(N + 2), 0)
    t = (x - basis.center) / basis.scale
    norms = np.linalg.norm(t, axis=1)
    inside = t[norms <= np.quantile(norms, 0.9)]
    picked = basis.centers
    assert picked.shape == (k, 2)
    np.testing.assert_array_equal(picked[0], inside[np.argmin(np.linalg.norm(inside, axis=1))])
    for j in range(1, k):
        # each next one is the observation farthest from those before
        gaps = np.min(np.linalg.norm(inside[:, None] - picked[None, :j], axis=2), axis=1)
        np.testing.assert_array_equal(picked[j], inside[np.argmax(gaps)])
    for j in range(k):
        nearest = np.min(np.linalg.norm(np.delete(picked, j, axis=0) - picked[j], axis=1))
        assert basis.widths[j] == pytest.approx(max(nearest, 0.1), rel=EXACT)
    values = np.exp(-0.5 * np.sum((t[:, None] - picked[None]) ** 2, axis=2) / basis.widths**2)
    np.testing.assert_allclose(features(basis, x)[:, 1:], values, rtol=1e-11, atol=1e-300)


def test_bumps_on_tied_data_keep_a_width():
    # nine different observations for ten bumps
    x = np.stack([np.repeat([0.0, 1.0, 2.0], 100), np.tile([0.0, 1.0, 2.0], 100)], axis=1)
    basis = GaussianBumps(10).place(x, equal(300), 0)
    assert basis.widths.min() == 0.1
    assert np.all(np.isfinite(features(basis, x)))


def test_monomials_by_hand():
    x = X[2]
    basis = Polynomial(2).place(x, equal(N), 0)
    center = np.median(x, axis=0)
    s, t = ((x - center) / (1.482602218505602 * np.median(np.abs(x - center), axis=0))).T
    expected = np.stack([np.ones(N), s, t, s**2, s * t, t**2], axis=1)
    np.testing.assert_allclose(features(basis, x), expected, rtol=1e-11)
    # 0, ..., 100: median 50, MAD 25
    basis = Polynomial(3).place(np.arange(101.0)[:, None], equal(101), 0)
    t = 30 / (25 * 1.482602218505602)
    np.testing.assert_allclose(features(basis, np.array([[80.0]])), [[1, t, t**2, t**3]], rtol=EXACT)


def test_monomials_are_all_up_to_the_degree():
    # (d + degree choose d), the constant included
    for d, degree, size in ((1, 4, 5), (2, 3, 10), (3, 2, 10)):
        assert Polynomial(degree).place(X[d], equal(N), 0).size == size


@pytest.mark.parametrize("spec", [RandomFeatures(6), MLP((3,))], ids=["RandomFeatures", "MLP"])
def test_what_is_random_depends_on_the_seed_alone(spec):
    np.random.seed(1)  # noqa: NPY002
    one = spec.place(X[2], equal(N), 3)
    np.random.seed(2)  # noqa: NPY002
    other = spec.place(X[2], equal(N), 3)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.any(features(one, X[2])[:, 1:] == features(spec.place(X[2], equal(N), 4), X[2])[:, 1:])
    assert np.all(features(one, X[2])[:, -1] != features(spec.place(X[2], equal(N), 4), X[2])[:, -1])


def test_random_features_may_bring_their_own_seed():
    one, other = (RandomFeatures(6, seed=3).place(X[2], equal(N), seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.directions, other.directions)
    np.testing.assert_array_equal(one.knots, RandomFeatures(6).place(X[2], equal(N), 3).knots)
    t = (X[2] - one.center) / one.scale
    values = 0.5 * np.tanh(t @ one.directions.T - one.knots)  # width 1/2
    np.testing.assert_allclose(features(one, X[2])[:, 1:], values, rtol=0, atol=EXACT)


def test_features_of_the_user():
    basis = Features(lambda x: jnp.stack([x, jnp.tanh(x / 2)])).place(X[1], equal(N), 0)
    x = X[1][:, 0]
    expected = np.stack([np.ones(N), x, np.tanh(x / 2)], axis=1)
    np.testing.assert_allclose(features(basis, X[1]), expected, rtol=EXACT)
    np.testing.assert_array_equal(basis.ridge, np.zeros(3))
    number = Features(lambda x: x[0] * x[1], ridge=0.5).place(X[2], equal(N), 0)
    np.testing.assert_allclose(features(number, X[2])[:, 1], X[2].prod(axis=1), rtol=EXACT)
    np.testing.assert_array_equal(number.ridge, [0, 0.5])


# The network.


def test_network_against_numpy():
    network = MLP((3, 2)).place(X[2], equal(N), 0)
    # 2 x 3 + 3, 3 x 2 + 2, 2 + 1
    assert network.size == 9 + 8 + 3
    assert not network.is_linear
    alpha = np.random.default_rng(5).normal(size=20)
    w1, b1 = alpha[:6].reshape(3, 2), alpha[6:9]
    w2, b2 = alpha[9:15].reshape(2, 3), alpha[15:17]
    w3, b3 = alpha[17:19], alpha[19]
    center = np.median(X[2], axis=0)
    t = (X[2] - center) / (1.482602218505602 * np.median(np.abs(X[2] - center), axis=0))
    expected = np.tanh(np.tanh(t @ w1.T + b1) @ w2.T + b2) @ w3 + b3
    np.testing.assert_allclose(in_double(_log_ratios, network, alpha, X[2]), expected, rtol=1e-11, atol=EXACT)


def test_network_starts_small_with_a_free_intercept():
    network = MLP((4,), ridge=0.01).place(X[1], equal(N), 0)
    np.testing.assert_array_equal(network.ridge, [*[0.01] * 12, 0.0])
    assert network.start[-1] == 0
    assert np.all(network.start[:-1] != 0)
    v = features(network, X[1])
    # four units bounded by 1, output weights of sd .1 / sqrt 4
    assert 0 < np.max(np.abs(v)) < 0.5


# Ridge, default, recipes.


def test_default_ridge():
    def second(spec, n, d=1, weights=None):
        x = np.random.default_rng(0).normal(size=(n, d))
        ridge = spec.place(x, equal(n) if weights is None else weights, 0).ridge
        assert ridge[0] == 0
        np.testing.assert_array_equal(ridge[1:], ridge[1])
        return ridge[1]

    # 1 / (2 n^2), at least 1e-6 in one dimension and 1e-4 in several
    assert second(Sigmoids(3), 50) == pytest.approx(2e-4, rel=EXACT)
    assert second(Sigmoids(3), 500) == pytest.approx(2e-6, rel=EXACT)
    assert second(Sigmoids(3), 2000) == 1e-6
    assert second(Sigmoids(3), 50, d=2) == pytest.approx(2e-4, rel=EXACT)
    assert second(Sigmoids(3), 500, d=2) == 1e-4
    assert second(GaussianBumps(3), 50) == pytest.approx(2e-4, rel=EXACT)
    assert second(GaussianBumps(3), 500) == 1e-4
    # n is Kish's effective size 1 / sum w^2: (.1^2 40 / 16 + .9^2 10 / 100)^-1 with weights that sum to .1 and .9
    weights = np.concatenate([np.full(40, 0.1 / 40), np.full(10, 0.9 / 10)])
    effective = 1 / (0.1**2 / 40 + 0.9**2 / 10)
    assert second(Sigmoids(3), 50, weights=weights) == pytest.approx(1 / (2 * effective**2), rel=EXACT)
    assert second(Sigmoids(3, ridge=0.25), 50) == 0.25
    assert second(Sigmoids(3, ridge=0), 50) == 0
    assert second(Polynomial(2), 50) == 0
    assert second(RandomFeatures(3), 50) == 1e-3


def test_default_discriminator():
    @hg.generator(latent="normal", latent_dim=3, loc=hg.real((3,)))
    def shifted(z, loc):
        return z + loc

    elliptical = [generators.MultivariateNormal(d) for d in (2, 9)] + [generators.MultivariateStudentT(3).fix(df=4.0)]
    assert [discriminators.default(family) for family in elliptical] == [RedescendingMoments()] * 3
    assert [discriminators.default(family) for family in (NORMAL, shifted)] == [Sigmoids(16), Sigmoids(4)]


RECIPES = [
    Polynomial(3, ridge=0.5),
    Sigmoids(4),
    Sigmoids(4, ridge=1e-5),
    Splines(6),
    Splines(6, 4, ridge=1e-5),
    RedescendingMoments(2, ridge=0.5),
    Scores(generators.Normal()),
    Scores(generators.StudentT(3.0), bounded=False, ridge=0),
    Scores(generators.MultivariateNormal(3), c=2),
    GaussianBumps(5, ridge=0.0),
    RandomFeatures(6, ridge=1e-2, seed=4),
    MLP((3, 2), ridge=0.1),
]


@pytest.mark.parametrize("spec", RECIPES, ids=lambda s: type(s).__name__)
def test_recipe_and_make_are_inverse(spec):
    recipe = json.loads(json.dumps(discriminators.recipe(spec)))
    assert recipe["name"] == type(spec).__name__
    assert discriminators.make(**recipe) == spec
    assert hash(discriminators.make(**recipe)) == hash(spec)


def test_recipes_of_functions_there_are_none():
    assert discriminators.recipe(Features(jnp.tanh)) is None


def test_specifications_by_value():
    assert Sigmoids() == Sigmoids(16) == Sigmoids(np.int64(16))  # pyright: ignore[reportArgumentType]
    assert Sigmoids(4) != Sigmoids(5)
    assert Sigmoids(4) != Sigmoids(4, ridge=1e-5)
    assert MLP(3) == MLP((3,)) == MLP([3])


def test_fresh_placements_trace_once():
    traces = []

    @jax.jit
    def evaluate(basis, x):
        traces.append(basis)
        return basis.features(x)

    for spec in (lambda: Sigmoids(4), lambda: Polynomial(3)):
        for shift in range(3):
            evaluate(spec().place(X[1] + shift, equal(N), shift), jnp.full(1, 0.5, jnp.float32))
    assert len(traces) == 2


# What is refused.


def silent(x):
    raise AssertionError


@hg.generator(loc=hg.real(), scale=hg.positive())
def shifted(z, loc, scale):
    return loc + scale * z


BAD = [
    (lambda: Sigmoids(1), ValueError, "k: got 1; give an integer of at least 2"),
    (lambda: Sigmoids(4.0), ValueError, "k: got 4.0"),  # pyright: ignore[reportArgumentType]
    (lambda: Sigmoids(True), ValueError, "k: got True"),
    (lambda: Sigmoids("16"), ValueError, "k: got '16'"),  # pyright: ignore[reportArgumentType]
    (lambda: Sigmoids(4, ridge=-1e-3), ValueError, "ridge: got -0.001; give a non-negative number"),
    (lambda: Sigmoids(4, ridge=np.nan), ValueError, "ridge: got nan"),
    (lambda: Sigmoids(4, ridge=np.inf), ValueError, "ridge: got inf"),
    (lambda: Sigmoids(4, ridge="small"), ValueError, "ridge: got 'small'"),  # pyright: ignore[reportArgumentType]
    (lambda: Splines(1), ValueError, "k: got 1; give an integer of at least 2"),
    (lambda: Splines(4, 2), ValueError, "degree: got 2; give an integer of at least 3"),
    (lambda: Splines(4, ridge=-1), ValueError, "ridge: got -1"),
    (lambda: Scores("Normal"), TypeError, "generator: got str; give a family with a density"),  # pyright: ignore[reportArgumentType]
    (lambda: Scores(generators.Normal), TypeError, "generator: got function; give a family"),  # pyright: ignore[reportArgumentType]
    (lambda: Scores(shifted), ValueError, "generator: shifted has no density in closed form and so no scores"),
    (lambda: Scores(shifted.fix(loc=1.0)), ValueError, "generator: shifted has no density"),
    (lambda: Scores(NORMAL, 1), TypeError, "bounded: got 1; give True or False"),  # pyright: ignore[reportArgumentType]
    (lambda: Scores(NORMAL, c=0), ValueError, "c: got 0; give a positive number"),
    (lambda: Scores(NORMAL, c=np.inf), ValueError, "c: got inf"),
    (lambda: Scores(NORMAL, c="3"), ValueError, "c: got '3'"),  # pyright: ignore[reportArgumentType]
    (lambda: Scores(NORMAL, bounded=False, c=3), ValueError, "c: got 3 with bounded=False"),
    (lambda: Scores(NORMAL, ridge=-1), ValueError, "ridge: got -1"),
    (
        lambda: Scores(NORMAL).place(X[2], equal(N), 0),
        ValueError,
        "scores of Normal are for 1 dimensions, the data have 2",
    ),
    (lambda: Scores(Bare()).place(X[1], equal(N), 0), ValueError, "Bare has no robust start"),
    (lambda: Scores(generators.Laplace()).place(X[1], equal(N), 0), ValueError, "scores of Laplace .* kinks or edges"),
    (lambda: Scores(generators.Uniform()).place(X[1], equal(N), 0), ValueError, "scores of Uniform .* kinks or edges"),
    (
        lambda: Scores(generators.LogNormal()).place(np.append(POSITIVE[:-2], [[0], [0]], axis=0), equal(N), 0),
        ValueError,
        "2 observations have density 0 under LogNormal",
    ),
    (lambda: Scores(generators.Exponential()).place(X[1], equal(N), 0), ValueError, "data: the smallest value is"),
    (lambda: GaussianBumps(1), ValueError, "k: got 1"),
    (lambda: GaussianBumps(4, ridge=-1), ValueError, "ridge"),
    (lambda: Polynomial(0), ValueError, "degree: got 0"),
    (lambda: Polynomial(2, ridge=None), ValueError, "ridge: got None"),  # pyright: ignore[reportArgumentType]
    (lambda: RandomFeatures(0), ValueError, "k: got 0"),
    (lambda: RandomFeatures(4, ridge=None), ValueError, "ridge: got None"),  # pyright: ignore[reportArgumentType]
    (lambda: RandomFeatures(4, seed=-1), ValueError, "seed: got -1"),
    (lambda: RandomFeatures(4, seed=1.5), ValueError, "seed: got 1.5"),  # pyright: ignore[reportArgumentType]
    (lambda: MLP(()), ValueError, r"widths: got \(\)"),
    (lambda: MLP((3, 0)), ValueError, "widths: got 0"),
    (lambda: MLP((3, 2.0)), ValueError, "widths: got 2.0"),  # pyright: ignore[reportArgumentType]
    (lambda: MLP(3, ridge=None), ValueError, "ridge: got None"),  # pyright: ignore[reportArgumentType]
    (lambda: Features(3), TypeError, "function: got 3; give a function"),  # pyright: ignore[reportArgumentType]
    (
        lambda: Features(lambda x: np.tanh(x)).place(X[1], equal(N), 0),
        ValueError,
        "the features fail on one observation",
    ),
    (lambda: Features(lambda x: x[0]).place(X[1], equal(N), 0), ValueError, "the features fail on one observation"),
    (lambda: Features(silent).place(X[1], equal(N), 0), ValueError, r"one observation: AssertionError; write it"),
    (lambda: Features(lambda x: x * jnp.eye(2)).place(X[1], equal(N), 0), ValueError, r"have shape \(2, 2\)"),
    (lambda: GaussianBumps(8).place(X[2][:6], equal(6), 0), ValueError, "8 bumps need more than 8 observations"),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "kind", "words"), BAD)
def test_bad_arguments(call, kind, words):
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@WITH_MLP
def test_nearly_constant_data_are_refused(spec):
    x = np.concatenate([np.zeros(97), [5.0, 6.0, 7.0]])[:, None]
    with pytest.raises(ValueError, match="data: the central 90 % of the sample are one value"):
        spec.place(x, equal(100), 0)
    # with a MAD of 0 the next robust scale takes over
    x = np.concatenate([np.zeros(60), np.linspace(1, 3, 40)])[:, None]
    assert np.all(np.isfinite(features(spec.place(x, equal(100), 0), x)))
