"""Names that some results cannot have: they are not listed, and say why where they are asked for."""

from collections.abc import Callable
from typing import Any


class OnlyWhere:
    """A method or property of those fits only for which ``reason`` is empty; of others an ``AttributeError``.

    Parameters
    ----------
    function : callable or None
        The method, or with ``is_property`` what the property computes; None for a name that no fit has.
    reason : callable
        Gives the reason, the end of a sentence, why a fit does not have the name; empty where it does.
    is_property : bool
    """

    def __init__(self, function: Callable | None, reason: Callable[[Any], str], is_property: bool = False):
        self.function, self.reason, self._is_property = function, reason, is_property
        self.__doc__ = function.__doc__ if function else None

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, fit, owner=None) -> Any:
        if fit is None:
            return self
        reason = self.reason(fit)
        if self.function is None or reason:
            raise AttributeError(f"{self._name}: {reason}.")
        return self.function(fit) if self._is_property else self.function.__get__(fit, owner)

    # Without this, what is assigned to an instance would hide the refusal.
    def __set__(self, fit, value):
        raise AttributeError(f"{self._name}: a result is made by a fit and does not change.")


def never(reason: str) -> Any:
    """A name that statsmodels' results have and these cannot have, for a reason that is the end of a sentence."""
    return OnlyWhere(None, lambda fit: reason)


def available(fit, names) -> list[str]:
    """Those of some names of a fit that it has."""
    found = ((name, getattr(type(fit), name, None)) for name in names)
    return [name for name, of in found if not (isinstance(of, OnlyWhere) and (of.function is None or of.reason(fit)))]
