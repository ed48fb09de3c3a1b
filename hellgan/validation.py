"""What may pass the front door: every refusal is one sentence that names the argument and the remedy."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from hellgan import losses
from hellgan.discriminators import Discriminator, Scores
from hellgan.generators import Fixed, Generator, LinearRegression
from hellgan.generators.regression import independent_columns
from hellgan.losses import Loss

# Beyond it squares overflow: standardised monomials, squared distances.
_LARGEST = 1e150


def checked_sample(data, generator: Generator) -> tuple[np.ndarray, list[str] | None, Generator]:
    """Turn data into (n,) or (n, d) float64 of its own memory.

    Returns
    -------
    x, columns, generator
        The columns' names where d > 1 and there are any; the generator, with the covariates' names where it had none.
    """
    columns = [str(c) for c in data.columns] if hasattr(data, "columns") else None
    try:
        if hasattr(data, "dtypes") and columns is not None:
            # By position: two columns may share a name.
            parts = [data.iloc[:, k] if hasattr(data, "iloc") else data[c] for k, c in enumerate(data.columns)]
            x = np.column_stack([numbers(part) for part in parts]) if columns else np.empty((0, 0))
        else:
            x = numbers(data)
    except (TypeError, ValueError) as error:
        raise TypeError(f"data: not numeric ({first_sentence(error)}); give finite numbers.") from None
    if _has_masked(data):
        raise ValueError("data: some values are masked; drop them first.")
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    generator = _bound(generator, x, columns)
    d = generator.dim
    if x.ndim not in (1, 2) or (x.ndim == 2) != (d > 1) or (x.ndim == 2 and x.shape[1] != d):
        wanted = "(n,)" if d == 1 else f"(n, {d})"
        rows = "the covariates and, last, the response" if generator.covariates else "one row an observation"
        raise ValueError(f"data: shape {np.shape(data)}; {generator.name} needs shape {wanted}, {rows}.")
    _check_names(generator, columns)
    if len(x) < 2:
        raise ValueError(f"data: {len(x)} observations; give at least 2.")
    bad = int(np.sum(~np.all(np.isfinite(x.reshape(len(x), -1)), axis=1)))
    if bad:
        raise ValueError(f"data: {bad} of {len(x)} observations are NaN or infinite; drop or impute them first.")
    if np.max(np.abs(x)) > _LARGEST:
        raise ValueError(f"data: some values exceed {_LARGEST:g} in size; give them in larger units.")
    return x, columns if d > 1 else None, generator


def _bound(generator, x, columns):
    """Name the covariates of a regression that does not know them: all columns but the last."""
    if not isinstance(generator, LinearRegression) or generator.columns is not None:
        return generator
    if x.ndim != 2:
        raise ValueError(
            f"data: shape {x.shape}; LinearRegression needs its covariates and, last, the response in columns."
        )
    return generator.bound(columns[:-1] if columns else x.shape[1] - 1)


def _check_names(generator, columns):
    """Refuse a frame whose columns are the model's covariates in another order."""
    family = generator.generator if isinstance(generator, Fixed) else generator
    if not isinstance(family, LinearRegression) or family.columns is None or columns is None:
        return
    if set(columns) & set(family.columns) and tuple(columns[:-1]) != family.columns:
        raise ValueError(
            f"data: the columns are {', '.join(columns)}; give {', '.join(family.columns)} and, last, the response."
        )


def check_variation(x, generator, columns):
    """Check the observations that count: enough of them, and a law that is not degenerate."""
    if len(x) <= generator.size:
        raise ValueError(f"data: {len(x)} observations for {generator.size} parameters; give more observations.")
    spread, d = np.ptp(x, axis=0), generator.dim
    if generator.covariates:
        if spread[-1] == 0:
            raise ValueError("data: all responses are equal; the model needs a response that varies.")
        _check_design(x[:, :-1], generator)
        return
    if np.any(spread == 0):
        which = "" if d == 1 else f" in column {columns[int(np.argmin(spread))] if columns else int(np.argmin(spread))}"
        raise ValueError(f"data: all observations are equal{which}; the model needs a sample that varies.")
    if d > 1:
        scaled = (x - x.mean(axis=0)) / x.std(axis=0)
        if np.linalg.matrix_rank(scaled, tol=1e-8 * np.sqrt(x.size)) < d:
            raise ValueError("data: the columns are collinear; drop one that the others determine.")


def _check_design(x, generator):
    """Refuse a linear model whose coefficients the covariates cannot tell apart."""
    family = generator.generator if isinstance(generator, Fixed) else generator
    if not isinstance(family, LinearRegression):
        return
    kept = independent_columns(family.design(x))
    if len(kept) == len(family.coefficients):
        return
    k = next(k for k in range(len(family.coefficients)) if k not in kept)
    name, values = family.coefficients[k], x[:, k - family.intercept]
    why = "is constant" if np.ptp(values) == 0 else "is determined by those before it"
    raise ValueError(f"data: the covariate {name} {why}; drop it.")


def numbers(values) -> np.ndarray:
    """Turn real numbers into float64 of their own memory; text, dates and complex numbers are none."""
    x = np.asarray(values)
    texts = [v for v in x.ravel().tolist() if isinstance(v, (str, bytes))] if x.dtype.kind in "OSUT" else []
    if texts:
        # A file's column of numbers with one slip in it comes as text altogether: show the slip.
        name = f"column {values.name} " if getattr(values, "name", None) is not None else "it "
        raise TypeError(f"{name}holds text such as {shown(next((t for t in texts if not is_number(t)), texts[0]))}")
    if x.dtype.kind not in "iufbO":
        raise TypeError(f"it holds values of type {x.dtype}")
    return np.array(x, np.float64)


def is_number(text) -> bool:
    """Whether a text can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _has_masked(values) -> bool:
    return np.ma.isMaskedArray(values) and bool(np.any(np.ma.getmaskarray(values)))


def first_sentence(error: Exception) -> str:
    """Quote another library's error inside a sentence: its first line, without the full stop."""
    return (str(error).splitlines() or [""])[0].split(". ")[0].rstrip(".")


def checked_seed(seed) -> int:
    """Return a seed as an int; raises ``TypeError`` for anything but a non-negative integer."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise TypeError(f"seed: got {' '.join(repr(seed).split())}; give a non-negative integer.")
    return int(seed)


def normal_quantile(alpha) -> float:
    """Half the width of an interval of level 1 - alpha, in standard errors; refuses an alpha outside (0, 1)."""
    if not isinstance(alpha, (float, np.floating)) or not 0 < alpha < 1:
        raise ValueError(f"alpha: got {alpha!r}; give a number between 0 and 1, such as 0.05 for 95 % intervals.")
    return -float(special.ndtri(alpha / 2))


def chosen_names(cols, names: list[str]) -> list[str]:
    """Return the names that ``cols`` asks for, by name or position; all where it is None."""
    if cols is None:
        return names
    chosen = [cols] if isinstance(cols, (str, int, np.integer)) else list(cols)
    wrong = [c for c in chosen if c not in names and c not in range(len(names))]
    if wrong:
        raise ValueError(f"cols: {wrong[0]!r} is no parameter; give names or positions of {', '.join(names)}.")
    return [c if isinstance(c, str) else names[c] for c in chosen]


def shown(value) -> str:
    """Quote a value in a sentence: on one line, and short."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def checked_generator(generator):
    """Return a generator, or refuse what is none."""
    if isinstance(generator, Generator):
        return generator
    if isinstance(generator, type) or callable(generator):
        raise TypeError(
            f"generator: got {getattr(generator, '__name__', generator)!r}, not an instance; give "
            "hg.generators.Normal() with its parentheses, or decorate your function with @hg.generator(...)."
        )
    raise TypeError(f"generator: got {type(generator).__name__}; give a family of hg.generators or an @hg.generator.")


def checked_discriminator(discriminator, generator: Generator):
    """Return a specification of a discriminator, or refuse what is none."""
    if isinstance(discriminator, Scores) and generator.covariates:
        raise ValueError(
            "discriminator: Scores has none for a law given covariates; give ResidualSigmoids(), or Features(...) of "
            "your own."
        )
    if isinstance(discriminator, Discriminator):
        return discriminator
    raise TypeError(
        f"discriminator: got {shown(discriminator)}; give an instance such as hg.discriminators.Sigmoids(16), or None."
    )


def checked_loss(loss) -> Loss:
    """Return a loss from its name; try a user's own on an array."""
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


def checked_weights(weights, n):
    """Return observation weights (n,), not negative and at least two of them positive."""
    masked = _has_masked(weights)
    try:
        weights = numbers(weights)
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


def checked_points(points, dim: int) -> np.ndarray:
    """Return points at which to evaluate something, (k, dim)."""
    try:
        x = numbers(points)
    except (TypeError, ValueError):
        raise TypeError("points: not numeric; give numbers of the data's scale.") from None
    x = np.atleast_1d(x)
    x = x[:, None] if x.ndim == 1 and dim == 1 else x[None] if x.ndim == 1 else x
    if x.ndim != 2 or x.shape[1] != dim or not len(x):
        raise ValueError(
            f"points: shape {np.shape(points)}; give points of shape {'(k,)' if dim == 1 else f'(k, {dim})'}."
        )
    if not np.all(np.isfinite(x)):
        raise ValueError("points: some are NaN or infinite; give finite points.")
    return x


def checked_groups(groups, n: int) -> list[np.ndarray]:
    """Return the clusters of n observations, one or two ways, as codes 0, 1, ..."""
    import pandas as pd

    if np.ndim(groups) not in (1, 2):
        raise ValueError(f"groups: shape {np.shape(groups)}; give a cluster, or two, for each of the {n} observations.")
    frame = pd.DataFrame(groups).reset_index(drop=True)
    if len(frame) != n or frame.shape[1] not in (1, 2):
        raise ValueError(f"groups: shape {np.shape(groups)}; give a cluster, or two, for each of the {n} observations.")
    if frame.isna().to_numpy().any():
        raise ValueError("groups: some are missing; give a cluster for every observation.")
    codes = [pd.factorize(frame[c])[0] for c in frame.columns]
    if any(each.max() == 0 for each in codes):
        raise ValueError("groups: all observations are in one cluster; give at least two.")
    return codes


def checked_start(start, generator) -> np.ndarray:
    """Return starting values (p,) on the unconstrained scale."""
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
        values = numbers(values)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(names),):
        raise ValueError(f"start: got {shown(start)}; give a number for each of {', '.join(names)}.")
    return generator.named(values)
