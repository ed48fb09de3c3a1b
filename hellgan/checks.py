"""Checks of arguments: every refusal is one sentence that names the argument and the remedy."""

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
    return np.array(x, np.float64)


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
    """Quote another library's error inside a sentence: its first line, without the full stop."""
    return (str(error).splitlines() or [""])[0].split(". ")[0].rstrip(".")


def first_line(error: Exception) -> str:
    """Say in one line what an exception is."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


def checked_seed(seed) -> int:
    """Return a seed as an int; raises ``TypeError`` for anything but a non-negative integer."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise TypeError(f"seed: got {' '.join(repr(seed).split())}; give a non-negative integer.")
    return int(seed)


def normal_quantile(alpha) -> float:
    """Half the width of a normal interval of level 1 - alpha, in standard errors; refuses an alpha outside (0, 1)."""
    if not isinstance(alpha, (float, np.floating)) or not 0 < alpha < 1:
        raise ValueError(f"alpha: got {alpha!r}; give a number between 0 and 1, such as 0.05 for 95 % intervals.")
    from scipy import special

    return -float(special.ndtri(alpha / 2))


def chosen_names(cols, names: list[str]) -> list[str]:
    """Return the names that ``cols`` asks for, by name or position; all names where ``cols`` is None."""
    if cols is None:
        return names
    wanted = f"names or positions of {', '.join(names)}"
    chosen = [cols] if isinstance(cols, (str, int, np.integer)) else checked_sequence("cols", cols, wanted)
    wrong = [c for c in chosen if c not in names and c not in range(len(names))]
    if wrong:
        raise ValueError(f"cols: {wrong[0]!r} is no parameter; give names or positions of {', '.join(names)}.")
    return [c if isinstance(c, str) else names[c] for c in chosen]


def shown(value) -> str:
    """Quote a value in a sentence: on one line, and short."""
    text = " ".join(repr(value).split())
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


def checked_number(name: str, value, least: float = -np.inf, most: float = np.inf, what: str = "a number") -> float:
    """Return a finite number between two bounds, themselves not among them, or refuse it; ``what`` is wanted."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.complexfloating))
    if not is_number or not least < value < most:
        raise ValueError(f"{name}: got {shown(value)}; give {what}.")
    return float(value)


def checked_sequence(name: str, values, what: str) -> list:
    """Return what is given one after the other as a list, or refuse what is no sequence; ``what`` is wanted."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name}: got {shown(values)}; give {what}.")
    return list(values)


def checked_count(name: str, value, least: int = 1) -> int:
    """Return an integer of at least ``least``, or refuse it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: got {value!r}; give an integer of at least {least}.")
    return int(value)
