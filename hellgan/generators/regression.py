"""Linear regression as a conditional generator."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.checks import shown
from hellgan.generators.family import Generator
from hellgan.generators.resistant import independent_columns, residual_scale, resistant_fit
from hellgan.latents import Law
from hellgan.samples.designs import INTERCEPT
from hellgan.samples.robust import MAD

NOISES = ("normal", "t", "logistic", "laplace")
SCALE = "scale"


class LinearRegression(Generator):
    """A linear model of a response given covariates: ``y = Intercept + x b + scale * noise``.

    An observation is the row of covariates and, last, the response. The covariates are not modelled: a simulated
    row has those of its observation.

    Parameters
    ----------
    noise : {"normal", "t", "logistic", "laplace"}
        Law of the standardised noise.
    columns : sequence of str or int, optional
        The covariates' names, which name their coefficients; a number k stands for x1, ..., xk. Unless given, they
        are taken from the formula of ``GAN.from_formula`` or from the data: all columns but the last.
    intercept : bool
        Whether the model has an intercept, which is no column of the data.
    df : float
        Degrees of freedom where the noise is ``"t"``, not estimated.
    """

    noise: str = eqx.field(static=True)
    columns: tuple[str, ...] | None = eqx.field(static=True)
    intercept: bool = eqx.field(static=True)
    df: float = eqx.field(static=True)

    def __init__(
        self,
        noise: str = "normal",
        columns: Sequence[str] | int | None = None,
        intercept: bool = True,
        df: float = 4.0,
    ):
        if not isinstance(noise, str) or noise not in NOISES:
            raise ValueError(f"noise: {shown(noise)} is not known; give one of {', '.join(NOISES)}.")
        if not isinstance(intercept, (bool, np.bool_)):
            raise TypeError(f"intercept: got {shown(intercept)}; give True or False.")
        if isinstance(df, bool) or not isinstance(df, (int, float, np.number)) or not 0 < df < 1e300:
            raise ValueError(f"df: got {shown(df)}; give a positive, finite number of degrees of freedom.")
        self.noise, self.intercept, self.df = noise, bool(intercept), float(df)
        self.columns = None if columns is None else _checked_columns(columns)

    def bound_to(self, columns, shape):
        if self.columns is None:
            if len(shape) != 2 or shape[1] < 2:
                raise ValueError(
                    f"data: shape {shape}; LinearRegression needs its covariates and, last, the response in columns."
                )
            return LinearRegression(self.noise, columns[:-1] if columns else shape[1] - 1, self.intercept, self.df)
        if columns is not None and set(columns) & set(self.columns) and tuple(columns[:-1]) != self.columns:
            raise ValueError(
                f"data: the columns are {', '.join(columns)}; give {', '.join(self.columns)} and, last, the response."
            )
        return self

    def for_design(self, covariates: list[str], has_intercept: bool) -> "LinearRegression":
        """Give the model for the covariates of a design, where it has none of its own."""
        if self.columns is not None:
            return self
        return LinearRegression(self.noise, covariates, self.intercept and has_intercept, self.df)

    def check_rows(self, rows):
        design = self.design(rows[:, :-1])
        kept = independent_columns(design)
        if len(kept) == len(self.coefficients):
            return
        k = next(k for k in range(len(self.coefficients)) if k not in kept)
        why = "is constant" if np.ptp(design[:, k]) == 0 else "is determined by those before it"
        raise ValueError(f"data: the covariate {self.coefficients[k]} {why}; drop it.")

    def frame(self, rows, held=()):
        free = [k for k, name in enumerate(self.coefficients) if name not in held]
        design = self.design(rows[:, :-1])[:, free]
        frame, scales = np.eye(len(free) + (SCALE not in held)), np.linalg.norm(design, axis=0)
        frame[: len(free), : len(free)] = np.linalg.inv(np.linalg.qr(design / scales, mode="r")) / scales[:, None]
        return frame

    @property
    def coefficients(self) -> tuple[str, ...]:
        """Names of the location's parameters, in the order of the design's columns."""
        if self.columns is None:
            raise ValueError(
                "LinearRegression: its covariates are not known yet; give columns=, or the model to GAN.from_formula."
            )
        return (INTERCEPT, *self.columns) if self.intercept else self.columns

    @property
    def parameters(self):
        return {**{name: spaces.real() for name in self.coefficients}, SCALE: spaces.positive()}

    @property
    def law(self) -> Law:
        return latents.student_t(self.df) if self.noise == "t" else getattr(latents, self.noise)

    @property
    def covariates(self):
        return len(self.coefficients) - self.intercept

    @property
    def dim(self):
        return self.covariates + 1

    @property
    def linear(self):
        return self

    @property
    def name(self):
        return f"LinearRegression ({self.law.name} noise)"

    def location(self, x: jax.Array, /, **natural: jax.Array) -> jax.Array:
        """Location of the response at covariates x (k,)."""
        slopes = x @ jnp.stack([natural[name] for name in self.columns or ()])
        return natural[INTERCEPT] + slopes if self.intercept else slopes

    def draw(self, z, /, **natural):
        x = z[: self.covariates]
        response = self.location(x, **natural) + natural[SCALE] * z[self.covariates]
        return jnp.concatenate([x, response[None]])

    def start(self, x, weights):
        design = self.design(x[:, :-1])
        coefficients = resistant_fit(design, x[:, -1], weights)
        upper = float(self.law.quantile(np.array([0.75]))[0])
        scale = residual_scale(x[:, -1] - design @ coefficients, design.shape[1], weights) / (MAD * upper)
        return {**dict(zip(self.coefficients, coefficients, strict=True)), SCALE: scale}

    def log_density(self, x, /, **natural):
        """Log density of the response given the covariates, at one row."""
        k, scale = self.covariates, natural[SCALE]
        return self.law.log_density((x[k] - self.location(x[:k], **natural)) / scale) - jnp.log(scale)

    def design(self, x: np.ndarray) -> np.ndarray:
        """Put the column of ones in front of covariates (n, k), where there is an intercept."""
        return np.column_stack([np.ones(len(x)), x]) if self.intercept else x


_MOST = 10_000  # covariates


def _checked_columns(columns) -> tuple[str, ...]:
    if isinstance(columns, (int, np.integer)) and not isinstance(columns, bool):
        if not 1 <= columns <= _MOST:
            raise ValueError(f"columns: got {shown(columns)}; give the number of covariates, at most {_MOST}.")
        columns = [f"x{k + 1}" for k in range(columns)]
    if isinstance(columns, (str, bytes)) or not isinstance(columns, Sequence) or not columns:
        raise ValueError(f"columns: got {shown(columns)}; give the names of the covariates, or how many there are.")
    wrong = [name for name in columns if not isinstance(name, str)]
    if wrong:
        raise TypeError(f"columns: {shown(wrong[0])} is no text; give the covariates' names.")
    reserved = [name for name in columns if name in (INTERCEPT, SCALE)]
    if reserved:
        raise ValueError(f"columns: {reserved[0]} is the name of another parameter; rename the covariate.")
    twice = [name for k, name in enumerate(columns) if name in columns[:k]]
    if twice:
        raise ValueError(f"columns: {twice[0]} occurs twice; give every covariate a name of its own.")
    return tuple(columns)
