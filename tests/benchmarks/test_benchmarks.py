"""The benchmarks compare like with like: every peer solves the equations that hellgan solves."""

import importlib
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

import hellgan as hg
from hellgan import objective

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SOLVER = 1e-8  # ten times the score norm at which the solver stops

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scripts():
    """The benchmark's two modules; importing them pins no threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("peers"), importlib.import_module("equations")


@pytest.fixture(scope="module", params=["root", "log"])
def game(request, scripts):
    """One data set with its fit; independent latents, whose standard errors are the ones that peers give."""
    peers, _ = scripts
    model = hg.GAN(peers.draw(3), hg.generators.Normal(), loss=request.param, latent="iid", n_simulated=1000)
    return model, model.fit()


@pytest.fixture
def problem(scripts, game):
    return scripts[0].problem_of(game[0])


def test_equations_in_numpy(scripts, game, problem):
    """Value and score are those of hellgan's objective, away from the root too, by automatic differentiation."""
    model, fit = game
    theta, alpha = fit.saddle.theta + np.array([0.1, -0.2]), fit.saddle.alpha * 0.7 + 0.05
    with jax.enable_x64(True):
        game = model.game()
        value = float(objective.objective(game, theta, alpha))
        score = np.asarray(objective.mean_score(game, theta, alpha))
    assert np.max(np.abs(score)) > 1e-3
    np.testing.assert_allclose(problem.value(theta, alpha), value, rtol=1e-12)
    np.testing.assert_allclose(problem.score(theta, alpha), score, atol=1e-12)
    assert problem.score_norm(scripts[1].Answer(theta, alpha)) == pytest.approx(np.max(np.abs(score)), rel=1e-9)
    assert problem.score_norm(scripts[0].answer_of(fit)) < SOLVER


def test_derivatives_in_numpy(scripts, problem):
    """Gradient and Hessian in alpha, and the rows of the score, against differences and the score itself."""
    rng = np.random.default_rng(1)
    theta, alpha = problem.theta + 0.1, rng.normal(size=17) / 4
    _, gradient, hessian = problem.in_alpha(theta, alpha)
    score = problem.score(theta, alpha)
    np.testing.assert_allclose(gradient, score[2:], atol=1e-12)
    direction, step = rng.normal(size=17), 1e-5
    slopes = [problem.score(theta, alpha + sign * step * direction)[2:] for sign in (1, -1)]
    # Truncation and rounding are both about 1e-10 of numbers of order 1.
    np.testing.assert_allclose(hessian @ direction, (slopes[0] - slopes[1]) / (2 * step), atol=1e-8)
    real, simulated = problem.rows(theta, alpha)
    mean = simulated.mean(axis=0) + np.concatenate([[0, 0], real.mean(axis=0) - 2 * problem.ridge * alpha])
    np.testing.assert_allclose(mean, score, atol=1e-12)


# Scores that each reaches; L-BFGS ends where rounding of the value hides the slope from its line searches.
@pytest.mark.parametrize(
    ("name", "score"),
    [("delicatessen", 1e-8), ("hybr", 1e-8), ("nested", 1e-7), ("stacked", 1e-8), ("lbfgs", 1e-6), ("torch", 1e-3)],
)
def test_peers_solve_the_same_equations(scripts, game, problem, name, score):
    """A peer's estimate is hellgan's, as far as its score norm s allows: to first order |A^-1| s, here twice that."""
    peers, equations = scripts
    if name == "torch":
        pytest.importorskip("torch", exc_type=ImportError)
    fit = {
        "delicatessen": equations.delicatessen,
        "hybr": lambda p: equations.delicatessen(p, "capprox", "hybr"),
        "nested": equations.nested,
        "stacked": equations.stacked,
        "lbfgs": lambda p: equations.nested(p, inner="lbfgs"),
        "torch": equations.torch_nested,
    }[name]
    ours = peers.answer_of(game[1])
    assert peers.distance(problem.theta, ours) > 0.1  # there is something to find
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer's own advice
        answer = fit(problem)
    norm = problem.score_norm(answer)
    assert norm < score
    per_score = np.sum(np.abs(np.linalg.inv(game[1].bread())), axis=1)[:2]
    assert np.all(np.abs(answer.theta - ours.theta) <= 2 * per_score * (norm + problem.score_norm(ours)))
    assert peers.distance(answer.theta, ours) < 0.05


def test_sandwiches_agree(scripts, game, problem):
    """With independent latents all three covariances of theta are the same, but for what each is known to leave out.

    Delicatessen does not centre its meat by sample: the mean mu of the real scores, -mu of the simulated ones, adds
    (1/n + 1/m) mu mu' to the covariance of the mean score. Theta does not feel it, the features having a constant.
    """
    peers, equations = scripts
    ours = peers.answer_of(game[1]).cov
    by_numpy = equations.nested(problem, with_errors=True).cov
    by_delicatessen = equations.delicatessen(problem, "capprox", "hybr").cov
    errors = np.sqrt(np.diag(ours))
    # Central differences with steps of 1e-6 are good to 1e-9 of numbers of order 1; A^-1 enlarges that.
    np.testing.assert_allclose((by_numpy - ours)[:3, :3] / np.outer(errors, errors)[:3, :3], 0, atol=1e-4)
    answer = peers.answer_of(game[1])
    real, _ = problem.rows(answer.theta, answer.alpha)
    mean = np.linalg.solve(game[1].bread(), np.concatenate([[0, 0], real.mean(axis=0)]))
    n, m = len(problem.x), len(problem.z)
    uncentred = (1 / n + 1 / m) * np.outer(mean, mean)
    relative = np.diag(uncentred) / np.diag(ours)
    assert np.all(relative[:2] < 1e-4)
    assert relative[2] > 5e-4
    # It divides by n and m, not by n - 1 and m - 1: 1/500; its differences with steps of 1e-9 are good to 1e-3.
    off = (by_delicatessen - ours - uncentred) / np.outer(errors, errors)
    np.testing.assert_allclose(off[:3, :3], 0, atol=5e-3)


def test_adam_arrives(scripts, game, problem):
    """Arrival is inside a tenth of a standard error, from a start outside, and counts its steps."""
    pytest.importorskip("torch", exc_type=ImportError)
    peers, equations = scripts
    ours = peers.answer_of(game[1])
    errors = np.sqrt(np.diag(ours.cov)[:2])
    run = equations.torch_adam(problem, ours.theta, errors, (0.01, 0.1), cap=3000)
    assert run.steps is not None
    assert run.steps > 1
    assert peers.distance(run.answer.theta, ours) <= 0.1
    given_up = equations.torch_adam(problem, ours.theta + 10 * errors, errors, (1e-6, 1e-6), cap=5)
    assert given_up.steps is None
    assert given_up.seconds is None


def test_problem_round_trip(scripts, problem, tmp_path):
    """What a fresh process of a peer reads is the same problem."""
    problem.save(tmp_path / "problem.npz")
    other = scripts[1].Problem.load(tmp_path / "problem.npz")
    np.testing.assert_array_equal(
        other.score(problem.theta, problem.alpha), problem.score(problem.theta, problem.alpha)
    )
