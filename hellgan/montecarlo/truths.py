"""The law that a study's samples come from, and the values that its methods shall find."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hellgan import generators
from hellgan.checks import checked_numbers, shown
from hellgan.execution import programs
from hellgan.generators import Generator, checked_generator
from hellgan.montecarlo.contaminations import Contamination
from hellgan.montecarlo.streams import CONTAMINATION, DATA, Stream

# Samples simulated by one compiled call, unless they are large; always as many, so that bits do not depend on it.
_GROUP, _LARGE = 16, 100_000


@dataclasses.dataclass(frozen=True)
class Truth:
    """Where samples come from; made by ``hg.truth``.

    Attributes
    ----------
    generator : Generator or None
        None where samples come from a function.
    natural : dict
        Values of the generator's parameters, natural scale, or of the function's arguments.
    estimands : dict of str to float
        Values that methods shall find, natural scale, by the names that methods report.
    covariates : callable or None
        ``f(rng, n)`` that draws the covariates (n, k) of a regression.
    sampler : callable or None
        ``f(rng, n, **natural)`` that draws observations (n,) or (n, d).
    """

    generator: Generator | None
    natural: Mapping[str, Any]
    estimands: Mapping[str, float]
    covariates: Callable | None = None
    sampler: Callable | None = None

    @property
    def dim(self) -> int:
        """Coordinates of an observation, as far as the generator says."""
        return 1 if self.generator is None else self.generator.dim

    def samples(self, n: int, streams: Sequence[Stream], contaminations: Sequence[Contamination]) -> np.ndarray:
        """Draw a sample of n observations for each stream: (R, n) or (R, n, d)."""
        draw = self._by_function if self.sampler else self._simulated
        x = draw(n, streams, contaminations)
        if not contaminations:
            return x
        return np.stack([self._contaminated(row, s, contaminations) for row, s in zip(x, streams, strict=True)])

    @staticmethod
    def _contaminated(x, stream, contaminations):
        rng = stream.rng(CONTAMINATION)
        for each in contaminations:
            x = each.apply(x, rng)
        return x

    def _by_function(self, n, streams, contaminations):
        if any(type(each).uniforms is not Contamination.uniforms for each in contaminations):
            raise ValueError("contamination: dependence needs a generator; the truth is a function of its own.")
        draw: Any = self.sampler
        x = np.stack([np.asarray(draw(s.rng(DATA), n, **self.natural), np.float64) for s in streams])
        if x.ndim not in (2, 3) or x.shape[1] != n:
            raise ValueError(f"truth: the function returned {x.shape[1:]}; it must return ({n},) or ({n}, d) numbers.")
        return x

    def _simulated(self, n, streams, contaminations):
        g: Any = self.generator
        latents = []
        for stream in streams:
            rng = stream.rng(DATA)
            x = self._covariates(rng, n)
            u = np.maximum(rng.random((n, g.latent_dim)), 2.0**-54)
            for each in contaminations:
                u = each.uniforms(u, rng)
            z = np.concatenate([x, g.law.quantile(u)], axis=1) if g.covariates else g.law.quantile(u)
            latents.append(z)
        group = _GROUP if n * max(g.latent_dim, g.dim) <= _LARGE else 1
        theta, drawn = g.theta(**self.natural), []
        for begin in range(0, len(latents), group):
            block = latents[begin : begin + group]
            z = np.stack([*block, *[block[0]] * (group - len(block))])
            drawn.append(_simulate(g, theta, z)[: len(block)])
        return g.squeezed(np.concatenate(drawn))

    def _covariates(self, rng, n):
        k = 0 if self.generator is None else self.generator.covariates
        if self.covariates is None:
            return rng.standard_normal((n, k))
        x = np.asarray(self.covariates(rng, n), np.float64)
        x = x[:, None] if x.ndim == 1 else x
        if x.shape != (n, k):
            raise ValueError(f"covariates: the function returned {x.shape}; it must return ({n}, {k}) numbers.")
        return x


@programs.program
def _simulate(generator, theta, z):
    return programs.each(lambda rows: jax.vmap(functools.partial(generator, theta))(rows), z)


def truth(
    generator: Generator | Callable,
    *,
    covariates: Callable | None = None,
    estimands: Mapping[str, float] | None = None,
    **natural,
) -> Truth:
    """Say which law a study's samples come from.

    Parameters
    ----------
    generator : Generator or callable
        A family of ``hg.generators``, a function under ``@hg.generator``; or a function ``f(rng, n, **natural)``
        that draws n observations, (n,) or (n, d), with a NumPy generator.
    covariates : callable, optional
        For a regression: ``f(rng, n)`` that draws covariates (n, k); independent standard normal unless given.
    estimands : mapping of str to float, optional
        Values that methods shall find, by the names that they report; the parameters' own unless given. A study of
        a wrong model needs it where the wrong model's parameters mean something else.
    **natural
        Values of all parameters, natural scale.

    Returns
    -------
    Truth

    Raises
    ------
    ValueError, TypeError
        For a missing parameter, or a value outside its space.

    Examples
    --------
    >>> import hellgan as hg
    >>> hg.truth(hg.generators.Normal(), loc=1.0, scale=2.0).estimands
    {'loc': 1.0, 'scale': 2.0}
    """
    if covariates is not None and not callable(covariates):
        raise TypeError(f"covariates: got {shown(covariates)}; give a function f(rng, n) that draws (n, k) numbers.")
    if isinstance(generator, Generator):
        g = checked_generator(generator)
        try:
            g.theta(**natural)
        except ValueError as error:
            raise ValueError(f"truth: {error}") from None
        found = np.concatenate([np.ravel(np.asarray(natural[name], np.float64)) for name in g.parameters])
        wanted = (
            dict(zip(g.names, found.tolist(), strict=True))
            if estimands is None
            else checked_numbers("estimands", estimands)
        )
        return Truth(g, {name: natural[name] for name in g.parameters}, wanted, covariates)
    if inspect.isclass(generator) or any(generator is each for each in vars(generators).values()):
        raise TypeError(
            f"truth: got {shown(getattr(generator, '__name__', generator))}, not an instance; give "
            "hg.generators.Normal() with its parentheses."
        )
    if not callable(generator):
        raise TypeError(f"truth: got {shown(generator)}; give a generator, or a function f(rng, n, **parameters).")
    wanted = checked_numbers("estimands", natural if estimands is None else estimands)
    return Truth(None, natural, wanted, None, generator)
