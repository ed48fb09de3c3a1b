"""Starting values for a user's simulator: near the truth wherever the data lie, the same every time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from tolerance import EXACT

import hellgan as hg
from hellgan import generators, latents, losses, solver
from hellgan.objective import Game
from hellgan.samples import robust
from hellgan.solver import joint, jumps, newton, starts

pytestmark = pytest.mark.usefixtures("x64")

N = 999
LEVELS = (np.arange(N) + 0.5) / N
GUMBEL = 1e5 + 3 * scipy.stats.gumbel_r.ppf(LEVELS)[:, None]


@hg.generator(latent="uniform", loc=hg.real(), scale=hg.positive())
def gumbel(u, loc, scale):
    return loc - scale * jnp.log(-jnp.log(u))


@hg.generator(latent="uniform", a=hg.positive(), b=hg.positive())
def kumaraswamy(u, a, b):
    return (1 - (1 - u) ** (1 / b)) ** (1 / a)


@hg.generator(latent_dim=2, loc=hg.real(shape=(2,)), scale=hg.positive(shape=(2,)), rho=hg.interval(-1, 1))
def correlated(z, loc, scale, rho):
    return loc + scale * jnp.stack([z[0], rho * z[0] + jnp.sqrt(1 - rho**2) * z[1]])


def equal(n):
    return np.full(n, 1 / n)


def natural(generator, theta):
    return np.asarray(generator.natural_vector(jnp.asarray(theta)))


# matched.


@pytest.mark.parametrize(("shift", "factor"), [(1e5, 3.0), (10.0, 3e-4), (0.0, 1e7)])
def test_gumbel_far_from_the_origin(shift, factor):
    x = shift + factor * scipy.stats.gumbel_r.ppf(LEVELS)[:, None]
    thetas = starts.matched(gumbel, x, equal(N), 0)
    assert thetas.ndim == 2
    assert thetas.shape[1] == 2
    assert np.all(np.isfinite(thetas))
    loc, scale = natural(gumbel, thetas[0])
    # quantiles of 256 points against those of 999: within a rank's spacing
    assert loc == pytest.approx(shift, abs=0.02 * factor)
    assert scale == pytest.approx(factor, rel=0.02)


def test_gross_errors_move_the_match_by_a_bounded_amount():
    found = []
    for far in (1e6, 1e9):
        x = GUMBEL.copy()
        x[::5] = far
        found.append(natural(gumbel, starts.matched(gumbel, x, equal(N), 0)[0]))
    # the median moves to the quantile of level .625: .76 scales on; the interquartile range grows by half
    assert abs(found[0][0] - 1e5) < 0.8 * 3
    assert 0.9 * 3 < found[0][1] < 1.6 * 3
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)


def test_two_shapes_on_the_unit_interval():
    # distribution function 1 - (1 - x^a)^b, a = 1/2, b = 2
    x = (1 - (1 - LEVELS[:, None]) ** (1 / 2)) ** 2
    theta = starts.matched(kumaraswamy, x, equal(N), 0)[0]
    np.testing.assert_allclose(natural(kumaraswamy, theta), [0.5, 2.0], rtol=0.02)


@pytest.fixture(scope="module")
def pairs():
    noise = scipy.stats.norm.ppf(latents.draw("sobol", latents.uniform, 512, 2, 3)[0])
    return np.array([100.0, -3.0]) + noise @ np.array([[2.0, 0.3], [0.0, 0.4]])


def test_two_dimensions(pairs):
    theta = starts.matched(correlated, pairs, equal(512), 0)[0]
    # 256 points of two coordinates; projections on both diagonals identify rho
    np.testing.assert_allclose(natural(correlated, theta)[:4], [100, -3, 2, 0.5], rtol=0.05)
    assert natural(correlated, theta)[4] == pytest.approx(0.6, abs=0.05)


def test_a_sample_whose_quantiles_lead_to_an_edge():
    """A tenth is wrong, and every match of the quantiles has a = 0; the search goes on elsewhere."""

    @hg.generator(latent="uniform", lower=hg.real(), a=hg.positive(), b=hg.positive())
    def sloped(u, lower, a, b):
        return lower + a * (1 - (1 - u) ** 2) / 2 - b * jnp.log1p(-u)

    rng = np.random.default_rng(11)
    u = rng.uniform(size=(100, 450))
    samples = np.concatenate([5 + 3 * (1 - (1 - u) ** 2) / 2 - 2 * np.log1p(-u), rng.normal(40, 1, (100, 50))], axis=1)
    x = samples[8]
    assert np.exp(starts.matched(sloped, x[:, None], equal(500), 0)[:, 1]).max() < 0.05
    fit = hg.GAN(x, sloped).fit(throw=True)
    near = hg.GAN(x, sloped).fit(start={"lower": 5.0, "a": 3.0, "b": 2.0})
    np.testing.assert_allclose(fit.params, near.params, rtol=1e-6)


def test_where_nothing_is_certified_the_reserve_is_tried_last(monkeypatch):
    """The given start, those scattered around it, and then the best of the reserve; two of them are tried again."""
    model = hg.GAN(np.random.default_rng(0).normal(1.0, 2.0, 60), generators.Normal())
    start, tried, exactly = model.starts()[0], [], []
    failed = dataclasses.replace(solver.solve_saddle(model.game(), start), is_saddle=False, reason="none of it")

    def solve(game, theta, limits, is_exact=True):
        tried.append(theta)
        exactly.append(is_exact)
        # The reserve's last is nearly a solution, a start nearby next to it.
        return dataclasses.replace(failed, converged=False, score_norm={5: 0.1, 2: 0.2}.get(len(tried), 1.0))

    monkeypatch.setattr("hellgan.solver.saddle._solve_from", solve)
    far = start + np.array([[30.0, 0.0], [0.5, 0.0], [20.0, 0.0], [1.0, 0.0]])
    found = solver.solve_saddle(model.game(), start, more=2, reserve=lambda: far)
    assert (found.starts, found.reason) == (5, "none of it")
    np.testing.assert_array_equal(tried[0], start)
    np.testing.assert_array_equal(tried[3:5], far[[1, 3]])  # the two with the least inner maxima, in their order
    np.testing.assert_array_equal(tried[5:], [tried[4], tried[1]])  # where the compiled search came closest
    assert exactly == [True, False, False, False, False, True, True]


def test_starts_nearby_are_tried_by_the_search_alone(monkeypatch):
    """Where nothing is found the exact iteration has gone from the given start and from two more."""
    model = hg.GAN(np.random.default_rng(0).normal(1.0, 2.0, 60), generators.Normal())
    game, begun = model.game(), []

    def lost(games, theta, alpha, tol, is_warm, count=None):
        found = search(games, theta, alpha, tol, is_warm, count=count)
        return found._replace(score_norm=np.full_like(found.score_norm, 1.0))

    def exact(games, starts, *rest):
        begun.append(starts[0])
        found = descend(games, starts, *rest)
        return found._replace(score_norm=np.full_like(found.score_norm, 0.5))

    search, descend = joint.search, newton.descend
    monkeypatch.setattr("hellgan.solver.joint.search", lost)
    monkeypatch.setattr("hellgan.solver.newton.descend", exact)
    found = solver.solve_saddle(game, model.starts(), more=6)
    assert not found.is_saddle
    assert (found.starts, len(begun)) == (7, 3)
    np.testing.assert_array_equal(begun[0], model.starts()[0])


@hg.generator(latent="normal", a=hg.real(), b=hg.positive(), g=hg.real(), h=hg.interval(0, 1))
def g_and_h(z, a, b, g, h):
    return a + b * jnp.expm1(g * z) / g * jnp.exp(h * z**2 / 2)


def test_a_saddle_point_that_leaves_doubt_is_not_the_last(monkeypatch):
    """A tenth is wrong, where the long tail can reach it; a saddle point that goes after it is not the lowest."""
    truth = {"a": 1.0, "b": 2.0, "g": 0.5, "h": 0.1}
    rng = np.random.default_rng(3)
    clean = np.asarray(jax.vmap(lambda z: g_and_h.draw(z, **truth))(rng.normal(size=450)))
    x = np.concatenate([clean, rng.normal(60, 1, 50)])
    model = hg.GAN(x, g_and_h)
    assert (
        model.fit(throw=True).conf_int()["lower"]["g"] < 0.5
    )  # the other point is a wiggle of a few draws, and is told
    monkeypatch.setattr(jumps, "checked", lambda games, saddles, *rest: saddles)
    fit, near = model.fit(throw=True), model.fit(start=truth)
    with jax.enable_x64(True):
        first = solver.solve_saddle(model.game(), model.starts())
    assert first.is_saddle
    assert first.value > fit.saddle.value + 0.004
    assert fit.saddle.value == pytest.approx(near.saddle.value, abs=1e-9)
    np.testing.assert_allclose(fit.params, near.params, rtol=1e-6)
    assert fit.conf_int()["lower"]["g"] < 0.5 < fit.conf_int()["upper"]["g"]
    assert (near.saddle.starts, fit.saddle.starts) == (1, 9)  # a start that is given is the only one
    monkeypatch.setattr("hellgan.solver.saddle.STORED", 512)
    assert model.fit().saddle.starts == 2
    monkeypatch.undo()
    monkeypatch.setattr(jumps, "checked", lambda games, saddles, *rest: saddles)
    settled = hg.GAN(np.concatenate([clean, clean[:50]]), g_and_h)  # a sample that fits
    assert settled.fit(throw=True).saddle.starts == 1
    batch = hg.fit_batch(model, [x, settled.x])
    np.testing.assert_allclose(batch.params.iloc[0], fit.params, rtol=1e-8)
    np.testing.assert_allclose(batch.params.iloc[1], settled.fit().params, rtol=1e-8)


def test_many_dimensions_are_matched_one_by_one(monkeypatch):
    """Twelve coordinates: sums and differences of two would be 132 directions, a start of many seconds."""

    @hg.generator(latent="normal", latent_dim=12, loc=hg.real(shape=12), scale=hg.positive())
    def shifted(z, loc, scale):
        return loc + scale * z

    seen, match = [], starts._match
    monkeypatch.setattr(starts, "_match", lambda *given: seen.append(given[5]) or match(*given))
    loc = np.linspace(-3, 3, 12)
    x = loc + 0.5 * scipy.stats.norm.ppf(latents.draw("sobol", latents.uniform, 256, 12, 3)[0])
    found = natural(shifted, starts.matched(shifted, x, equal(256), 0)[0])
    np.testing.assert_array_equal(seen[0], np.eye(12))
    np.testing.assert_allclose(found, [*loc, 0.5], atol=0.2)


def test_the_best_match_comes_first(pairs):
    thetas = starts.matched(correlated, pairs, equal(512), 0)
    center = np.median(pairs, axis=0)
    scale = np.array([robust.robust_scale(c, equal(512)) for c in pairs.T])
    directions = np.array([[1, 0], [0, 1], [1, 1], [1, -1]])
    levels = np.linspace(0.1, 0.9, 9)
    z = jnp.asarray(latents.draw("sobol", latents.normal, 256, 2, 0)[0])
    targets = np.quantile((pairs - center) / scale @ directions.T, levels, axis=0)
    distances = []
    for theta in thetas:
        x = np.asarray(jax.vmap(correlated, (None, 0))(jnp.asarray(theta), z))
        ranks = np.round(levels * 255).astype(int)
        r = np.sort((x - center) / scale @ directions.T, axis=0)[ranks] - targets
        distances.append(np.sum(r**2 / (1 + r**2)))
    assert distances[0] < 0.05
    assert np.ptp(distances) > 1e-6
    assert np.all(np.diff(distances) >= -1e-9)


def test_the_same_seed_gives_the_same_starts():
    one, same, other = (starts.matched(gumbel, GUMBEL, equal(N), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.any(one == other)
    # the seed moves them by less than the simulation noise of 256 Sobol points
    np.testing.assert_allclose(natural(gumbel, one[0]), natural(gumbel, other[0]), atol=0.1)


def test_zero_weight_rows_do_not_move_the_match():
    x = np.concatenate([GUMBEL, np.full((300, 1), -7.0)])
    weights = np.concatenate([equal(N), np.zeros(300)])
    one, other = starts.matched(gumbel, GUMBEL, equal(N), 0), starts.matched(gumbel, x, weights, 0)
    np.testing.assert_array_equal(one, other)


def test_a_simulator_that_gives_nothing_finite_is_refused():
    @hg.generator(loc=hg.real())
    def hopeless(z, loc):
        return jnp.where(loc < 0, jnp.inf, jnp.nan) * z

    with pytest.raises(
        ValueError, match=r"generator: hopeless gives no finite observations .* fit\(start={\.\.\.}\)"
    ) as e:
        starts.matched(hopeless, GUMBEL, equal(N), 0)
    assert "\n" not in str(e.value)


def test_a_simulator_that_fails_in_places_still_starts():
    @hg.generator(loc=hg.real(), scale=hg.positive())
    def fragile(z, loc, scale):
        return jnp.where(scale < 1.5, loc + scale * z, jnp.nan)

    x = 4 + scipy.stats.norm.ppf(LEVELS)[:, None]
    np.testing.assert_allclose(natural(fragile, starts.matched(fragile, x, equal(N), 0)[0]), [4, 1], rtol=0.02)


def narrow(**options):
    @hg.generator(a=hg.positive(**options))
    def tiny(z, a):
        return jnp.where(a < 1e-6, 1e9 * a * (1 + 0.1 * z), jnp.nan)

    return tiny


def test_a_start_in_the_constraint_says_where_to_look():
    x = 1 + 0.1 * scipy.stats.norm.ppf(LEVELS)[:, None]
    with pytest.raises(ValueError, match="or a start= in its constraints"):
        starts.matched(narrow(), x, equal(N), 0)
    theta = starts.matched(narrow(start=2e-9), x, equal(N), 0)[0]
    np.testing.assert_allclose(np.exp(theta), [1e-9], rtol=0.02)


def test_starts_of_arrays_are_taken_element_by_element():
    @hg.generator(b=hg.real(shape=(2, 2), start=[[40.0, 0.0], [0.0, -20.0]]), w=hg.simplex(2, start=[0.9, 0.1]))
    def model(z, b, w):
        # finite near the start alone
        near = (jnp.abs(b[0, 0] - 40) < 90) & (jnp.abs(b[1, 1] + 20) < 45) & (w[0] > 0.5)
        return jnp.where(near, b[0, 0] + b[0, 1] + z * w[0], jnp.nan)

    theta = starts.matched(model, 30 + 0.8 * scipy.stats.norm.ppf(LEVELS)[:, None], equal(N), 0)[0]
    named = {name: np.asarray(value) for name, value in model.natural(jnp.asarray(theta)).items()}
    assert named["b"].shape == (2, 2)
    assert named["b"][0].sum() == pytest.approx(30, abs=0.1)
    assert named["w"][0] == pytest.approx(0.8, abs=0.02)


# nearby, reaches.


def game(generator, z):
    x = np.random.default_rng(0).normal(size=(32, generator.dim))
    basis = hg.discriminators.Sigmoids(2).place(x, equal(32), 0)
    return Game(losses.get("log"), generator, basis, x, equal(32), z, equal(len(z)))


Z = latents.draw("sobol", latents.normal, 256, 1, 0)[0]
IQR = np.subtract(*np.quantile(Z, [0.75, 0.25]))


def test_reaches_by_hand():
    # loc moves every draw by 1, log scale by scale |z|
    reach = starts.reaches(game(generators.Normal(), Z), np.array([7.0, np.log(3.0)]))
    np.testing.assert_allclose(reach, [3 * IQR, IQR / np.median(np.abs(Z))], rtol=EXACT)


def test_reaches_take_the_coordinate_that_moves_most():
    z = latents.draw("sobol", latents.normal, 256, 2, 0)[0]

    @hg.generator(latent_dim=2, a=hg.real(), idle=hg.real(), tiny=hg.real())
    def pair(z, a, idle, tiny):
        return jnp.stack([2 * z[0] + a, 10 * z[1] + 20 * a + 1e-12 * tiny])

    first, second = np.subtract(*np.quantile(z * [2, 10], [0.75, 0.25], axis=0))
    reach = starts.reaches(game(pair, z), np.array([1.0, 2.0, 3.0]))
    assert second < 20 * first
    # a parameter without effect moves by 1, one with next to none by no more than a million times its size
    np.testing.assert_allclose(reach, [min(first, second / 20), 1, 1e6 * (1 + 3)], rtol=EXACT)


def test_nearby_starts_are_equivariant():
    one = starts.nearby(game(generators.Normal(), Z), np.array([7.0, np.log(3.0)]), 5)
    a, b = -40.0, 2.5
    other = starts.nearby(game(generators.Normal(), Z), np.array([a + b * 7, np.log(b * 3)]), 5)
    assert one.shape == (5, 2)
    np.testing.assert_allclose(other, np.stack([a + b * one[:, 0], np.log(b) + one[:, 1]], axis=1), rtol=1e-11)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_nearby_starts_scatter_by_the_reach(count):
    theta = np.array([7.0, np.log(3.0)])
    found = starts.nearby(game(generators.Normal(), Z), theta, count)
    assert found.shape == (count, 2)
    assert len(np.unique(found, axis=0)) == count
    np.testing.assert_array_equal(found, starts.nearby(game(generators.Normal(), Z), theta, count))
    if count == 64:
        scatter = (found - theta) / [3 * IQR, IQR / np.median(np.abs(Z))]
        # 64 Sobol points of a standard normal law
        np.testing.assert_allclose(scatter.mean(axis=0), 0, atol=0.1)
        np.testing.assert_allclose(scatter.std(axis=0), 1, atol=0.1)


def test_matched_starts_are_equivariant_where_the_box_is():
    # the refinement forgets where candidates came from: one optimum, wherever the data lie
    far, near = (starts.matched(gumbel, x, equal(N), 0)[0] for x in (GUMBEL, (GUMBEL - 1e5) / 3))
    np.testing.assert_allclose(far, [1e5 + 3 * near[0], np.log(3) + near[1]], rtol=0, atol=1e-5)
