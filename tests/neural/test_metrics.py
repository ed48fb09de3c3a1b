"""Metrics on data whose answer is known: by hand, closed forms, identities, second routes; errors by simulation."""

from typing import Any

import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from tolerance import EXACT, assert_monte_carlo, mcse_mean, mcse_sd

import hellgan as hg
from hellgan.neural import metrics
from hellgan.neural.metrics import estimates, neighbours, two_samples

RNG = np.random.default_rng(0)
NO_FUNCTION: Any = 3


def normal(n, d=2, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (n, d))


# -- Fréchet distance -----------------------------------------------------------------------------------------------


def test_frechet_by_hand():
    """In one dimension (a - b)^2 + (s - t)^2; commuting covariances: by eigenvalues, 5 + (2-1)^2 + (3-4)^2."""
    assert metrics.gaussian_frechet(1.0, 4.0, 3.0, 9.0) == pytest.approx(4 + 1, rel=EXACT)
    found = metrics.gaussian_frechet([1, 0], np.diag([4.0, 9.0]), [0, 2], np.diag([1.0, 16.0]))
    assert found == pytest.approx(5 + 1 + 1, rel=EXACT)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    rotated = [turn @ np.diag(each) @ turn.T for each in ([4.0, 9.0], [1.0, 16.0])]
    found = metrics.gaussian_frechet(turn @ [1, 0], rotated[0], turn @ [0, 2], rotated[1])
    assert found == pytest.approx(7, rel=EXACT)


def test_frechet_against_matrix_square_roots():
    a, b = RNG.normal(size=(50, 6)) @ RNG.normal(size=(6, 6)), RNG.normal(size=(60, 6))
    A, B = np.cov(a.T), np.cov(b.T)
    between = np.trace(linalg.sqrtm(A @ B)).real
    wanted = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(A) + np.trace(B) - 2 * between
    assert float(metrics.frechet_distance(a, b, times=2)) == pytest.approx(wanted, rel=1e-9)


def test_frechet_of_singular_covariances():
    """Of a sample from itself 0, though one coordinate is constant; a shift s of all coordinates adds d s^2."""
    x = np.column_stack([normal(50, 3), np.ones(50)])
    assert float(metrics.frechet_distance(x, x, times=2)) == pytest.approx(0, abs=1e-7)  # a root of rounding
    assert float(metrics.frechet_distance(x, x + 0.5, times=2)) == pytest.approx(4 * 0.25, abs=1e-6)


@pytest.mark.montecarlo
def test_frechet_and_its_error_by_simulation():
    """Mean shift 1, twice the deviation: 2 (1 + 1); the bootstrap's error is the deviation over samples."""
    found = [
        metrics.frechet_distance(normal(400, seed=k), 1 + 2 * normal(400, seed=1000 + k), times=40, seed=k)
        for k in range(200)
    ]
    values = np.array([float(each) for each in found])
    assert_monte_carlo(values.mean(), 4.0, mcse_mean(values), resolution=0.15, bias=0.01)
    spread, errors = values.std(ddof=1), np.array([each.std_error for each in found])
    assert_monte_carlo(errors.mean(), spread, np.hypot(mcse_sd(values), mcse_mean(errors)), resolution=0.35 * spread)


# -- what a classifier says -----------------------------------------------------------------------------------------


def test_entropy_and_score_by_hand():
    """Two sure images of different classes: EE 0, LS 2. One unsure: EE log 2 / 2, LS exp(H(3/4, 1/4) - log 2 / 2)."""
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert float(metrics.expected_entropy(sure)) == 0
    assert float(metrics.inception_like_score(sure)) == pytest.approx(2, rel=EXACT)
    mixed = np.array([[1.0, 0.0], [0.5, 0.5]])
    shares = -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    assert float(metrics.expected_entropy(mixed)) == pytest.approx(np.log(2) / 2, rel=EXACT)
    assert float(metrics.inception_like_score(mixed)) == pytest.approx(np.exp(shares - np.log(2) / 2), rel=EXACT)


def test_score_at_its_ends():
    equal = np.eye(10)[np.arange(500) % 10]
    assert float(metrics.inception_like_score(equal)) == pytest.approx(10, rel=EXACT)
    assert float(metrics.inception_like_score(np.full((50, 10), 0.1))) == pytest.approx(1, rel=EXACT)
    collapsed = np.eye(10)[np.zeros(50, int)]
    assert float(metrics.inception_like_score(collapsed)) == pytest.approx(1, rel=EXACT)


def test_class_histogram():
    frame = metrics.class_histogram(np.eye(4)[[0, 0, 0, 2]])
    assert frame["share"].to_list() == [0.75, 0, 0.25, 0]
    assert frame.loc[0, "std_error"] == pytest.approx(np.sqrt(0.75 * 0.25 / 4), rel=EXACT)


def test_error_of_a_mean_is_the_usual_one():
    p = RNG.uniform(size=(2000, 1))
    found = metrics.expected_entropy(np.hstack([p, 1 - p]), times=2000)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    # the deviation of 2,000 bootstrap means varies by 1 / sqrt(4000) = 1.6 %
    assert found.std_error == pytest.approx(entropy.std() / np.sqrt(2000), rel=0.08)
    lower, upper = found.conf_int()
    assert upper - lower == pytest.approx(2 * 1.959964 * found.std_error, rel=1e-6)


# -- nearest neighbours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [3, 40])
def test_nearest_against_scikit_learn(d, monkeypatch):
    monkeypatch.setattr(neighbours, "_TILE", 500)  # many tiles
    x, y = normal(70, d, seed=1), normal(90, d, seed=2)
    distances, positions = NearestNeighbors(n_neighbors=3, algorithm="brute").fit(y).kneighbors(x)
    found = neighbours.nearest(x, y, 3)
    np.testing.assert_allclose(found[0], distances, rtol=1e-9)
    np.testing.assert_array_equal(found[1], positions)


def test_distance_to_the_nearest_by_hand():
    """From 0, 4 and 9 to 1 and 6: 1, 2 and 3; squares 1, 4 and 9."""
    x, y = np.array([[0.0], [4.0], [9.0]]), np.array([[1.0], [6.0]])
    assert float(metrics.nearest_neighbour_distance(x, y)) == pytest.approx(2, rel=EXACT)
    assert float(metrics.nearest_neighbour_distance(x, y, squared=True)) == pytest.approx(14 / 3, rel=EXACT)
    assert float(metrics.nearest_neighbour_distance(y, y)) == 0


def test_bytes_are_on_the_scale_of_one():
    x = np.array([[[0, 51]], [[255, 0]]], np.uint8)
    assert float(metrics.nearest_neighbour_distance(x, np.zeros((2, 2)))) == pytest.approx((0.2 + 1) / 2, rel=EXACT)


def test_precision_and_recall_by_hand():
    """Reference 0, 1, 10, 11, k = 1: balls of radius 1. Of .5, 2, 5, 6 two are inside; radii 1.5, 1.5, 1, 1."""
    x, reference = np.array([[0.5], [2.0], [5.0], [6.0]]), np.array([[0.0], [1.0], [10.0], [11.0]])
    found = metrics.precision_recall(x, reference, k=1)
    assert float(found.precision) == 0.5
    assert float(found.recall) == 0.5
    assert found.precision.std_error > 0.1


def test_precision_and_recall_of_missing_modes_and_of_others():
    """Half of the reference's modes: precise, half recalled. Modes beside the reference's: the reverse."""

    def modes(of, seed):
        rng = np.random.default_rng(seed)
        return np.concatenate([np.array([m, 0]) + rng.normal(0, 0.1, (400 // len(of), 2)) for m in of])

    some, all_of_them = modes((0, 5), 1), modes((0, 5, 10, 15), 2)
    found = metrics.precision_recall(some, all_of_them)
    assert (found.precision.value, found.recall.value) == (pytest.approx(1, abs=0.05), pytest.approx(0.5, abs=0.03))
    found = metrics.precision_recall(all_of_them, some)
    assert (found.precision.value, found.recall.value) == (pytest.approx(0.5, abs=0.03), pytest.approx(1, abs=0.05))


# -- the birthday test ----------------------------------------------------------------------------------------------


def test_birthday_by_hand():
    """Of five draws two are equal, one pair of ten: support 10."""
    found = metrics.birthday_test([[1.0], [2.0], [1.0], [3.0], [4.5]], shown=3)
    assert (found.pairs, found.support) == (1, pytest.approx(10, rel=EXACT))
    np.testing.assert_array_equal(found.closest, [[0, 2], [0, 1], [1, 2]])
    np.testing.assert_allclose(found.distances, [0, 1, 1], atol=EXACT)
    # s (s - 1) / 2 pairs, each a duplicate with probability 1/10: 1/2 where s (s - 1) / 20 = log 2
    assert found.batch * (found.batch - 1) / 20 == pytest.approx(np.log(2), rel=1e-9)
    assert metrics.birthday_test([[1.0], [2.0], [1.0], [3.0], [4.5]], within=1.0).pairs == 4


@pytest.mark.montecarlo
@pytest.mark.parametrize("points", [500, 5000])
def test_birthday_on_a_uniform_law_of_so_many_points(points):
    """1 / support is without bias 1 / N, and the intervals cover N; images of 40 values, in tiles."""
    at, inverse, covered = normal(points, 40, seed=3), [], []
    for k in range(60):
        drawn = at[np.random.default_rng(k).integers(0, points, 600)]
        found = metrics.birthday_test(drawn, within=1e-6, times=100, seed=k)
        inverse.append(points / found.support)
        covered.append(found.lower <= points <= found.upper)
    assert_monte_carlo(np.mean(inverse), 1.0, mcse_mean(inverse), resolution=0.15)
    assert np.mean(covered) > 0.85  # .95, less 3 binomial deviations


def test_birthday_without_duplicates():
    found = metrics.birthday_test(normal(200, 5))
    assert found.support == found.batch == found.upper == np.inf
    assert found.lower == pytest.approx(200 * 199 / 2 / 3, rel=EXACT)


def test_birthday_tiles_find_what_all_pairs_do(monkeypatch):
    x = normal(120, 20, seed=5)
    whole = metrics.birthday_test(x, within=4.0, shown=7)
    monkeypatch.setattr(neighbours, "_TILE", 300)
    tiled = metrics.birthday_test(x, within=4.0, shown=7)
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)[np.triu_indices(120, 1)]
    assert whole.pairs == tiled.pairs == np.sum(distances <= 4.0) > 7
    np.testing.assert_array_equal(whole.closest, tiled.closest)
    np.testing.assert_allclose(tiled.distances, np.sort(distances)[:7], rtol=1e-12)


# -- kernel sums ----------------------------------------------------------------------------------------------------


def test_mmd_by_hand():
    """Of 0, 1 and 0, 2 with s = 1: k(1) + k(2) - (k(0) + k(2) + k(1) + k(1)) / 2, k(u) = exp(-u^2 / 2)."""
    k = lambda u: np.exp(-(u**2) / 2)  # noqa: E731
    found = metrics.mmd([[0.0], [1.0]], [[0.0], [2.0]], bandwidth=1.0, permutations=1)
    assert float(found) == pytest.approx(k(1) + k(2) - (k(0) + k(2) + 2 * k(1)) / 2, rel=EXACT)


def test_mmd_of_normal_laws_in_closed_form():
    """N(0, I) and N(m, I): 2 (s^2 / (s^2 + 2))^(d/2) (1 - exp(-|m|^2 / (2 (s^2 + 2))))."""
    x, y = normal(3000, 2, seed=1), normal(3000, 2, 0.7, seed=2)
    found = metrics.mmd(x, y, bandwidth=1.5, permutations=19, times=50)
    wanted = 2 * (2.25 / 4.25) * (1 - np.exp(-2 * 0.49 / (2 * 4.25)))
    assert_monte_carlo(float(found), wanted, found.std_error, resolution=0.04)
    assert found.pvalue == 1 / 20


def test_mmd_tiles_and_several_bandwidths(monkeypatch):
    x, y = normal(40, seed=1), normal(50, 2, 0.5, seed=2)
    several = metrics.mmd(x, y, bandwidth=(0.5, 2.0), permutations=5, times=5)
    single = [float(metrics.mmd(x, y, bandwidth=s, permutations=1, times=2)) for s in (0.5, 2.0)]
    assert float(several) == pytest.approx(np.mean(single), rel=1e-10)
    monkeypatch.setattr(two_samples, "_TILE", 500)
    tiled = metrics.mmd(x, y, bandwidth=(0.5, 2.0), permutations=5, times=5)
    assert (tiled.value, tiled.std_error) == pytest.approx((several.value, several.std_error), rel=1e-10)


@pytest.mark.montecarlo
def test_mmd_of_halves_is_nothing():
    """Of one law: mean 0 without bias, and p-values at most .05 in a twentieth of samples."""
    found = [metrics.mmd(normal(60, seed=k), normal(60, seed=500 + k), permutations=39, times=2) for k in range(200)]
    values, small = np.array([float(each) for each in found]), np.array([each.pvalue <= 0.05 for each in found])
    assert_monte_carlo(values.mean(), 0.0, mcse_mean(values), resolution=0.01)
    assert_monte_carlo(small.mean(), 0.05, np.sqrt(0.05 * 0.95 / 200), resolution=0.08)


def test_jensen_shannon_at_equality():
    """The same sample twice: -log 4, and either half -log 2, to rounding."""
    found = metrics.jensen_shannon(normal(80), normal(80))
    assert [float(each) for each in found] == pytest.approx([-np.log(4), -np.log(2), -np.log(2)], rel=1e-9)
    halves = metrics.jensen_shannon(normal(400, seed=1), normal(400, seed=2))
    assert [float(each) for each in halves] == pytest.approx([-1.386, -0.693, -0.693], abs=0.02)


def test_jensen_shannon_is_the_package_s_objective():
    x, y = normal(60, seed=1), normal(70, 2, 0.8, seed=2)
    found, wanted = metrics.jensen_shannon(x, y, 0.6), hg.divergences.kernel_objective(x, y, bandwidth=0.6)
    parts = (wanted.value, wanted.real, wanted.simulated)
    assert [float(each) for each in found] == pytest.approx(parts, rel=EXACT)
    swapped = metrics.jensen_shannon(y, x, 0.6)
    assert float(swapped.real) == pytest.approx(wanted.simulated, rel=EXACT)


def test_halves_tell_missed_modes_from_others():
    """With p = f/2 + g/2 and q = f: half of log(1/3) and nothing, and log(2/3); two modes of 200 points each."""
    f, g = normal(200, seed=1), normal(200, 2, 20.0, seed=2)
    missed = metrics.jensen_shannon(np.concatenate([f, g]), f, 1.0)
    more = metrics.jensen_shannon(f, np.concatenate([f, g]), 1.0)
    assert [float(missed.real), float(missed.simulated)] == pytest.approx([np.log(1 / 3) / 2, np.log(2 / 3)], rel=1e-9)
    assert [float(more.real), float(more.simulated)] == pytest.approx([np.log(2 / 3), np.log(1 / 3) / 2], rel=1e-9)


@pytest.mark.montecarlo
def test_jensen_shannon_errors_are_deviations_over_samples():
    found = [metrics.jensen_shannon(normal(100, seed=k), normal(100, 2, 1.0, seed=900 + k), 0.8) for k in range(200)]
    for part in range(3):
        values = np.array([float(each[part]) for each in found])
        errors = np.array([each[part].std_error for each in found])
        spread = values.std(ddof=1)
        # to first order in 1/n, which at n = 100 is a tenth of it
        assert_monte_carlo(
            errors.mean(), spread, np.hypot(mcse_sd(values), mcse_mean(errors)), resolution=0.45 * spread,
            bias=0.1 * spread,
        )  # fmt: skip


# -- outliers -------------------------------------------------------------------------------------------------------


def test_share_of_outliers_with_errors_taken_out():
    """Overlapping laws: what is called is biased, what is corrected is not."""
    rng = np.random.default_rng(4)
    clean, bad = rng.normal(0, 1, (4000, 2)), rng.normal(1.2, 1, (4000, 2))
    x = np.concatenate([rng.normal(0, 1, (8000, 2)), rng.normal(1.2, 1, (2000, 2))])
    found = metrics.contaminated_share(x, clean, bad)
    assert_monte_carlo(found.value, 0.2, found.std_error, resolution=0.1)
    assert abs(found.called - 0.2) > 0.1
    assert 0.15 < found.false_alarms < 0.25 < 0.75 < found.detected
    assert np.mean(found.scores > 0) == found.called


def test_the_classifier_is_logistic_regression():
    rng = np.random.default_rng(5)
    clean, bad, x = rng.normal(0, 1, (300, 3)), rng.normal(1.5, 1.3, (300, 3)), rng.normal(size=(40, 3))
    found = metrics.contaminated_share(x, clean, bad, ridge=0.02, seed=7)
    halves = np.random.default_rng(7)
    train = [np.array_split(each[halves.permutation(300)], 2)[0] for each in (clean, bad)]
    z, y = np.concatenate(train), np.repeat([0, 1], 150)
    center, scale = z.mean(axis=0), z.std(axis=0)
    peer = LogisticRegression(C=1 / (300 * 0.02), tol=1e-10, max_iter=1000).fit((z - center) / scale, y)
    np.testing.assert_allclose(found.scores, peer.decision_function((x - center) / scale), atol=1e-3)


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: metrics.frechet_distance(np.ones((3, 2)), np.ones((3, 4))), "y: 4 coordinates, and x has 2"),
        (lambda: metrics.frechet_distance(np.ones((1, 2)), np.ones((3, 2))), "x: shape .1, 2.; give at least 2"),
        (lambda: metrics.frechet_distance(np.full((3, 2), np.nan), np.ones((3, 2))), "x: some values are NaN"),
        (lambda: metrics.frechet_distance(np.array(["a", "b"]), np.ones((3, 2))), "x: <U1; give numbers"),
        (
            lambda: metrics.frechet_distance(normal(9), normal(9), features=NO_FUNCTION),
            "features: got 3; give a function",
        ),
        (lambda: metrics.frechet_distance(normal(9), normal(9), lambda x: x[:3]), "features: they turn 9 observations"),
        (lambda: metrics.frechet_distance(normal(9), normal(9), times=1), "bootstrap: got 1"),
        (lambda: metrics.gaussian_frechet([0, 0], np.eye(2), [0], np.eye(1)), "means of shapes"),
        (lambda: metrics.expected_entropy(np.ones((5, 3))), "classifier: it gives numbers that are no probabilities"),
        (lambda: metrics.expected_entropy(np.ones((5, 3)), NO_FUNCTION), "classifier: got 3; give a LeNet"),
        (lambda: metrics.expected_entropy(np.ones(5)), "classifier: it gives shape .5,."),
        (lambda: metrics.precision_recall(normal(3), normal(9), k=3), "x: shape .3, 2.; give at least 4"),
        (lambda: metrics.birthday_test(normal(9), within=-1.0), "within: got -1.0; give a distance"),
        (lambda: metrics.mmd(normal(9), normal(9), bandwidth="wide"), "bandwidth: got nan; give 'median'"),
        (lambda: metrics.mmd(np.ones((9, 2)), np.ones((9, 2))), "bandwidth: half of the observations are equal"),
        (lambda: metrics.contaminated_share(normal(9), normal(50), normal(50, seed=1)), "contaminant: of it"),
    ],
)
def test_bad_arguments_are_told_in_one_sentence(call, said):
    with pytest.raises((ValueError, TypeError), match=f"^{said}.*") as error:
        call()
    assert str(error.value).count(". ") == 0
    assert str(error.value).endswith(".")


def test_resampled_counts_add_up():
    counts = estimates.resampled(50, 400, np.random.default_rng(0))
    assert np.all(counts.sum(axis=1) == 50)
    assert_monte_carlo(counts[:, 0].mean(), 1.0, mcse_mean(counts[:, 0]), resolution=0.3)
