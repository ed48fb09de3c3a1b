"""The estimating equations of the default fit in NumPy, and how other packages solve them.

One game: x of size n against loc + scale z of size m, features 1 and q sigmoids that are already placed, a ridge, and
the loss ``log`` or ``root``. The unknowns are u = (loc, log scale, alpha). Nothing here imports hellgan or JAX, so
that a fresh process of a peer costs what it costs its users; each peer is imported by the function that needs it.

Every peer gets what hellgan has to find for itself: features placed, latents drawn, a robust start. For ``root``,
which is not concave in alpha, alpha = 0 is not a safe start (Newton's and quasi-Newton's steps from it may end at
another stationary point or at none), so that hellgan climbs ``log`` first. Peers get the end of that climb as their
start, outside the clock: the same start for all, and the same root.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.linalg import cholesky

TOLERANCE = 1e-8  # of the score, for every peer that takes one; hellgan itself stops at 1e-9


def _expit(v):
    return 1 / (1 + np.exp(-v))  # written so that Delicatessen's own derivatives pass through it


def _log_derivatives(v):
    s = _expit(-v)
    return -np.logaddexp(0, -v), s, -s * (1 - s)


def _root_derivatives(v):
    s = _expit(2 * v)
    root = s**0.5
    return root, root * (1 - s), root * (1 - s) * (1 - 3 * s)


# Loss -> real(v) with two derivatives, and the slope alone; fake(v) = real(-v) for both losses.
DERIVATIVES = {"log": _log_derivatives, "root": _root_derivatives}
SLOPES = {"log": lambda v: _expit(-v), "root": lambda v: _expit(2 * v) ** 0.5 * _expit(-2 * v)}


class Answer(NamedTuple):
    """What a peer found, with the covariance of u where it gives one."""

    theta: np.ndarray
    alpha: np.ndarray
    cov: np.ndarray | None = None


class Simulated(NamedTuple):
    """The simulated side at a theta."""

    noise: np.ndarray  # (m,) scale z, the derivative of the points in log scale
    features: np.ndarray  # (m, q + 1)
    slopes: np.ndarray  # (m, q) of the features but the constant, in x


@dataclasses.dataclass
class Problem:
    """A game with everything fixed but u = (loc, log scale, alpha).

    Attributes
    ----------
    loss : str
        ``log`` or ``root``.
    x, z : (n,) and (m,) arrays
        Sample and latent points.
    center, scale : float
        Of the standardisation.
    knots, widths : (q,) arrays
        Of the sigmoids expit((t - knot) / width) - 1/2 of the standardised data.
    ridge : (q + 1,) array
    theta : (2,) array
        Start.
    alpha : (q + 1,) array, optional
        Start; 0 for ``log`` and the maximum of ``log`` at ``theta`` for ``root``, unless given.
    """

    loss: str
    x: np.ndarray
    z: np.ndarray
    center: float
    scale: float
    knots: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray
    theta: np.ndarray
    alpha: np.ndarray = None  # type: ignore[assignment]  # filled in by __post_init__

    def __post_init__(self):
        self._factor = 0.5 / (self.scale * self.widths)
        self._shift = 0.5 * (self.center / self.scale + self.knots) / self.widths
        self._kept = None
        self.real = self._features(self.x)[0]
        if self.alpha is None:
            self.alpha = np.zeros(self.knots.size + 1)
            if self.loss != "log":
                self.alpha = climb(self, self.theta, self.alpha, loss="log")[0]
                self._kept = None

    def save(self, path) -> None:
        """Write to an ``.npz`` file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)})

    @staticmethod
    def load(path) -> "Problem":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        return Problem(**{name: value.item() if value.ndim == 0 else value for name, value in values.items()})

    def _features(self, x):
        tanh = np.tanh(x[:, None] * self._factor - self._shift)
        return np.concatenate([np.ones((len(x), 1)), 0.5 * tanh], axis=1), tanh

    def simulate(self, theta) -> Simulated:
        """Simulated points and features; the last are kept, since most calls move alpha alone."""
        plain = np.asarray(theta).dtype != object  # Delicatessen's pairs of value and derivative are objects
        if plain and self._kept is not None and np.array_equal(self._kept[0], theta):
            return self._kept[1]
        noise = np.exp(theta[1]) * self.z
        phi, tanh = self._features(theta[0] + noise)
        here = Simulated(noise, phi, 0.5 * self._factor * (1 - tanh**2))
        if plain:
            self._kept = (np.array(theta), here)
        return here

    def value(self, theta, alpha) -> float:
        """The objective, ridge included."""
        real = DERIVATIVES[self.loss]
        fake = real(-(self.simulate(theta).features @ alpha))[0]
        return real(self.real @ alpha)[0].mean() + fake.mean() - self.ridge @ alpha**2

    def rows(self, theta, alpha):
        """Scores of the single observations, ridge apart: (n, q + 1) and (m, p + q + 1)."""
        noise, phi, slopes = self.simulate(theta)
        slope = SLOPES[self.loss]
        fake = -slope(-(phi @ alpha))
        d_loc = fake * (slopes @ alpha[1:])
        real = slope(self.real @ alpha)[:, None] * self.real
        return real, np.concatenate([np.stack([d_loc, d_loc * noise], axis=1), fake[:, None] * phi], axis=1)

    def score(self, theta, alpha) -> np.ndarray:
        """The stacked estimating function (p + q + 1,): both players' scores, ridge included."""
        noise, phi, slopes = self.simulate(theta)
        slope = SLOPES[self.loss]
        fake = -slope(-(phi @ alpha)) / len(phi)
        d_loc = fake * (slopes @ alpha[1:])
        d_alpha = slope(self.real @ alpha) @ self.real / len(self.x) + fake @ phi - 2 * self.ridge * alpha
        return np.concatenate([[np.sum(d_loc), d_loc @ noise], d_alpha])

    def score_norm(self, answer: Answer) -> float:
        """The largest element of the score: the accuracy that every table gives."""
        self._kept = None
        return float(np.max(np.abs(self.score(answer.theta, answer.alpha))))

    def in_alpha(self, theta, alpha, loss=None):
        """Value, gradient and Hessian in alpha."""
        derivatives = DERIVATIVES[loss or self.loss]
        phi = self.simulate(theta).features
        real, fake = derivatives(self.real @ alpha), derivatives(-(phi @ alpha))
        n, m = len(self.x), len(phi)
        value = real[0].mean() + fake[0].mean() - self.ridge @ alpha**2
        gradient = real[1] @ self.real / n - fake[1] @ phi / m - 2 * self.ridge * alpha
        hessian = (self.real * (real[2] / n)[:, None]).T @ self.real + (phi * (fake[2] / m)[:, None]).T @ phi
        return value, gradient, hessian - np.diag(2 * self.ridge)


def climb(problem: Problem, theta, alpha, loss=None, tolerance=TOLERANCE / 100):
    """Maximise over alpha by Newton's method, damped where the Hessian or the value asks for it: alpha, value."""
    damping = 0.0
    value, gradient, hessian = problem.in_alpha(theta, alpha, loss)
    for _ in range(100):
        if np.max(np.abs(gradient)) < tolerance or damping > 1e8:
            break
        try:
            cholesky(damping * np.eye(alpha.size) - hessian)
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-6)
            continue
        trial = alpha + np.linalg.solve(damping * np.eye(alpha.size) - hessian, gradient)
        new = problem.in_alpha(theta, trial, loss)
        if new[0] >= value - 1e-13:
            (value, gradient, hessian), alpha, damping = new, trial, 0.0
        else:
            damping = max(10 * damping, 1e-6)
    return alpha, value


def sandwich(problem: Problem, theta, alpha) -> np.ndarray:
    """The sandwich of u by NumPy: differences in theta alone, the rest analytic; latents taken as independent."""
    p = theta.size
    slopes = []
    for k in range(p):
        step = np.zeros(p)
        step[k] = 1e-6
        slopes.append((problem.score(theta + step, alpha) - problem.score(theta - step, alpha)) / 2e-6)
    bread = np.empty((p + alpha.size, p + alpha.size))
    bread[:, :p] = np.transpose(slopes)
    bread[:p, p:] = bread[p:, :p].T  # a zero-sum game
    bread[p:, p:] = problem.in_alpha(theta, alpha)[2]
    real, simulated = problem.rows(theta, alpha)
    meat = np.cov(simulated, rowvar=False) / len(simulated)
    meat[p:, p:] += np.cov(real, rowvar=False) / len(real)
    return np.linalg.solve(bread, np.linalg.solve(bread, meat).T).T


# The peers.


def delicatessen(problem: Problem, deriv="approx", solver="lm") -> Answer:
    """``MEstimator`` on the stacked equations, its sandwich included.

    It knows one sample, so that the n + m rows are stacked, each scaled by (n + m)/n or (n + m)/m, which makes its mean
    the score. Its meat is the raw second moment, not centred by sample: the means of the two samples' scores, about
    +-real'(0) E features, stay in it. With a constant among the features that leaves the variance of theta alone and
    inflates that of the intercept, here by a thousandth. It takes latents as independent.
    """
    from delicatessen import MEstimator

    n, m = len(problem.x), len(problem.z)
    p = problem.theta.size
    ridge = np.concatenate([np.zeros(p), 2 * problem.ridge])

    def psi(theta):
        real, simulated = problem.rows(theta[:p], theta[p:])
        simulated = simulated * ((n + m) / m)
        rows = np.empty((p + real.shape[1], n + m), simulated.dtype)
        rows[:p, :n] = 0.0
        rows[p:, :n] = real.T * ((n + m) / n)
        rows[:, n:] = simulated.T
        return rows - (ridge * theta)[:, None]

    estimator = MEstimator(psi, init=np.concatenate([problem.theta, problem.alpha]))
    with np.errstate(over="ignore"):
        estimator.estimate(solver=solver, deriv_method=deriv, tolerance=TOLERANCE)
    u = np.asarray(estimator.theta)
    return Answer(u[:p], u[p:], np.asarray(estimator.variance))


def nested(problem: Problem, inner="newton", with_errors=False) -> Answer:
    """``scipy.optimize``: BFGS over theta, the inner maximum warm-started, its slope by the envelope theorem.

    The inner problem is a penalised logistic regression for the loss ``log``; it is solved by Newton's method in NumPy
    or by scipy's L-BFGS-B.
    """
    from scipy import optimize

    alpha = problem.alpha

    def profile(theta):
        nonlocal alpha
        if inner == "newton":
            alpha, value = climb(problem, theta, alpha)
        else:
            found = optimize.minimize(
                lambda a: tuple(-part for part in problem.in_alpha(theta, a)[:2]),
                alpha,
                jac=True,
                method="L-BFGS-B",
                options={"gtol": TOLERANCE / 10, "ftol": 0.0, "maxiter": 2000, "maxcor": 20},
            )
            alpha, value = found.x, -found.fun
        return value, problem.score(theta, alpha)[: theta.size]

    theta = optimize.minimize(profile, problem.theta, jac=True, method="BFGS", options={"gtol": TOLERANCE}).x
    alpha, _ = climb(problem, theta, alpha) if inner == "newton" else (alpha, 0.0)
    return Answer(theta, alpha, sandwich(problem, theta, alpha) if with_errors else None)


def stacked(problem: Problem) -> Answer:
    """``scipy.optimize.root`` (Levenberg-Marquardt, its own differences) on the stacked equations, no sandwich."""
    from scipy import optimize

    p = problem.theta.size
    u = np.concatenate([problem.theta, problem.alpha])
    with np.errstate(over="ignore"):
        found = optimize.root(lambda u: problem.score(u[:p], u[p:]), u, method="lm", tol=TOLERANCE)
    return Answer(found.x[:p], found.x[p:])


class _Torch:
    """The game in PyTorch, in double precision on one thread."""

    def __init__(self, problem: Problem):
        import torch  # pyright: ignore[reportMissingImports]

        torch.set_num_threads(1)
        self.torch, self.problem = torch, problem
        self.real, self.z, self.ridge, self.factor, self.shift = (
            torch.tensor(a, dtype=torch.float64)
            for a in (problem.real, problem.z, problem.ridge, problem._factor, problem._shift)
        )
        self.theta, self.alpha = (
            torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (problem.theta, problem.alpha)
        )

    def features(self, theta):
        x = theta[0] + self.torch.exp(theta[1]) * self.z
        values = 0.5 * self.torch.tanh(x[:, None] * self.factor - self.shift)
        return self.torch.cat([self.torch.ones_like(x)[:, None], values], dim=1)

    def earned(self, v):
        log_sigmoid = self.torch.nn.functional.logsigmoid
        return log_sigmoid(v) if self.problem.loss == "log" else self.torch.exp(0.5 * log_sigmoid(2 * v))

    def fake(self, features, alpha):
        return self.earned(-(features @ alpha)).mean()

    def value(self, features, alpha):
        return self.earned(self.real @ alpha).mean() + self.fake(features, alpha) - self.ridge @ alpha**2

    def answer(self) -> Answer:
        return Answer(self.theta.detach().numpy().copy(), self.alpha.detach().numpy().copy())


def torch_nested(problem: Problem) -> Answer:
    """PyTorch: L-BFGS over theta and, inside it, over alpha, with its strong Wolfe search; autograd, no sandwich."""
    game = _Torch(problem)
    optimiser = game.torch.optim.LBFGS
    wanted = {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-14, "history_size": 20}

    def solve_inner():
        phi = game.features(game.theta).detach()
        inner = optimiser([game.alpha], max_iter=500, tolerance_grad=TOLERANCE / 10, **wanted)

        def closure():
            inner.zero_grad()
            loss = -game.value(phi, game.alpha)
            loss.backward()
            return loss

        inner.step(closure)

    outer = optimiser([game.theta], max_iter=100, tolerance_grad=TOLERANCE, **wanted)

    def profile():
        solve_inner()
        outer.zero_grad()
        value = game.value(game.features(game.theta), game.alpha.detach())
        value.backward()
        return value

    outer.step(profile)
    solve_inner()
    return game.answer()


class Descent(NamedTuple):
    """An alternating run: where it ended, steps and seconds to its goal, None where it never got there."""

    answer: Answer
    steps: int | None
    seconds: float | None


def torch_adam(problem: Problem, goal, errors, rates=(0.01, 0.1), cap=20_000, share=0.1, stay=100) -> Descent:
    """PyTorch: Adam steps in turns, as a GAN is usually trained, on the whole sample each time.

    Parameters
    ----------
    problem : Problem
    goal, errors : (p,) arrays
        The estimate and its standard errors.
    rates : pair of float
        Learning rates of theta and alpha.
    cap : int
        Steps after which it is given up.
    share, stay : float, int
        The run has arrived once every parameter is within ``share`` of a standard error of the goal and stays there
        for ``stay`` steps, which are not counted.
    """
    import time

    game = _Torch(problem)
    adam = game.torch.optim.Adam
    generator, discriminator = adam([game.theta], lr=rates[0]), adam([game.alpha], lr=rates[1])
    arrived, start = None, time.perf_counter()
    for step in range(cap + stay):
        discriminator.zero_grad()
        (-game.value(game.features(game.theta.detach()), game.alpha)).backward()
        discriminator.step()
        generator.zero_grad()
        game.fake(game.features(game.theta), game.alpha.detach()).backward()
        generator.step()
        theta = game.theta.detach().numpy()
        if not np.all(np.abs(theta - goal) <= share * errors):
            arrived = None
            if step >= cap or not np.all(np.isfinite(theta)):
                break
        elif arrived is None:
            arrived = step + 1, time.perf_counter() - start, game.answer()
        elif step - arrived[0] >= stay:
            break
    if arrived is None:
        return Descent(game.answer(), None, None)
    return Descent(arrived[2], arrived[0], arrived[1])


def likelihood(problem: Problem) -> Answer:
    """Maximum likelihood of the normal law by ``scipy.optimize.minimize`` with its inverse Hessian: a yardstick.

    Another estimator, without a discriminator; alpha is where it started. ``scipy.stats.norm.fit`` is a closed form of
    this one family, so that a numerical search is what compares.
    """
    from scipy import optimize, stats

    def negative(theta):
        return -np.mean(stats.norm.logpdf(problem.x, theta[0], np.exp(theta[1])))

    found = optimize.minimize(negative, problem.theta, method="BFGS")
    return Answer(found.x, problem.alpha, found.hess_inv / len(problem.x))
