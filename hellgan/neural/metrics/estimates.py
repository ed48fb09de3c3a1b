"""What a metric is: a value with its standard error; how samples are read, and drawn again."""

import dataclasses
from collections.abc import Callable

import numpy as np

from hellgan.checks import checked_count, checked_seed, normal_quantile, shown


@dataclasses.dataclass(frozen=True)
class Metric:
    """A number computed from samples; ``float`` gives its value.

    Attributes
    ----------
    value : float
    std_error : float
        What the value varies by from sample to sample of this size, estimated from the sample itself.
    name : str
    """

    value: float
    std_error: float
    name: str

    def __float__(self):
        return self.value

    def __repr__(self):
        return f"<{self.name} {self.value:.5g}, std. error {self.std_error:.2g}>"

    def conf_int(self, alpha: float = 0.05) -> tuple[float, float]:
        """Compute the normal interval of level 1 - alpha."""
        half = normal_quantile(alpha) * self.std_error
        return self.value - half, self.value + half


def read_rows(x, name: str, features: Callable | None = None, least: int = 2) -> np.ndarray:
    """Read a sample as rows (n, d), float64: bytes are divided by 255, other axes than the first made one.

    ``features`` is called on the sample as it is given, and gives (n, d) in its place.
    """
    found = np.asarray(x)
    if features is not None:
        if not callable(features):
            raise TypeError(f"features: got {shown(features)}; give a function of a sample, such as LeNet's features.")
        size = len(found) if found.ndim else 0
        found = np.asarray(features(x))
        if found.ndim != 2 or len(found) != size:
            raise ValueError(f"features: they turn {size} observations into shape {found.shape}; give (n, d).")
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name}: {found.dtype}; give numbers.")
    scale = 1 / 255 if found.dtype == np.uint8 else 1.0
    found = found.reshape(len(found), -1).astype(np.float64) * scale if found.ndim else found
    if found.ndim != 2 or len(found) < least or not found.shape[1]:
        raise ValueError(
            f"{name}: shape {np.shape(x)}; give at least {least} observations, the first axis being theirs."
        )
    if not np.all(np.isfinite(found)):
        raise ValueError(f"{name}: some values are NaN or infinite; drop these observations.")
    return found


def read_pair(
    x, y, features: Callable | None = None, names=("x", "y"), least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Read two samples of the same coordinates."""
    a, b = read_rows(x, names[0], features, least), read_rows(y, names[1], features, least)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"{names[1]}: {b.shape[1]} coordinates, and {names[0]} has {a.shape[1]}; give the same.")
    return a, b


def read_probabilities(x, classifier) -> np.ndarray:
    """Probabilities (n, k) that a classifier gives of a sample, or the sample itself where there is no classifier."""
    found = x
    if classifier is not None:
        found = getattr(classifier, "probabilities", classifier)
        if not callable(found):
            raise TypeError(
                f"classifier: got {shown(classifier)}; give a LeNet, or a function that gives probabilities."
            )
        found = found(x)
    p = np.asarray(found, np.float64)
    if p.ndim != 2 or len(p) < 2 or p.shape[1] < 2:
        raise ValueError(f"classifier: it gives shape {p.shape}; give probabilities (n, k) of at least two classes.")
    if not (np.all(p >= 0) and np.allclose(p.sum(axis=1), 1, rtol=0, atol=1e-4)):
        raise ValueError("classifier: it gives numbers that are no probabilities; each row must sum to 1.")
    return p / p.sum(axis=1, keepdims=True)


def resampled(n: int, times: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of n observations is in samples drawn from them, with replacement: (times, n)."""
    return np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(times)]).astype(np.float64)


def bootstrap(statistic: Callable, sizes: tuple[int, ...], times: int, seed: int) -> float:
    """Bootstrap the standard error of ``statistic(*counts)``, a function of how often each observation counts.

    The samples, of these ``sizes``, are drawn again independently of each other.
    """
    times, rng = checked_count("bootstrap", times, least=2), np.random.default_rng(checked_seed(seed))
    draws = [resampled(n, times, rng) for n in sizes]
    return float(np.std([statistic(*counts) for counts in zip(*draws, strict=True)], ddof=1))
