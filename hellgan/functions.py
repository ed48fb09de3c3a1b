"""Users' functions as compiled programs see them: others as soon as what they are made of has changed."""

import dataclasses
import functools
import weakref
from collections.abc import Callable
from typing import Any

import jax

from hellgan.definitions import definition, digest, untold


class OwnFunction:
    """A user's function, equal to another if that is the same function in the same state.

    JAX compiles a function once and asks no more what it does. So that a program never answers for what its function
    was before, the state at the time of wrapping is part of the comparison, and a call in another state is refused: a
    program traced then would disagree with those that are there. A function that changes its own surroundings when it
    is called, or whose state cannot be told, is equal to nothing but what is wrapped with it.

    Parameters
    ----------
    function : callable
    what : str
        The argument that it was given as, for errors.
    """

    def __init__(self, function: Callable, what: str):
        functools.update_wrapper(self, function)
        self.function, self.what = function, what
        described = definition(function)
        self.state: object = digest(function) if untold(described) is None else object()

    @property
    def is_as_wrapped(self) -> bool:
        """Whether the function is what it was when it was wrapped, as far as that can be told."""
        return not isinstance(self.state, str) or digest(self.function) == self.state

    def require_unchanged(self) -> None:
        """Refuse a function that has changed.

        Raises
        ------
        ValueError
            Where what the function reads, as attributes or variables, is not what it was.
        """
        if not self.is_as_wrapped:
            name = getattr(self.function, "__name__", type(self.function).__name__)
            raise ValueError(
                f"{self.what}: what the function {name} reads has changed since it was given; give it anew, as by "
                "@hg.generator(...)(function), hg.Loss(function) or Features(function)."
            )

    def __call__(self, *arguments, **named):
        self.require_unchanged()
        returned = self.function(*arguments, **named)
        if not self.is_as_wrapped:
            self.state = object()
        return returned

    def __eq__(self, other):
        if not isinstance(other, OwnFunction) or self.state != other.state:
            return False
        return self.function is other.function or (hash(self) == hash(other) and bool(self.function == other.function))

    def __hash__(self):
        try:
            return hash((self.function, self.state))
        except TypeError:  # of an object that cannot be hashed
            return hash((id(self.function), self.state))

    def __reduce__(self):
        return OwnFunction, (self.function, self.what)  # a copy in another process has a state of its own


def owned(function: Any, what: str) -> Any:
    """Wrap a function unless it is this package's, wrapped before, or none at all."""
    is_ours = (getattr(function, "__module__", None) or "").split(".")[0] == "hellgan"
    return OwnFunction(function, what) if callable(function) and not is_ours else function


def require_unchanged(part: Any) -> None:
    """Refuse a record, such as a generator or a loss, that holds a user's function which has changed.

    Of a user's own class, whose programs may stand under its name although a method or an attribute of it is another
    now, all compiled programs are forgotten.
    """
    if isinstance(part, OwnFunction):
        part.require_unchanged()
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        for field in dataclasses.fields(part):
            require_unchanged(getattr(part, field.name, None))
        if not type(part).__module__.startswith("hellgan."):
            _note(type(part))


_CLASSES: weakref.WeakKeyDictionary[type, str] = weakref.WeakKeyDictionary()


def _note(cls: type) -> None:
    now = digest(cls)
    if _CLASSES.setdefault(cls, now) != now:
        _CLASSES[cls] = now
        jax.clear_caches()
