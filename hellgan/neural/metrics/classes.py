"""What a classifier says of a sample: entropy, score, shares of the classes."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hellgan.neural.metrics.estimates import Metric, bootstrap, read_probabilities

if TYPE_CHECKING:
    import pandas


def expected_entropy(x, classifier: Callable | None = None, *, times: int = 200, seed: int = 0) -> Metric:
    """Compute the mean entropy, in nats, of the classes' probabilities of single images (EE).

    Small where every image is clearly of one class, which says nothing of how the classes are shared out. A metric of
    Sinn and Rawat (2018).

    Parameters
    ----------
    x : images, or probabilities (n, k) where there is no ``classifier``
    classifier : LeNet or callable
        Turns images into probabilities (n, k).
    times : int
        Bootstrap samples for the standard error.
    seed : int

    Returns
    -------
    Metric
    """
    entropy = _entropies(read_probabilities(x, classifier))
    error = bootstrap(lambda counts: counts @ entropy / len(entropy), (len(entropy),), times, seed)
    return Metric(float(entropy.mean()), error, "expected entropy")


def inception_like_score(x, classifier: Callable | None = None, *, times: int = 200, seed: int = 0) -> Metric:
    """Compute the exponential of the mean divergence of an image's class probabilities from the classes' shares (LS).

    exp(mean KL(p(class | image) || p(class))), the score of Salimans et al. (2016) with a classifier of one's own:
    between 1 and the number of classes, which it reaches where every image is clearly of one class and all are equally
    frequent. It does not see whether images of a class differ from each other. Arguments as for ``expected_entropy``.
    """
    p = read_probabilities(x, classifier)
    entropy, n = _entropies(p), len(p)

    def score(counts):
        shares = counts @ p / n
        return float(np.exp(_entropies(shares[None])[0] - counts @ entropy / n))

    return Metric(score(np.ones(n)), bootstrap(score, (n,), times, seed), "inception-like score")


def class_histogram(x, classifier: Callable | None = None) -> "pandas.DataFrame":
    """Give the share of each class, by the most probable class of each image, with binomial standard errors.

    Parameters
    ----------
    x, classifier
        As for ``expected_entropy``.

    Returns
    -------
    DataFrame
        ``share`` and ``std_error``, a row a class.
    """
    import pandas as pd

    p = read_probabilities(x, classifier)
    share = np.bincount(np.argmax(p, axis=1), minlength=p.shape[1]) / len(p)
    frame = pd.DataFrame({"share": share, "std_error": np.sqrt(share * (1 - share) / len(p))})
    return frame.rename_axis("class")


def _entropies(p: np.ndarray) -> np.ndarray:
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)
