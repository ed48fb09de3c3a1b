"""A study's design: its cells, from crossed factors, and the methods that run in each."""

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hellgan.checks import first_line, shown
from hellgan.definitions import digest
from hellgan.generators import Generator
from hellgan.montecarlo.contaminations import Contamination, as_tuple, label_of, share_of
from hellgan.montecarlo.method import Method, Setting
from hellgan.montecarlo.truths import Truth

Label = str | int | float


@dataclasses.dataclass(frozen=True)
class Cell:
    """One combination of the factors.

    Attributes
    ----------
    key : str
        Hash of truth, contamination and n: 16 hexadecimal digits. The same key, the same samples.
    labels : dict of str to label
        The factors' levels, as tables show them.
    truth, contaminations, n
        Where samples come from, what happens to them, and how many observations they have.
    """

    key: str
    labels: Mapping[str, Label]
    truth: Truth
    contaminations: tuple[Contamination, ...]
    n: int

    def samples(self, streams) -> np.ndarray:
        """Draw the samples of some replicates: (R, n) or (R, n, d)."""
        return self.truth.samples(self.n, streams, self.contaminations)

    def setting(self, level: float, dim: int) -> Setting:
        return Setting(self.truth.generator, self.n, dim, tuple(self.truth.estimands), level)

    @property
    def share(self) -> float:
        """Share of foreign observations."""
        return share_of(self.contaminations)

    def __str__(self):
        return ", ".join(f"{name} = {label}" for name, label in self.labels.items())


@dataclasses.dataclass(frozen=True)
class Plan:
    """A method in the cells it runs in.

    Attributes
    ----------
    hash : str
        Hash of the method's definition.
    definition : JSON value
    replications : int
        In each cell.
    cells : tuple of str
        Keys of the cells.
    """

    name: str
    method: Method
    hash: str
    definition: Any
    replications: int
    cells: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Design:
    """All cells and methods; what a worker gets."""

    cells: Mapping[str, Cell]
    plans: Mapping[str, Plan]
    seed: int
    level: float
    factors: tuple[str, ...]


def cells_of(truth, contamination, n, factors: Mapping[str, Sequence], where) -> dict[str, Cell]:
    """Cross the factors: truths, departures, sample sizes, and further factors of which truths may be functions."""
    if not isinstance(factors, Mapping) or not all(isinstance(name, str) for name in factors):
        raise TypeError(f"factors: got {shown(factors)}; give a dict of names and levels, as in {{'df': [3, 10]}}.")
    truths = _levels("truth", truth)
    departures = {"": contamination} if _is_function(contamination) else _departures(contamination)
    several = isinstance(n, (list, tuple, range)) or (isinstance(n, np.ndarray) and n.ndim == 1)
    sizes = {size: size for size in map(_checked_size, list(n) if several else [n])}
    if not sizes:
        raise ValueError("n: no sample sizes; give at least one.")
    crossed: dict[str, Any] = {"truth": truths, **{name: _levels(name, values) for name, values in factors.items()}}
    crossed |= {"contamination": departures, "n": sizes}
    clash = [name for name in factors if name in ("truth", "contamination", "n", "method", "parameter", "replicate")]
    if clash:
        raise ValueError(f"factors: {shown(clash[0])} is taken; choose another name.")
    used = {name for made in (*truths.values(), *departures.values()) for name in _factors_of(made, factors)}
    if set(factors) - used:
        raise ValueError(
            f"factors: nothing depends on {next(name for name in factors if name not in used)}; give truth= or "
            "contamination= as a function of it."
        )
    shown_names = [name for name, levels in crossed.items() if name in ("n", *factors) or list(levels) != [""]]
    cells: dict[str, Cell] = {}
    for chosen in itertools.product(*(levels.items() for levels in crossed.values())):
        pairs = dict(zip(crossed, chosen, strict=True))
        labels = {name: pairs[name][0] for name in shown_names}
        if not matches(where, labels, shown_names):
            continue
        values = {name: pairs[name][1] for name in factors}
        base, departure, size = (_made(pairs[name][1], values) for name in ("truth", "contamination", "n"))
        if not isinstance(base, Truth):
            raise TypeError(f"truth: the function returned {shown(base)}; it must return hg.truth(...).")
        departure = as_tuple(departure)
        key = digest([base, departure, size])
        if key in cells:
            raise ValueError(f"cells: {labels} and {dict(cells[key].labels)} are the same; give each level once.")
        cells[key] = Cell(key, labels, base, departure, size)
    if not cells:
        raise ValueError("where: no cell is left; let it hold for at least one.")
    return cells


def matches(where, labels: Mapping[str, Label], factors: Sequence[str]) -> bool:
    """Whether a cell is meant: ``where`` maps factors to levels, or is a function of the labels."""
    if where is None:
        return True
    if isinstance(where, Mapping):
        unknown = [name for name in where if name not in factors]
        if unknown:
            raise ValueError(f"where: {shown(unknown[0])} is no factor; the study has {', '.join(factors)}.")
        return all(labels[name] in _as_list(values) for name, values in where.items())
    if isinstance(where, Callable):
        return bool(_called("where", where, labels))
    raise TypeError(f"where: got {shown(where)}; give factor: levels, or a function of the factors.")


def checked_count(name: str, value) -> int:
    """Return a positive whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name}: got {shown(value)}; give a positive whole number.")
    return int(value)


def _checked_size(n) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"n: got {shown(n)}; give whole numbers of at least 2 observations.")
    return int(n)


def _levels(name, given) -> dict[Label, Any]:
    if isinstance(given, Mapping):
        levels = {str(label): value for label, value in given.items()}
    elif isinstance(given, (list, tuple, range)) or (isinstance(given, np.ndarray) and given.ndim == 1):
        values = [value.item() if isinstance(value, np.generic) else value for value in given]
        simple = all(isinstance(value, (str, int, float)) for value in values)
        levels = {value if simple else k + 1: value for k, value in enumerate(values)}
        if len(levels) < len(values):
            raise ValueError(f"{name}: {shown(given)} has a level twice; give each once.")
    else:
        levels = {"": given}
    if not levels:
        raise ValueError(f"{name}: no levels; give at least one.")
    if name == "truth":
        for value in levels.values():
            if not isinstance(value, Truth) and (isinstance(value, Generator) or not callable(value)):
                raise TypeError(f"truth: got {shown(value)}; give hg.truth(generator, parameter=value, ...).")
    return levels


def _is_function(thing) -> bool:
    return callable(thing) and not isinstance(thing, (Truth, Generator))


def _factors_of(thing, factors) -> list[str]:
    """Name the factors that a function takes."""
    if not _is_function(thing):
        return []
    try:
        return [name for name in inspect.signature(thing).parameters if name in factors]
    except (TypeError, ValueError):  # some builtins tell nothing
        return []


def _made(thing, values):
    """Call a function of factors with those that it takes."""
    taken = {name: values[name] for name in _factors_of(thing, values)}
    return _called("truth or contamination", thing, taken) if _is_function(thing) else thing


def _called(what, function, taken):
    try:
        return function(**taken)
    except (TypeError, AttributeError, KeyError) as error:
        raise TypeError(
            f"{what}: the function fails for {taken} ({first_line(error)}); let it take factors."
        ) from error


def _departures(given) -> dict[Label, tuple[Contamination, ...]]:
    if isinstance(given, Mapping):
        if not given:
            raise ValueError("contamination: no levels; give at least one, or None.")
        return {str(label): as_tuple(value, f"contamination: {label}") for label, value in given.items()}
    several = [as_tuple(value) for value in (given if isinstance(given, list) else [given])]
    levels = {label_of(each): each for each in several}
    if len(levels) < len(several) or not levels:
        raise ValueError("contamination: give each departure once, or names: {'near': hg.Cluster(...), ...}.")
    return levels  # pyright: ignore[reportReturnType]


def _as_list(values):
    return [values] if np.ndim(values) == 0 else list(values)
