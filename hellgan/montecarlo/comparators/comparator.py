"""What every comparator is: a classical estimator of a family's parameters, with standard errors where it has any."""

import abc
import dataclasses
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hellgan import inference
from hellgan.checks import shown
from hellgan.constraints import Constraint
from hellgan.generators import Fixed, Generator
from hellgan.montecarlo.estimates import Estimate, Estimates, one_by_one
from hellgan.solver import starts


class Stack(NamedTuple):
    """Estimates of R samples, natural scale: ``values``, ``std_errors`` (R, k); R messages, empty where all is well."""

    values: np.ndarray
    std_errors: np.ndarray
    messages: list[str]


@dataclasses.dataclass(frozen=True)
class Comparator(abc.ABC):
    """A classical estimator in a Monte Carlo study; abstract.

    Attributes
    ----------
    model : Generator, optional
        The family that is fitted; that of the study's truth unless given.

    Notes
    -----
    A comparator says what it does to one sample (``single``) or to many at once (``together``).
    """

    model: Generator | None = dataclasses.field(default=None, kw_only=True)

    @property
    @abc.abstractmethod
    def label(self) -> str:
        """Name of the comparator in tables and figures."""

    @property
    def chunk(self) -> int:
        """How many replicates one task should hold."""
        return 1024

    def single(self, family: Generator, x: np.ndarray, rng: np.random.Generator) -> Estimate:
        """Estimate from one sample; an exception is a failure."""
        raise TypeError(f"{type(self).__name__} defines neither `single` nor `together`.")

    def together(self, family: Generator, samples: np.ndarray) -> Stack | None:
        """Estimate from R samples at once; None where samples are estimated from one by one."""
        return None

    def estimated(self, family: Generator) -> list[str]:
        """Name the natural elements that the comparator estimates: all of the family's unless overridden."""
        return family.names

    @abc.abstractmethod
    def problem(self, family: Generator, n: int) -> str | None:
        """Say why the comparator cannot work for a family and sample size, and what to do; None where it can."""

    # The methods below are the same for all comparators.

    def family(self, generator: Generator) -> Generator:
        """Give the family that is fitted where the truth's is ``generator``."""
        return generator if self.model is None else self.model

    def names(self, generator: Generator) -> tuple[str, ...]:
        """Names of the natural elements that the comparator estimates where the truth's generator is ``generator``."""
        return tuple(self.estimated(self.family(generator)))

    def check(self, generator: Generator, n: int) -> None:
        """Refuse, with the reason, a truth or a sample size for which the comparator cannot work.

        Raises
        ------
        TypeError
            For a model that is no generator.
        ValueError
            Where the family, its dimension or the sample size does not allow the estimator.
        ImportError
            Where a package that the comparator needs is not installed.
        """
        name, family = type(self).__name__, self.family(generator)
        if not isinstance(family, Generator):
            raise TypeError(f"{name}: model is {shown(family)}; give a generator, as in model=hg.generators.Normal().")
        if (family.dim, family.covariates) != (generator.dim, generator.covariates):
            raise ValueError(
                f"{name}: the model {family.name} has dimension {family.dim} and {family.covariates} covariates, the "
                f"data {generator.dim} and {generator.covariates}; give a model of the data's shape."
            )
        needed = len(family.names) + 1
        trouble = self.problem(family, n)
        if trouble is None and n < needed:
            trouble = f"{n} observations are too few for {needed - 1} parameters; give n of at least {needed}"
        if trouble:
            raise ValueError(f"{name}: {trouble}.")

    def estimate(self, generator: Generator, x: np.ndarray, rng: np.random.Generator) -> Estimate:
        """Estimate from one sample, (n,) or (n, d)."""
        family, x = self.family(generator), np.asarray(x, np.float64)
        stack = self.together(family, x[None])
        if stack is None:
            return self.single(family, x, rng)
        stack = _marked(stack)
        message = stack.messages[0]
        return Estimate(stack.values[0], stack.std_errors[0], converged=not message, message=message)

    def estimate_each(
        self, generator: Generator, samples: np.ndarray, rngs: Sequence[np.random.Generator], level: float
    ) -> Estimates:
        """Estimate from R samples, (R, n) or (R, n, d), with Wald intervals of a level.

        Intervals are computed on each parameter's own real line and mapped back. A replicate for which the estimator
        raises or does not converge is a failure with its message.
        """
        from scipy.special import ndtri

        family, names = self.family(generator), self.names(generator)
        by_name = dict(zip(family.names, family.element_spaces, strict=True))
        spaces, quantile = [by_name[name] for name in names], float(ndtri((1 + level) / 2))
        samples = np.asarray(samples, np.float64)
        begin = time.perf_counter()
        try:
            stack = self.together(family, samples)
            stack = None if stack is None else _marked(stack)
        except Exception:  # of one sample: which one shows when each is estimated from alone
            stack = None
        if stack is None:
            return one_by_one(
                lambda x, rng: self.estimate(generator, x, rng),
                list(zip(samples, rngs, strict=True)),
                names,
                lambda values, errors: inference.intervals(spaces, values, errors, quantile),
            )
        lower, upper = wald_intervals(spaces, stack.values, stack.std_errors, quantile)
        messages, count = stack.messages, len(samples)
        return Estimates(
            names,
            stack.values,
            stack.std_errors,
            lower,
            upper,
            np.array([not message for message in messages], bool),
            np.full(count, np.nan),
            np.zeros(count, np.int64),
            np.full(count, (time.perf_counter() - begin) / max(count, 1)),
            messages,
            [""] * count,
            np.full(count, np.nan),
        )


def _marked(stack: Stack) -> Stack:
    """Give every failure a message, and no standard errors."""
    finite = np.all(np.isfinite(stack.values), axis=1)
    messages = [m or ("" if ok else "the estimate is not finite") for m, ok in zip(stack.messages, finite, strict=True)]
    fine = np.array([not message for message in messages])[:, None]
    return Stack(stack.values, np.where(fine, stack.std_errors, np.nan), messages)


def wald_intervals(spaces: Sequence[Constraint], values, std_errors, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute Wald intervals of R rows (R, k), natural scale, as ``inference.intervals`` does: lower and upper ends."""
    ends = np.full((2, *values.shape), np.nan)
    for k, space in enumerate(spaces):
        usable = np.isfinite(std_errors[:, k]) & np.isfinite(values[:, k])
        value = values[usable, k]
        middle, half = space.link(value), quantile * std_errors[usable, k] * space.link_slope(value)
        ends[0, usable, k], ends[1, usable, k] = space.unlink(middle - half), space.unlink(middle + half)
    return ends[0], ends[1]


def first_theta(family: Generator, x: np.ndarray) -> np.ndarray:
    """Give the family's robust start (p,), unconstrained scale; for a family without one, a start found by a search."""
    weights = np.full(len(x), 1 / len(x))
    start = family.start(x, weights)
    if start is not None:
        return family.theta(**start)
    return starts.matched(family, x[:, None] if x.ndim == 1 else x, weights, 0)[0]


def unfixed(family: Generator) -> Generator:
    """Give the family with no parameter fixed."""
    return family.generator if isinstance(family, Fixed) else family


def needs_smooth_density(family: Generator) -> str | None:
    """Say why a family's log density cannot be differentiated twice in the parameters; None where it can."""
    if not family.has_density:
        return f"{family.name} has no density in closed form; give model=, a family that has one"
    law = unfixed(family).law.name
    if law == "laplace":
        return f"the log density of {family.name} has a kink, where it has no curvature; give model=, a smoother family"
    if law == "uniform":
        return f"the support of {family.name} moves with its parameters; give model=, a family of fixed support"
    return None


def needs_line(family: Generator) -> str | None:
    """Say why a family is no law on the line; None where it is one."""
    if family.dim == 1 and family.covariates == 0:
        return None
    return f"{family.name} has dimension {family.dim} and {family.covariates} covariates; give a family on the line"
