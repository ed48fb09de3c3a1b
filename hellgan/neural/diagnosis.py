"""What may be wrong with a run: numbers that are no longer finite, a discriminator that sees through it, collapse."""

import numpy as np

_ROWS, _QUANTILE = 512, 0.01
COLLAPSED = 0.1  # share of near pairs, ten times that of the data, above which a warning is given
_STUCK, _RECORDS = 0.999, 10  # an accuracy, and for how many records


def near_duplicates(sample: np.ndarray, data: np.ndarray, seed: int = 0) -> float:
    """Share of the pairs of a sample that are nearer to each other than 99 % of the pairs of the data are.

    Near .01 where the sample varies as the data do, 1 where all is one point. Of either at most 512 rows count.
    """
    rng = np.random.default_rng([0xD1, seed])
    own, theirs = (_distances(_some(rows, rng)) for rows in (sample, data))
    # A quantile of 0 is that of discrete data, whose pairs often coincide.
    return float(np.mean(own <= np.quantile(theirs, _QUANTILE)))


def _some(rows: np.ndarray, rng) -> np.ndarray:
    rows = np.asarray(rows, np.float64).reshape(len(rows), -1)
    return rows if len(rows) <= _ROWS else rows[rng.choice(len(rows), _ROWS, replace=False)]


def _distances(rows: np.ndarray) -> np.ndarray:
    """Squared distances of all pairs."""
    rows = rows - rows.mean(axis=0)
    squares = np.sum(rows**2, axis=1)
    table = squares[:, None] + squares[None] - 2 * rows @ rows.T
    return np.maximum(table[np.triu_indices(len(rows), 1)], 0.0)


def is_stuck(accuracies: np.ndarray) -> bool:
    """Whether accuracies (R, 2) on both samples have been all but 1 in the last tenth of the records, at least ten."""
    last = max(_RECORDS, len(accuracies) // 10)
    return len(accuracies) >= last and bool(np.all(accuracies[-last:] > _STUCK))


def troubles(history: np.ndarray, near: float, names: tuple[str, ...]) -> list[str]:
    """List in words what is wrong with a model.

    Parameters
    ----------
    history : (R, k) array
        Its records, the columns of which are ``names``.
    near : float
        ``near_duplicates`` of a sample; NaN where there is none.
    names : tuple of str
    """
    found = []
    if len(history) and not np.all(np.isfinite(history[-1, [names.index(n) for n in ("value", "generator_loss")]])):
        at = int(np.argmax(~np.isfinite(history[:, names.index("value")])))
        step = int(history[at, 0])
        return [
            f"its numbers are no longer finite by step {step:,}; give a lower rate, spectral_norm=True or a penalty"
        ]
    if is_stuck(history[:, [names.index("accuracy_real"), names.index("accuracy_simulated")]]):
        found.append(
            "the discriminator has told all observations apart for long, and the generator may learn nothing from it; "
            "give noise, r1, spectral_norm=True or a non-saturating loss"
        )
    if near > COLLAPSED:
        found.append(
            f"{near:.0%} of the pairs of a sample are nearer to each other than 99 % of the pairs of the data, as of a "
            "generator that has collapsed; give noise, or a Mixture"
        )
    return found
