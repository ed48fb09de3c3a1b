"""How a sample departs from its model: foreign observations in place of some of its own, or dependence among them."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from scipy import special

from hellgan.checks import checked_real, shown


@dataclasses.dataclass(frozen=True)
class Contamination(abc.ABC):
    """A share ``eps`` of the observations is replaced by foreign ones; abstract.

    Attributes
    ----------
    eps : float
        Share of foreign observations, in [0, 1).
    binomial : bool
        Whether each observation is replaced with probability ``eps``, so that their number is random; else
        ``round(eps n)`` of them are, at random positions.

    Raises
    ------
    ValueError
        For numbers that make no law, or do not have the dimension of the data that are contaminated.
    """

    eps: float
    _single: ClassVar[tuple[str, ...]] = ()  # arguments that are one number, not one for each coordinate

    def __post_init__(self):
        if not isinstance(binomial := getattr(self, "binomial", False), bool):
            raise TypeError(f"binomial: got {shown(binomial)}; give True or False.")
        if isinstance(self.eps, bool) or not isinstance(self.eps, (int, float, np.number)) or not 0 <= self.eps < 1:
            raise ValueError(f"eps: got {shown(self.eps)}; give the share of foreign observations, 0 <= eps < 1.")
        for name in self._single:
            if np.ndim(value := getattr(self, name)):
                raise ValueError(f"{name}: got {shown(value)}; {type(self).__name__} needs one number.")
        for name in ("at", "loc", "low", "high", "response"):
            _check(self, name, np.isfinite, "finite numbers")
        _check(self, "scale", lambda scale: (scale >= 0) & (scale < np.inf), "non-negative numbers")
        _check(self, "df", lambda df: df > 0, "positive degrees of freedom")

    @property
    def share(self) -> float:
        """The share of foreign observations."""
        return float(self.eps)

    @property
    def label(self) -> str:
        """A short text for tables: the name with what differs from the defaults."""
        parts = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or not np.array_equal(value, field.default):
                parts.append(f"{field.name}={_short(value)}")
        return f"{type(self).__name__}({', '.join(parts)})"

    def uniforms(self, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change the uniform draws (n, k) that the sample will be made of."""
        return u

    def apply(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replace observations of a sample (n,) or (n, d)."""
        n = len(x)
        count = rng.binomial(n, self.eps) if getattr(self, "binomial", False) else round(self.eps * n)
        rows = rng.permutation(n)[:count]
        x = x.copy()
        x[rows] = self.foreign(x[rows], rng)
        return x

    @abc.abstractmethod
    def foreign(self, replaced: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw as many observations as are replaced, of their shape."""


@dataclasses.dataclass(frozen=True)
class PointMass(Contamination):
    """All foreign observations lie at one point, ``at``: a number, or one for each coordinate."""

    at: float | Sequence[float]
    binomial: bool = False

    def foreign(self, replaced, rng):
        return _centred(self.at, replaced, "at")


@dataclasses.dataclass(frozen=True)
class Cluster(Contamination):
    """Foreign observations are normal with mean ``loc`` and deviation ``scale``, each a number or one a coordinate."""

    loc: float | Sequence[float]
    scale: float | Sequence[float] = 1.0
    binomial: bool = False

    def foreign(self, replaced, rng):
        scale = _centred(self.scale, replaced, "scale")
        return _centred(self.loc, replaced, "loc") + scale * rng.standard_normal(replaced.shape)


@dataclasses.dataclass(frozen=True)
class Spread(Contamination):
    """Foreign observations are uniform between ``low`` and ``high``, each a number or one a coordinate."""

    low: float | Sequence[float]
    high: float | Sequence[float]
    binomial: bool = False

    def __post_init__(self):
        super().__post_init__()
        if np.any(np.asarray(self.low, np.float64) > np.asarray(self.high, np.float64)):
            raise ValueError(f"low: {shown(self.low)} lies above high, {shown(self.high)}.")

    def foreign(self, replaced, rng):
        low, high = _centred(self.low, replaced, "low"), _centred(self.high, replaced, "high")
        return low + (high - low) * rng.random(replaced.shape)


@dataclasses.dataclass(frozen=True)
class HeavyTails(Contamination):
    """Foreign observations are Student's t of ``df`` degrees of freedom around ``loc``, times ``scale``."""

    _single = ("df",)
    df: float = 1.0
    loc: float | Sequence[float] = 0.0
    scale: float | Sequence[float] = 1.0
    binomial: bool = False

    def foreign(self, replaced, rng):
        scale = _centred(self.scale, replaced, "scale")
        return _centred(self.loc, replaced, "loc") + scale * rng.standard_t(self.df, replaced.shape)


@dataclasses.dataclass(frozen=True)
class Vertical(Contamination):
    """Vertical outliers of a regression: the last coordinate alone is normal of mean ``loc``, the others stay."""

    _single = ("loc", "scale")
    loc: float
    scale: float = 1.0
    binomial: bool = False

    def foreign(self, replaced, rng):
        _require_several(self, replaced)
        changed = replaced.copy()
        changed[:, -1] = self.loc + self.scale * rng.standard_normal(len(replaced))
        return changed


@dataclasses.dataclass(frozen=True)
class Leverage(Contamination):
    """Bad leverage points: covariates normal around ``at``, the response around ``response``, both of ``scale``."""

    _single = ("response", "scale")
    at: float | Sequence[float]
    response: float
    scale: float = 1.0
    binomial: bool = False

    def foreign(self, replaced, rng):
        _require_several(self, replaced)
        centre = np.column_stack([_centred(self.at, replaced[:, :-1], "at"), np.full(len(replaced), self.response)])
        return centre + self.scale * rng.standard_normal(replaced.shape)


@dataclasses.dataclass(frozen=True)
class Dependence(Contamination):
    """Observations are in time order and dependent, by a Gaussian copula: autocorrelation ``rho`` to the lag's power.

    Every observation has the law of the model; none is foreign.
    """

    eps: float = dataclasses.field(default=0.0, init=False, repr=False)
    rho: float = 0.5

    def __post_init__(self):
        checked_real("rho", self.rho, "an autocorrelation between -1 and 1", -1, np.nextafter(1, 0))

    def uniforms(self, u, rng):
        from scipy.signal import lfilter

        innovations = special.ndtri(u) * np.sqrt(1 - self.rho**2)
        innovations[0] /= np.sqrt(1 - self.rho**2)  # the first has the stationary law
        levels = special.ndtr(lfilter([1.0], [1.0, -self.rho], innovations, axis=0))
        return np.clip(levels, 2.0**-54, 1 - 2.0**-53)

    def apply(self, x, rng):
        return x

    def foreign(self, replaced, rng):
        return replaced


def as_tuple(given, name: str = "contamination") -> tuple[Contamination, ...]:
    """Read what stands for one departure: None, a contamination, or several, applied one after the other."""
    several = () if given is None else tuple(given) if isinstance(given, (list, tuple)) else (given,)
    for each in several:
        if not isinstance(each, Contamination):
            raise TypeError(f"{name}: got {shown(each)}; give None, hg.Cluster(...) or another contamination.")
    return several


def label_of(several: Sequence[Contamination]) -> str:
    """Name a departure in a table."""
    return " + ".join(each.label for each in several) or "none"


def share_of(several: Sequence[Contamination]) -> float:
    """Give the share of foreign observations after several contaminations, one on top of the other."""
    return round(1 - float(np.prod([1 - each.share for each in several])), 12)  # .2, not .19999999999999996


def _check(contamination, name, good, wanted):
    """Refuse a contamination, if it has the argument ``name``, unless ``good`` holds for its value."""
    value = getattr(contamination, name, None)
    if value is None:
        return
    try:
        fine = bool(np.all(good(np.asarray(value, np.float64))))
    except (TypeError, ValueError, OverflowError):
        fine = False
    if not fine:
        raise ValueError(f"{name}: got {shown(value)}; {type(contamination).__name__} needs {wanted}.")


def _centred(value, replaced, name):
    """Repeat a number, or one for each coordinate, for every observation that is replaced."""
    rows = np.asarray(value, np.float64)
    if rows.ndim and rows.shape != replaced.shape[1:]:
        d = 1 if replaced.ndim == 1 else replaced.shape[1]
        raise ValueError(f"{name}: {rows.size} numbers for {d} coordinates; give one number, or one a coordinate.")
    return np.broadcast_to(rows, replaced.shape)


def _require_several(contamination, replaced):
    if replaced.ndim < 2:
        name = type(contamination).__name__
        raise ValueError(f"{name}: observations have one coordinate; it is for covariates and a response.")


def _short(value):
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
