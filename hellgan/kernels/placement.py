"""What kernel, bandwidths and phi an estimator asks for, and what they are on a sample."""

import dataclasses
from typing import Any

import numpy as np

from hellgan.checks import checked_real, shown
from hellgan.kernels.bandwidths import bandwidth
from hellgan.kernels.compression import compression_of
from hellgan.kernels.shapes import SHAPES, Kernel

_LONGEST = 100  # stages


@dataclasses.dataclass(frozen=True)
class Placement:
    """Kernel, bandwidths and phi, as they are asked for.

    Attributes
    ----------
    value : str, float or tuple
        Of the bandwidth: a rule, a number, or one of each coordinate.
    stages : tuple of float or str
        Bandwidths of stages one after the other; empty where there is one.
    cooling : float
        The first stage's bandwidth over the last; each stage halves it.
    shape : str
    multiples : tuple of float
        Of the bandwidth: those of the components of which the kernel is the mean.
    phi : float or "auto"
    own_weight : float or None
        None: that which makes the noise bias vanish.
    compress : bool
        Whether tails are compressed, on the line.
    """

    value: str | float | tuple
    stages: tuple
    cooling: float
    shape: str
    multiples: tuple[float, ...]
    phi: float | str
    own_weight: float | None
    compress: bool

    @staticmethod
    def read(
        bandwidth: Any, kernel: Any, phi: Any, own_weight: Any, cooling: Any, compress: Any, d: int
    ) -> "Placement":
        """Read what a user gives; raises ``ValueError`` for what is none, but for rules and numbers of a bandwidth."""
        stages: tuple = ()
        is_row = isinstance(bandwidth, (list, tuple, np.ndarray)) and np.ndim(np.asarray(bandwidth, object)) == 1
        if is_row and (isinstance(bandwidth, list) or d == 1):
            stages = tuple(_plain(each) for each in bandwidth)
            if not 1 <= len(stages) <= _LONGEST:
                raise ValueError(f"bandwidth: got {shown(bandwidth)}; give 1 to {_LONGEST} of them.")
            bandwidth = stages[-1]
        shape, multiples = _read_kernel(kernel)
        if phi != "auto" or not isinstance(phi, str):
            phi = float(_at_least_zero("phi", phi, "a density of at least 0, or 'auto'"))
        if own_weight is not None:
            own_weight = float(_at_least_zero("own_weight", own_weight, "a number of at least 0, or None"))
        cooling = checked_real("cooling", cooling, "a number from 1 to 1e6", most=1e6)
        if cooling < 1 or (cooling > 1 and stages):
            advice = "a number from 1 to 1e6" if cooling < 1 else "either it or a list of bandwidths"
            raise ValueError(f"cooling: got {shown(cooling)}; give {advice}.")
        if not isinstance(compress, (bool, np.bool_)):
            raise TypeError(f"compress: got {shown(compress)}; give True or False.")
        compress = bool(compress) and d == 1
        return Placement(_plain(bandwidth), stages, cooling, shape, multiples, phi, own_weight, compress)

    def arguments(self) -> dict[str, Any]:
        """Give the arguments, by name, of which ``read`` makes the same."""
        return {
            "bandwidth": list(self.stages) or self.value,
            "kernel": self.shape if self.multiples == (1.0,) else self.multiples,
            "phi": self.phi,
            "cooling": self.cooling,
            "own_weight": self.own_weight,
            "compress": self.compress,
        }

    def compression(self, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Give the compression of a sample, (2,), or (0,) where there is none."""
        return compression_of(rows, weights) if self.compress else np.zeros(0)

    def placed(self, rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the bandwidths (s, k, d) and phi (s,) of each stage, for a sample of rows (n, d) and weights (n,)."""
        if self.stages:
            each = np.stack([bandwidth(stage, rows, weights) for stage in self.stages])
        else:
            count = int(np.ceil(np.log2(self.cooling) - 1e-9)) + 1
            factors = np.maximum(self.cooling * 0.5 ** np.arange(count), 1.0)
            each = factors[:, None] * bandwidth(self.value, rows, weights)
        bandwidths = each[:, None, :] * np.array(self.multiples)[None, :, None]
        if isinstance(self.phi, str):
            automatic = rows.shape[1] == 1
            n = 1 / np.sum(weights**2)
            phi = [Kernel(stage, self.shape).peak / n if automatic else 0.0 for stage in bandwidths]
        else:
            phi = [self.phi] * len(bandwidths)
        return bandwidths, np.array(phi, np.float64)

    def placed_each(self, samples: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
        """Give kernels, phi and compressions of the last stage, by name, for a stack of samples (R, n, d)."""
        placed = [self.placed(rows, weights) for rows in samples]
        return {
            "kernel": Kernel(np.stack([bandwidths[-1] for bandwidths, _ in placed]), self.shape),
            "phi": np.stack([phi[-1] for _, phi in placed]),
            "compression": np.stack([self.compression(rows, weights) for rows in samples]),
        }


def _plain(value) -> Any:
    """Turn a number, or numbers one for each coordinate, into what can be compared and hashed."""
    if isinstance(value, (list, tuple, np.ndarray)) and np.ndim(value):
        return tuple(np.asarray(value).tolist())
    return value.item() if isinstance(value, np.generic) else value


def _read_kernel(kernel) -> tuple[str, tuple[float, ...]]:
    advice = f"one of {', '.join(map(repr, SHAPES))}, or multiples of the bandwidth, such as [0.5, 1, 2]"
    if isinstance(kernel, str):
        if kernel not in SHAPES:
            raise ValueError(f"kernel: {shown(kernel)} is not known; give {advice}.")
        return kernel, (1.0,)
    if not isinstance(kernel, (list, tuple, np.ndarray)) or np.ndim(kernel) != 1 or not len(kernel):
        raise TypeError(f"kernel: got {shown(kernel)}; give {advice}.")
    return "gaussian", tuple(checked_real("kernel", each, advice, most=1e6) for each in kernel)


def _at_least_zero(name: str, value, advice: str) -> float:
    if value == 0 and not isinstance(value, bool):
        return 0.0
    return checked_real(name, value, advice)
