"""The share of a sample that is contaminated, by a classifier of clean against contaminated observations."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hellgan.checks import checked_real, checked_seed
from hellgan.neural.metrics.estimates import bootstrap, read_rows

_LEAST = 20  # observations of a training sample
_STEPS = 200  # of L-BFGS


@dataclasses.dataclass(frozen=True, eq=False)
class ContaminatedShare:
    """The share of a sample that a classifier takes for contaminated; ``float`` gives the corrected share.

    Attributes
    ----------
    value : float
        The share with the classifier's errors taken out, (called - false alarms) / (detected - false alarms), between
        0 and 1.
    std_error : float
        By the bootstrap, of the sample and of what the errors are measured on.
    called : float
        The share that the classifier calls contaminated.
    false_alarms, detected : float
        The shares of clean and of contaminated observations, kept out of training, that it calls contaminated.
    scores : (n,) array
        Log odds of being contaminated, of each observation.
    """

    value: float
    std_error: float
    called: float
    false_alarms: float
    detected: float
    scores: np.ndarray

    def __float__(self):
        return self.value


def contaminated_share(
    x,
    clean,
    contaminant,
    features: Callable | None = None,
    *,
    ridge: float = 1e-3,
    times: int = 200,
    seed: int = 0,
) -> ContaminatedShare:
    """Estimate which share of a sample is contaminated, from examples of what is clean and of what is not.

    A logistic regression on standardised features is trained on one half of the examples; how often it errs is measured
    on the other, and taken out of the share. What is neither clean nor contaminated, such as a torn image, goes to the
    side that it is more like.

    Parameters
    ----------
    x, clean, contaminant : arrays of observations
        The sample to judge, and examples.
    features : callable, optional
        Turns a sample into features (n, d); the observations themselves unless given.
    ridge : float
        Penalty of the coefficients.
    times : int
        Bootstrap samples for the standard error.
    seed : int

    Returns
    -------
    ContaminatedShare

    Raises
    ------
    ValueError
        Where the classifier does not tell the examples apart, or for other bad input.
    """
    rows = read_rows(x, "x", features)
    parts = [
        read_rows(each, name, features, 2 * _LEAST) for each, name in ((clean, "clean"), (contaminant, "contaminant"))
    ]
    if not rows.shape[1] == parts[0].shape[1] == parts[1].shape[1]:
        raise ValueError("x: its observations have another number of values than the examples; give the same kind.")
    ridge, rng = checked_real("ridge", ridge, "a positive number"), np.random.default_rng(checked_seed(seed))
    halves = [np.array_split(each[rng.permutation(len(each))], 2) for each in parts]
    score = logistic(halves[0][0], halves[1][0], ridge)
    scores, of_clean, of_contaminant = score(rows), score(halves[0][1]) > 0, score(halves[1][1]) > 0
    called = scores > 0

    def share(sample, good, bad):
        rates = [counts @ each / counts.sum() for counts, each in ((good, of_clean), (bad, of_contaminant))]
        apart = max(rates[1] - rates[0], 1e-3)
        return float(np.clip((sample @ called / sample.sum() - rates[0]) / apart, 0, 1))

    false_alarms, detected = float(of_clean.mean()), float(of_contaminant.mean())
    if detected - false_alarms < 0.5:
        raise ValueError(
            f"contaminant: of it {detected:.0%} are called contaminated, and of what is clean {false_alarms:.0%}; give "
            "features, or more examples, by which they can be told apart."
        )
    ones = np.ones(len(rows)), np.ones(len(of_clean)), np.ones(len(of_contaminant))
    error = bootstrap(share, (len(rows), len(of_clean), len(of_contaminant)), times, seed)
    return ContaminatedShare(share(*ones), error, float(called.mean()), false_alarms, detected, scores)


def logistic(clean: np.ndarray, contaminant: np.ndarray, ridge: float) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a logistic regression on standardised features (n, d), either side of equal weight.

    Returns the function that gives the log odds of being contaminated, (n,), of features.
    """
    from scipy import optimize, special

    x, y = np.concatenate([clean, contaminant]), np.repeat([0.0, 1.0], [len(clean), len(contaminant)])
    weights = np.where(y > 0, 0.5 / len(contaminant), 0.5 / len(clean))
    center, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 1e-6, spread, np.inf)  # what does not vary says nothing

    def design(rows):
        return np.clip((rows - center) / scale, -8, 8)

    z = design(x)

    def objective(beta):
        odds = z @ beta[1:] + beta[0]
        loss = weights @ (np.logaddexp(0, odds) - y * odds) + ridge * beta[1:] @ beta[1:] / 2
        slope = weights * (special.expit(odds) - y)
        return loss, np.concatenate([[slope.sum()], z.T @ slope + ridge * beta[1:]])

    start = np.zeros(z.shape[1] + 1)
    beta = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    return lambda rows: design(rows) @ beta[1:] + beta[0]
