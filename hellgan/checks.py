"""Checks of arguments: every refusal is one sentence that names the argument and the remedy."""

from typing import Any

import numpy as np


def numbers(values) -> np.ndarray:
    """Copy real numbers into a new float64 array; raises ``TypeError`` for text, dates and complex numbers."""
    try:
        x = np.asarray(values)
    except TypeError as error:
        if "traced array" not in str(error):
            raise
        raise TypeError("it is traced, as by jax.jit, grad or vmap, and has no numbers yet") from None
    texts = [v for v in x.ravel().tolist() if isinstance(v, (str, bytes))] if x.dtype.kind in "OSUT" else []
    if texts:
        # A column of a file in which one value is no number is read as text altogether: show that value.
        name = f"column {values.name} " if getattr(values, "name", None) is not None else "it "
        raise TypeError(f"{name}holds text such as {shown(next((t for t in texts if not is_number(t)), texts[0]))}")
    if x.dtype.kind not in "iufbO":
        raise TypeError(f"it holds values of type {x.dtype}")
    if x.dtype.kind == "O" and hasattr(values, "isna"):  # pandas has a missing value that is no number
        x = np.where(np.asarray(values.isna()), np.nan, x)
    try:
        return np.array(x, np.float64)
    except OverflowError:
        raise TypeError("it holds numbers beyond double precision") from None


def is_number(text) -> bool:
    """Whether a text can be read as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def has_masked(values) -> bool:
    """Whether some values of a masked array are masked."""
    return np.ma.isMaskedArray(values) and bool(np.any(np.ma.getmaskarray(values)))


def first_sentence(error: Exception) -> str:
    """Quote another library's error inside a sentence: its first line, without the full stop, and not all if long."""
    said = (str(error).splitlines() or [""])[0].split(". ")[0].rstrip(".")
    return said if len(said) <= 300 else f"{said[:300]} ..."


def first_line(error: Exception) -> str:
    """Say in one line what an exception is."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def checked_seed(seed, name: str = "seed") -> int:
    """Return a seed as an int; raises ``TypeError`` for anything but a non-negative integer."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise TypeError(f"{name}: got {' '.join(repr(seed).split())}; give a non-negative integer.")
    return int(seed)


def normal_quantile(alpha) -> float:
    """Half the width of a normal interval of level 1 - alpha, in standard errors; refuses an alpha outside (0, 1)."""
    if not isinstance(alpha, (float, np.floating)) or not 0 < alpha < 1:
        raise ValueError(f"alpha: got {shown(alpha)}; give a number between 0 and 1, such as 0.05 for 95 % intervals.")
    from scipy import special

    return -float(special.ndtri(alpha / 2))


def chosen_names(cols: Any, names: list[str], argument: str = "cols") -> list[str]:
    """Return the names that ``cols`` asks for, by name or position; all names where it is None."""
    if cols is None:
        return names
    several = isinstance(cols, (list, tuple, range)) or (hasattr(cols, "tolist") and np.ndim(cols) == 1)
    chosen = list(cols) if several else [cols]
    kinds = (str, int, np.integer)
    wrong = [c for c in chosen if not isinstance(c, kinds) or (c not in names and c not in range(len(names)))]
    if wrong:
        raise ValueError(
            f"{argument}: {shown(wrong[0])} is no parameter; give names or positions of {', '.join(names)}."
        )
    return [c if isinstance(c, str) else names[int(c)] for c in chosen]  # pyright: ignore[reportArgumentType]


def is_one_of(value, known) -> bool:
    """Whether a value is one of some words; of an array ``in`` alone would compare the elements."""
    return isinstance(value, str) and value in known


def shown(value) -> str:
    """Quote a value in a sentence: on one line, and short."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # any: of an object whose own text fails
        text = f"an object of type {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def checked_points(points, dim: int) -> np.ndarray:
    """Return points given by a user as finite numbers (k, dim), or refuse them."""
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
    """Return the clusters of n observations, one or two ways, as codes 0, 1, ..., (n,) for each way."""
    import pandas as pd

    try:
        shape = np.asarray(groups).shape
    except (ValueError, TypeError):
        raise ValueError("groups: they make no array; give a cluster, or two, for each observation.") from None
    if len(shape) not in (1, 2):
        raise ValueError(f"groups: shape {shape}; give a cluster, or two, for each of the {n} observations.")
    frame = pd.DataFrame(groups).reset_index(drop=True)
    if len(frame) != n or frame.shape[1] not in (1, 2):
        raise ValueError(f"groups: shape {shape}; give a cluster, or two, for each of the {n} observations.")
    if frame.isna().to_numpy().any():
        raise ValueError("groups: some are missing; give a cluster for every observation.")
    codes = [pd.factorize(frame[c])[0] for c in frame.columns]
    if any(each.max() == 0 for each in codes):
        raise ValueError("groups: all observations are in one cluster; give at least two.")
    return codes


def checked_sequence(name: str, values, what: str) -> list:
    """Return what is given one after the other as a list, or refuse what is no sequence; ``what`` is wanted."""
    if (
        isinstance(values, (str, bytes))
        or not hasattr(values, "__iter__")
        or (hasattr(values, "ndim") and not values.ndim)
    ):
        raise TypeError(f"{name}: got {shown(values)}; give {what}.")
    return list(values)


def checked_real(name: str, value, advice: str, least: float = 0.0, most: float = np.inf) -> float:
    """Return a finite number above ``least`` and of at most ``most``, or refuse it with some advice."""
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    try:
        number = float(value) if is_number else np.nan
    except OverflowError:
        number = np.inf
    if not (least < number <= most and np.isfinite(number)):
        raise ValueError(f"{name}: got {shown(value)}; give {advice}.")
    return number


def checked_numbers(name: str, values) -> dict[str, float]:
    """Return numbers by name, or refuse what are none."""
    try:
        if not all(isinstance(each, str) for each in values):
            raise TypeError
        return {each: float(value) for each, value in values.items()}
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise TypeError(f"{name}: got {shown(values)}; give a number for each name.") from None


def checked_texts(name: str, values, known, what: str) -> list[str]:
    """Return some of the names ``known``, given as one name or several, or refuse what is none of them."""
    given = [values] if isinstance(values, str) else values
    if not isinstance(given, (list, tuple)) and not (hasattr(given, "tolist") and np.ndim(given) == 1):
        raise TypeError(f"{name}: got {shown(values)}; give {what}, of {', '.join(known)}.")
    found = list(given)
    wrong = [each for each in found if not isinstance(each, str) or each not in known]
    if not found:
        raise ValueError(f"{name}: got {shown(values)}; give {what}, of {', '.join(known)}.")
    if wrong:
        raise ValueError(f"{name}: {shown(wrong[0])} is not known; give {what}, of {', '.join(known)}.")
    return found


def checked_count(name: str, value, least: int = 1) -> int:
    """Return an integer of at least ``least``, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: got {shown(value)}; give an integer of at least {least}.")
    return int(value)
