"""Location-scale families: the latent draw is the standardised noise itself."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.checks import shown
from hellgan.generators.family import Generator
from hellgan.generators.heavy_tailed import StudentTWithDf, t_moments
from hellgan.latents import Law
from hellgan.samples.robust import MAD, quantile, robust_scale


class LocationScale(Generator):
    """A location-scale family, ``loc + scale * z``: the latent draw is the standardised noise itself."""

    family: str = eqx.field(static=True)
    noise: Law = eqx.field(static=True)
    arguments: tuple[tuple[str, float], ...] = eqx.field(static=True, default=())

    @property
    def parameters(self):
        return {"loc": spaces.real(), "scale": spaces.positive()}

    @property
    def law(self):
        return self.noise

    @property
    def name(self):
        return self.family

    def draw(self, z, loc, scale):
        return loc + scale * z

    def start(self, x, weights):
        # Quantiles .5 and .75 of a symmetric law are its median and its median plus its absolute deviation.
        middle, upper = self.noise.quantile(np.array([0.5, 0.75]))
        scale = robust_scale(x, weights) / (MAD * (upper - middle))
        return {"loc": quantile(x, 0.5, weights) - scale * middle, "scale": scale}

    def start_each(self, samples, weights):
        start = self.start(samples, weights)
        return np.stack([start["loc"], np.log(start["scale"])], axis=1)

    def log_density(self, x, loc, scale):
        return self.noise.log_density((x - loc) / scale) - jnp.log(scale)

    def moments(self, loc, scale):
        df = dict(self.arguments).get("df")
        known = _MOMENTS.get(self.family) if df is None else t_moments(df)
        return None if known is None else (loc + scale * known[0], scale**2 * known[1])


# Mean and variance of the standardised noise.
_MOMENTS = {
    "Normal": (0.0, 1.0),
    "Laplace": (0.0, 2.0),
    "Logistic": (0.0, np.pi**2 / 3),
    "Cauchy": (np.nan, np.nan),
    "Uniform": (0.5, 1 / 12),
}


def Normal() -> LocationScale:
    """Normal law of mean ``loc`` and standard deviation ``scale``."""
    return LocationScale("Normal", latents.normal)


def Laplace() -> LocationScale:
    """Laplace (double exponential) law of mean ``loc`` and mean absolute deviation ``scale``."""
    return LocationScale("Laplace", latents.laplace)


def Logistic() -> LocationScale:
    """Logistic law of mean ``loc`` and standard deviation pi / sqrt(3) times ``scale``."""
    return LocationScale("Logistic", latents.logistic)


def Cauchy() -> LocationScale:
    """Cauchy law of median ``loc`` and quartiles ``loc`` -+ ``scale``."""
    return LocationScale("Cauchy", latents.cauchy)


def Uniform() -> LocationScale:
    """Uniform law on (loc, loc + scale)."""
    return LocationScale("Uniform", latents.uniform)


def StudentT(df: float | None = None) -> LocationScale | StudentTWithDf:
    """Student's t law, ``loc`` + ``scale`` t, of given degrees of freedom ``df``; estimated, too, unless given."""
    if df is None:
        return StudentTWithDf()
    df = checked_df(df)
    return LocationScale("StudentT", latents.student_t(df), (("df", df),))


def checked_df(df: float) -> float:
    """Return degrees of freedom as a float, or refuse them."""
    if isinstance(df, bool) or not isinstance(df, (int, float, np.number)):
        raise TypeError(f"df: got {shown(df)}; give a positive number of degrees of freedom.")
    if not 0 < df < 1e300:
        raise ValueError(f"df: got {shown(df)}; give a positive, finite number of degrees of freedom.")
    return float(df)
