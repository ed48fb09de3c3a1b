"""The front door: ``GAN`` checks what it is given, places the discriminator and solves the game."""

import math
import os
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import discriminators, generators, inference, latents, losses, storage
from hellgan.discriminators import Discriminator
from hellgan.generators import Generator
from hellgan.losses import Loss
from hellgan.objective import Game, features
from hellgan.results import GANResults, checked_seed, first_sentence
from hellgan.solver import solve_saddle
from hellgan.starts import matched

# Beyond it squares overflow: standardised monomials, squared distances.
_LARGEST = 1e150


class GAN:
    """A parametric GAN: a simulator with named parameters against a discriminator, on one sample.

    Parameters
    ----------
    data : array_like, Series or DataFrame
        (n,) or (n, d) finite numbers; a DataFrame's columns are the coordinates.
    generator : Generator
        A family of ``hg.generators``, or a function under ``@hg.generator``.
    discriminator : Discriminator, optional
        Sigmoids at quantiles of the data unless given.
    loss : str or Loss
        ``"root"`` (bounded), ``"log"``, ``"hellinger"``, ``"least_squares"``, ``"root_ns"``, ``"log_ns"``, ``"kl"``.
    weights : (n,) array_like, optional
        Observation (sampling) weights, not negative; only their ratios matter. A weight is no count of repeated
        rows: repeat those with ``numpy.repeat``.
    latent : {"sobol", "iid"}
        Scrambled Sobol or independent latent draws.
    n_simulated : int, optional
        Size m of the simulated sample: 1,024 (Sobol; rounded up to a power of two) or 10 n (iid) unless given.
    seed : int
        Of the latent draws and of whatever else is random. The same seed gives the same answer.

    Attributes
    ----------
    nobs, n_simulated : int
        n and m.
    basis : Basis or Network
        The discriminator placed on the data.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence that names the argument and the remedy.

    Examples
    --------
    >>> import hellgan as hg
    >>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal()).fit()
    >>> print(result.params.round(1).to_dict())
    {'loc': 27.7, 'scale': 5.1}
    """

    def __init__(
        self,
        data,
        generator: Generator,
        discriminator: Discriminator | None = None,
        loss: str | Loss = "root",
        *,
        weights=None,
        latent: str = "sobol",
        n_simulated: int | None = None,
        seed: int = 0,
    ):
        self.generator = _checked_generator(generator)
        self.x, self.columns = _sample(data, self.generator)
        self.nobs = len(self.x)
        self.weights = None if weights is None else _checked_weights(weights, self.nobs)
        _check_variation(self.x if self.weights is None else self.x[self.weights > 0], self.generator, self.columns)
        self.loss = _checked_loss(loss)
        self.seed = checked_seed(seed)
        self.latent = latent
        self.n_simulated = latents.size(latent, self.nobs, n_simulated)
        d = self.generator.dim
        self.discriminator = (
            discriminators.default(d) if discriminator is None else _checked_discriminator(discriminator)
        )
        self.basis = self.discriminator.place(self.x, self._shares(), self.seed)
        self._check_features()
        self._start = self.generator.start(self.x, self._shares())  # refuses data that the family cannot have

    def __repr__(self):
        return (
            f"<GAN {self.generator.name}, {type(self.discriminator).__name__}, {self.loss.name}, "
            f"n = {self.nobs}, m = {self.n_simulated}>"
        )

    def _shares(self) -> np.ndarray:
        """Weights that sum to 1."""
        if self.weights is None:
            return np.full(self.nobs, 1 / self.nobs)
        relative = self.weights / self.weights.max()  # huge and tiny weights must not overflow or lose digits
        return relative / relative.sum()

    def _check_features(self):
        p = self.generator.size
        if not self.basis.is_linear:
            return
        with jax.enable_x64(True):
            values = np.asarray(_features(self.game()))[: self.nobs, 1:]
        if not np.all(np.isfinite(values)):
            raise ValueError("discriminator: its features are not finite at some of the data; choose bounded features.")
        spread = np.ptp(values, axis=0)
        varying = int(np.sum(spread > 1e-12 * np.max(np.abs(values), axis=0, initial=1e-300)))
        if varying < p:
            raise ValueError(
                f"discriminator: {varying} features vary over the data, fewer than the {p} parameters of "
                f"{self.generator.name}; give a discriminator with at least {p}, better twice as many."
            )

    def game(self) -> Game:
        """Assemble the objective's ingredients; samples are padded with weight 0 to few different sizes."""
        n, m = _bucket(self.nobs), self.n_simulated if self.latent == "sobol" else _bucket(self.n_simulated)
        x = np.concatenate([self.x, np.repeat(self.x[:1], n - self.nobs, axis=0)])
        z = self._latents(1)[0]
        z = np.concatenate([z, np.repeat(z[:1], m - self.n_simulated, axis=0)])
        x_weights = np.pad(self._shares(), (0, n - self.nobs))
        z_weights = np.pad(np.full(self.n_simulated, 1 / self.n_simulated), (0, m - self.n_simulated))
        samples: list[Any] = [x, x_weights, z, z_weights]
        return Game(self.loss, self.generator, self.basis, *samples)

    def _latents(self, count: int) -> np.ndarray:
        """Mutually independent latent samples (count, m) or (count, m, k); the first is the one fits use."""
        g = self.generator
        z = latents.draw(self.latent, g.law, self.n_simulated, g.latent_dim, self.seed, count)
        return z[..., 0] if g.latent_dim == 1 else z

    def scrambles(self) -> np.ndarray | None:
        """Sobol samples independent of the fit's, for the simulation noise; None for independent latents."""
        return self._latents(1 + inference.SCRAMBLES)[1:] if self.latent == "sobol" else None

    def fit(self, start=None, cov_type: str = "sandwich", throw: bool = False) -> GANResults:
        """Solve the game and infer the joint law of its parameters.

        Parameters
        ----------
        start : mapping, Series or sequence, optional
            Starting values on the natural scale, by name or in the order of ``generator.names``; the package's own
            robust start unless given.
        cov_type : {"sandwich"}
            Covariance of the estimate: equation (2), which allows misspecification.
        throw : bool
            Raise ``RuntimeError`` where the fit would otherwise warn.

        Returns
        -------
        GANResults

        Warns
        -----
        ConvergenceWarning
            When the solution is not a certified saddle point; standard errors are then NaN.
        """
        if not (isinstance(cov_type, str) and cov_type == "sandwich"):
            raise ValueError(f"cov_type: {_shown(cov_type)} is not known; give 'sandwich'.")
        first = self._starts(start)
        with jax.enable_x64(True):
            game = self.game()
            saddle = solve_saddle(game, first)
            natural, slope = jax.device_get(inference.natural_scale(self.generator, saddle.theta))
            trouble, sandwich = saddle.reason, None
            if self.basis.is_linear and saddle.converged and saddle.discriminator_curvature < 0:
                # Asked also where there is no saddle: that may well be why.
                problem = inference.identification_problem(game, saddle.jacobian)
                if problem:
                    trouble = f"{problem}; hold a parameter with generator.fix, or give a richer discriminator"
                if not trouble:
                    sandwich = inference.infer(game, saddle.theta, saddle.alpha, saddle.jacobian, self.scrambles())
        if trouble:
            self._report(trouble, throw)
        return GANResults(self, saddle, sandwich, natural, slope, trouble or "")

    def _report(self, trouble, throw):
        from statsmodels.tools.sm_exceptions import ConvergenceWarning

        message = f"{self!r}: {trouble}."
        if throw:
            raise RuntimeError(message)
        warnings.warn(message, ConvergenceWarning, stacklevel=3)

    def _starts(self, start) -> np.ndarray:
        """Starting values (k, p) on the unconstrained scale."""
        if start is not None:
            return _checked_start(start, self.generator)[None]
        if self._start is not None:
            return self.generator.theta(**self._start)[None]
        with jax.enable_x64(True):
            return matched(self.generator, self.x, self._shares(), self.seed)


@jax.jit
def _features(game: Game):
    return features(game, game.x)


def load(
    path: str | os.PathLike,
    *,
    generator=None,
    discriminator=None,
    loss=None,
) -> GANResults:
    """Read a result that ``GANResults.save`` wrote; no code of the file is run.

    Parameters
    ----------
    path : path
    generator, discriminator, loss : Generator, Discriminator, Loss
        The user's own, where the fit had one: functions are not stored.

    Raises
    ------
    ValueError
        For a file that is not such a result, or when a function that the fit used is not passed.
    """
    arrays, facts = storage.read(path)
    missing = {*GANResults.ARRAYS, *GANResults.INGREDIENTS, *GANResults.OUTCOME} - {*facts, *arrays}
    if missing:
        raise ValueError(f"load: {os.fspath(path)} holds no {min(missing)}; give a file that GANResults.save wrote.")
    parts = {"generator": generator, "discriminator": discriminator, "loss": loss}
    for name, given in parts.items():
        if given is None and facts[name] is None:
            raise ValueError(f"load: the fit used a {name} of your own; pass it as {name}=.")
    data = arrays["x"]
    if facts["columns"]:
        import pandas as pd

        data = pd.DataFrame(data, columns=facts["columns"])
    model = GAN(
        data,
        _rebuild_generator(facts["generator"]) if generator is None else generator,
        discriminators.make(**facts["discriminator"]) if discriminator is None else discriminator,
        losses.get(facts["loss"]) if loss is None else loss,
        weights=arrays.get("weights"),
        latent=facts["latent"],
        n_simulated=facts["n_simulated"],
        seed=facts["seed"],
    )
    if model.generator.name != facts["simulator"]:
        raise ValueError(
            f"load: the fit used the generator {facts['simulator']}, not {model.generator.name}; pass the fit's own."
        )
    for name, part, size in (
        ("generator", model.generator, arrays["saddle.theta"].size),
        ("discriminator", model.basis, arrays["saddle.alpha"].size),
    ):
        if part.size != size:
            raise ValueError(f"load: the fit's {name} had {size} parameters, not {part.size}; pass the fit's own.")
    return GANResults.restore(model, arrays, facts)


def _rebuild_generator(recipe):
    generator = generators.make(recipe["family"], **recipe["arguments"])
    return generator.fix(**recipe["fixed"]) if recipe["fixed"] else generator


# What may pass the front door.


def _sample(data, generator: Generator) -> tuple[np.ndarray, list[str] | None]:
    """Turn data into (n,) or (n, d) float64 of its own memory, with the columns' names where there are any."""
    columns = [str(c) for c in data.columns] if hasattr(data, "columns") else None
    try:
        if hasattr(data, "dtypes") and columns is not None:
            # By position: two columns may share a name.
            parts = [data.iloc[:, k] if hasattr(data, "iloc") else data[c] for k, c in enumerate(data.columns)]
            x = np.column_stack([_numbers(part) for part in parts]) if columns else np.empty((0, 0))
        else:
            x = _numbers(data)
    except (TypeError, ValueError) as error:
        raise TypeError(f"data: not numeric ({first_sentence(error)}); give finite numbers.") from None
    if _has_masked(data):
        raise ValueError("data: some values are masked; drop them first.")
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    d = generator.dim
    if x.ndim not in (1, 2) or (x.ndim == 2) != (d > 1) or (x.ndim == 2 and x.shape[1] != d):
        wanted = "(n,)" if d == 1 else f"(n, {d})"
        raise ValueError(
            f"data: shape {np.shape(data)}; {generator.name} needs shape {wanted}, one row an observation."
        )
    if len(x) < 2:
        raise ValueError(f"data: {len(x)} observations; give at least 2.")
    bad = int(np.sum(~np.all(np.isfinite(x.reshape(len(x), -1)), axis=1)))
    if bad:
        raise ValueError(f"data: {bad} of {len(x)} observations are NaN or infinite; drop or impute them first.")
    if np.max(np.abs(x)) > _LARGEST:
        raise ValueError(f"data: some values exceed {_LARGEST:g} in size; give them in larger units.")
    return x, columns if d > 1 else None


def _check_variation(x, generator, columns):
    """Check the observations that count: enough of them, and a law that is not degenerate."""
    if len(x) <= generator.size:
        raise ValueError(f"data: {len(x)} observations for {generator.size} parameters; give more observations.")
    spread, d = np.ptp(x, axis=0), generator.dim
    if np.any(spread == 0):
        which = "" if d == 1 else f" in column {columns[int(np.argmin(spread))] if columns else int(np.argmin(spread))}"
        raise ValueError(f"data: all observations are equal{which}; the model needs a sample that varies.")
    if d > 1:
        scaled = (x - x.mean(axis=0)) / x.std(axis=0)
        if np.linalg.matrix_rank(scaled, tol=1e-8 * np.sqrt(x.size)) < d:
            raise ValueError("data: the columns are collinear; drop one that the others determine.")


def _numbers(values) -> np.ndarray:
    """Turn real numbers into float64 of their own memory; text, dates and complex numbers are none."""
    x = np.asarray(values)
    texts = [v for v in x.ravel().tolist() if isinstance(v, (str, bytes))] if x.dtype.kind in "OSUT" else []
    if texts:
        # A file's column of numbers with one slip in it comes as text altogether: show the slip.
        name = f"column {values.name} " if getattr(values, "name", None) is not None else "it "
        raise TypeError(f"{name}holds text such as {_shown(next((t for t in texts if not _is_number(t)), texts[0]))}")
    if x.dtype.kind not in "iufbO":
        raise TypeError(f"it holds values of type {x.dtype}")
    return np.array(x, np.float64)


def _is_number(text) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _has_masked(values) -> bool:
    return np.ma.isMaskedArray(values) and bool(np.any(np.ma.getmaskarray(values)))


def _shown(value) -> str:
    """Quote a value in a sentence: on one line, and short."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _checked_generator(generator):
    if isinstance(generator, Generator):
        return generator
    if isinstance(generator, type) or callable(generator):
        raise TypeError(
            f"generator: got {getattr(generator, '__name__', generator)!r}, not an instance; give "
            "hg.generators.Normal() with its parentheses, or decorate your function with @hg.generator(...)."
        )
    raise TypeError(f"generator: got {type(generator).__name__}; give a family of hg.generators or an @hg.generator.")


def _checked_discriminator(discriminator):
    if isinstance(discriminator, Discriminator):
        return discriminator
    raise TypeError(
        f"discriminator: got {_shown(discriminator)}; give an instance such as hg.discriminators.Sigmoids(16), or None."
    )


def _checked_loss(loss) -> Loss:
    loss = losses.get(loss)
    if loss.is_named:
        return loss
    for part in ("real", "fake", "generator"):
        function = getattr(loss, part)
        if function is None:
            continue
        try:
            shape = jax.eval_shape(
                lambda v, f=function: jnp.asarray(f(v)), jax.ShapeDtypeStruct((3,), jnp.float32)
            ).shape
        except Exception as error:
            raise ValueError(
                f"loss: {part} of {loss.name} fails on an array "
                f"({type(error).__name__}: {first_sentence(error)}); write it with jax.numpy, elementwise."
            ) from error
        if shape != (3,):
            raise ValueError(f"loss: {part} of {loss.name} turns shape (3,) into {shape}; write it elementwise.")
    losses.check(loss)
    return loss


def _checked_weights(weights, n):
    masked = _has_masked(weights)
    try:
        weights = _numbers(weights)
    except (TypeError, ValueError):
        raise TypeError("weights: not numeric; give one non-negative number an observation.") from None
    if masked:
        raise ValueError("weights: some are masked; give a number, perhaps 0, for every observation.")
    if weights.shape != (n,):
        raise ValueError(f"weights: shape {weights.shape}; give one for each of the {n} observations.")
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError("weights: some are negative, NaN or infinite; give finite non-negative numbers.")
    if np.sum(weights > 0) < 2:
        raise ValueError("weights: fewer than two are positive; at least two observations must count.")
    return weights


def _checked_start(start, generator) -> np.ndarray:
    try:
        return generator.theta(**_named(start, generator))
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith("start:") else f"start: {message}") from None


def _named(start, generator):
    """Starting values by name, from a mapping or Series of parameters or of their elements, or a flat sequence."""
    names = generator.names
    values = start
    keys = list(start.keys()) if hasattr(start, "keys") else []
    if any(isinstance(key, str) for key in keys):
        if set(keys) == set(generator.parameters):
            return {name: start[name] for name in generator.parameters}
        values = [start[name] for name in names] if set(keys) == set(names) else None
    try:
        values = _numbers(values)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(names),):
        raise ValueError(f"start: got {_shown(start)}; give a number for each of {', '.join(names)}.")
    named, at = {}, 0
    for name, space in generator.parameters.items():
        named[name] = values[at : at + space.natural_size].reshape(space.shape)
        at += space.natural_size
    return named


def _bucket(n: int) -> int:
    """Round a sample size up to one of four sizes per doubling, so that few shapes are compiled."""
    step = max(4, 2 ** (math.ceil(math.log2(n)) - 3))
    return -(-n // step) * step
