"""The compiled search: the points of the exact iteration, in fewer steps, and what it leaves to that."""

import jax
import numpy as np
import pytest
from worlds import gumbel

import hellgan as hg
from hellgan.batch import posed
from hellgan.execution import programs
from hellgan.objective import linear
from hellgan.solver import joint, newton
from hellgan.solver.certificate import LIMITS

SIGMOIDS = hg.discriminators.Sigmoids(6)


def contaminated(count: int, n: int, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 2.0, (count, n))
    wrong = round(share * n)
    x[:, :wrong] = rng.normal(17.0, 0.4, (count, wrong))
    return x


def line(count: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, n))
    return np.stack([x, 1 + 2 * x + rng.normal(size=(count, n))], axis=2)


GAMES = {
    "zero-sum": (contaminated(20, 80, 0.0), hg.generators.Normal(), "root"),
    "gross errors": (contaminated(20, 80, 0.2), hg.generators.Normal(), "root"),
    "concave": (contaminated(20, 80, 0.2), hg.generators.Normal(), "log"),
    "own objective": (contaminated(20, 80, 0.2), hg.generators.Normal(), "root_ns"),
    "quantile function solved for": (np.abs(contaminated(20, 80, 0.0)), hg.generators.Gamma(), "root"),
    "draws with weights": (contaminated(20, 80, 0.4), hg.generators.NormalMixture(2), "root"),
    "regression": (line(20, 80), hg.generators.LinearRegression(), "root"),
    "a user's": (contaminated(20, 80, 0.0), gumbel, "hellinger"),
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("samples", "generator", "loss"), GAMES.values(), ids=GAMES)
def test_it_ends_where_the_exact_iteration_ends(monkeypatch, samples, generator, loss):
    discriminator = None if samples.ndim == 3 else SIGMOIDS
    model = hg.GAN(samples[0], generator, discriminator, loss, n_simulated=128)
    games, starts = posed(model, list(samples), [0] * 20)
    expected, passed_on = newton.descend(games, starts), []

    def taken_up(games, starts, *rest):
        passed_on.extend(starts)
        return newton.Solution(*(part[: len(starts)] for part in expected))

    monkeypatch.setattr(newton, "descend", taken_up)
    found = joint.descend(games, starts)
    assert len(passed_on) <= 2
    arrived = (found.score_norm <= LIMITS.tol) & (expected.score_norm <= LIMITS.tol)
    assert arrived.sum() >= 17
    same = np.max(np.abs(found.theta - expected.theta), axis=1) < 1e-6
    assert np.all(same[arrived])
    np.testing.assert_allclose(found.alpha[arrived], expected.alpha[arrived], atol=1e-4)
    np.testing.assert_allclose(found.jacobian[arrived], expected.jacobian[arrived], atol=1e-5)
    np.testing.assert_allclose(found.value[arrived], expected.value[arrived], rtol=1e-9)
    assert np.mean(found.inner_iterations[arrived]) < np.mean(expected.inner_iterations[arrived])


@pytest.fixture
def games():
    with jax.enable_x64(True):
        model = hg.GAN(contaminated(1, 80, 0.0)[0], hg.generators.Normal(), SIGMOIDS, n_simulated=128)
        yield posed(model, list(contaminated(20, 80, 0.1)), [0] * 20)


def test_near_a_solution_it_needs_few_steps(games):
    games, starts = games
    found = joint.descend(games, starts)
    again = joint.descend(games, found.theta + 1e-3, found.alpha)
    np.testing.assert_allclose(again.theta, found.theta, atol=1e-8)
    assert np.max(again.iterations) <= 4
    assert np.mean(again.inner_iterations) <= 2


def test_what_does_not_arrive_is_left_to_the_exact_iteration(games, monkeypatch):
    """Also a point that is no saddle point, and each in its own place."""
    games, starts = games
    expected, search = newton.descend(games, starts), joint.search

    def spoilt(*arguments, count):
        found = search(*arguments, count=count)
        norms, jacobians = np.array(found.score_norm), np.array(found.jacobian)
        norms[1], jacobians[2] = np.inf, -jacobians[2]
        return found._replace(
            theta=np.where(norms[:, None] > 1, 99.0, found.theta), score_norm=norms, jacobian=jacobians
        )

    monkeypatch.setattr(joint, "search", spoilt)
    monkeypatch.setattr(programs, "_MANY", 16)
    found = joint.descend(games, starts)
    np.testing.assert_allclose(found.theta, expected.theta, atol=1e-7)
    np.testing.assert_allclose(found.jacobian, expected.jacobian, atol=1e-5)
    for k in (1, 2, 17, 18):  # of the first group and of the last, which is filled up
        assert found.iterations[k] == expected.iterations[k]
        np.testing.assert_allclose(found.alpha[k], expected.alpha[k], rtol=1e-9)


@pytest.mark.parametrize("what", ["large", "watched", "short", "a user's"])
def test_searches_that_are_the_exact_iterations_own(games, monkeypatch, what):
    games, starts = games
    monkeypatch.setattr(joint, "search", None)
    limits = {"watched": LIMITS._replace(disp=True), "short": LIMITS._replace(maxiter=3)}.get(what, LIMITS)
    if what == "large":
        monkeypatch.setattr(linear, "STORED", 100)
        monkeypatch.setattr(linear, "BLOCK", 32)
    if what == "a user's":
        model = hg.GAN(contaminated(1, 80, 0.0)[0], gumbel, SIGMOIDS, "hellinger", n_simulated=128)
        games, starts = posed(model, list(contaminated(1, 80, 0.0)), [0])
    one = programs.take(games, slice(0, 1))
    found, expected = (of(one, starts[:1], None, limits) for of in (joint.descend, newton.descend))
    np.testing.assert_array_equal(found.theta, expected.theta)


def test_a_start_without_a_model_ends_at_once(games):
    games, starts = games
    found = joint.search(games, np.full_like(starts, np.nan), np.zeros((20, 7)), np.full(20, 1e-9), np.zeros(20, bool))
    assert np.all(np.isinf(found.score_norm))
    assert np.all(found.iterations == 1)


def test_a_fit_of_one_is_that_of_a_group(games):
    games, starts = games
    whole = joint.descend(games, starts)
    alone = joint.descend(programs.take(games, slice(4, 5)), starts[4:5])
    np.testing.assert_allclose(alone.theta, whole.theta[4:5], rtol=1e-11)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("kind", ["gross errors", "own objective", "regression"])
def test_searches_in_lanes_are_those_one_by_one(kind):
    """What an accelerator runs: lanes that end at different times, retired and packed."""
    samples, generator, loss = GAMES[kind]
    model = hg.GAN(samples[0], generator, None if samples.ndim == 3 else SIGMOIDS, loss, n_simulated=128)
    games, starts = posed(model, list(samples), [0] * 20)
    begins = np.zeros((20, games.discriminator.size)), np.full(20, 1e-9), np.zeros(20, bool)
    expected, found = (of(games, starts, *begins) for of in (joint.search, joint.search_in_lanes))
    assert len(set(expected.iterations)) > 2
    np.testing.assert_array_equal(found.iterations, expected.iterations)
    arrived = expected.score_norm <= 1e-9
    for part in ("theta", "alpha", "value", "jacobian"):
        one, other = (np.asarray(getattr(of, part))[arrived] for of in (found, expected))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
