"""A table of the metrics of one sample of images."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hellgan.checks import checked_count, checked_seed
from hellgan.neural.lenet import LeNet, read_images
from hellgan.neural.metrics.classes import expected_entropy, inception_like_score
from hellgan.neural.metrics.frechet import frechet_distance
from hellgan.neural.metrics.neighbours import nearest_neighbour_distance, precision_recall
from hellgan.neural.metrics.two_samples import jensen_shannon, mmd

if TYPE_CHECKING:
    import pandas


def summary(
    x, reference, classifier: LeNet, *, pairwise: int = 2000, times: int = 50, seed: int = 0
) -> "pandas.DataFrame":
    """Compute what can be said of a sample of images beside real ones: a row a metric.

    Parameters
    ----------
    x, reference : images
        Bytes, or numbers from 0 to 1, (n, 28, 28) or (n, 784): the sample to judge, and real images.
    classifier : LeNet
        Whose features and probabilities are taken.
    pairwise : int
        Observations of either sample, drawn at random, for what needs all pairs: precision and recall, the maximum mean
        discrepancy and the Jensen-Shannon value.
    times : int
        Bootstrap samples for standard errors.
    seed : int

    Returns
    -------
    DataFrame
        ``value`` and ``std_error``, indexed by the metrics' names.
    """
    import pandas as pd

    a, b, k = read_images(x, "x"), read_images(reference, "reference"), checked_count("pairwise", pairwise, 10)
    rng, of = np.random.default_rng(checked_seed(seed)), classifier.features
    few_a, few_b = (each[rng.permutation(len(each))[:k]] for each in (a, b))
    how: dict[str, Any] = {"times": times, "seed": seed}
    divergence, support = jensen_shannon(few_b, few_a, seed=seed), precision_recall(few_a, few_b, of, **how)
    discrepancy = mmd(few_b, few_a, times=max(times, 2), seed=seed)
    found = {
        "FD": frechet_distance(a, b, of, **how),
        "EE": expected_entropy(a, classifier, **how),
        "ENN": nearest_neighbour_distance(a, b, **how),
        "LS": inception_like_score(a, classifier, **how),
        "JSD": divergence.value,
        "JSD-F": divergence.real,
        "JSD-S": divergence.simulated,
        "MMD": discrepancy,
        "precision": support.precision,
        "recall": support.recall,
    }
    rows = {name: (each.value, each.std_error) for name, each in found.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "std_error"]).rename_axis("metric")
