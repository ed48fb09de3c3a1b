"""What an object is, in plain words that do not change from run to run: the ground of a study's keys and hashes.

Two objects of one definition give the same numbers. A function is defined by its source (its bytecode where there is
none), its defaults and what it closes over; what it finds in its module when called is not part of it. Functions and
classes of this package are defined by their names: the package's version stands beside them in the manifest.
"""

import dataclasses
import functools
import hashlib
import inspect
import json
import types
from collections.abc import Mapping
from typing import Any

import numpy as np

from hellgan.checks import shown


def definition(thing: Any) -> Any:
    """Describe an object by JSON values.

    Raises
    ------
    TypeError
        For an object that has no definition.
    """
    if thing is None or isinstance(thing, (bool, int, str)):
        return thing
    if isinstance(thing, float):
        return thing if np.isfinite(thing) else repr(thing)
    if isinstance(thing, np.generic):
        return definition(thing.item())
    if isinstance(thing, np.ndarray) or hasattr(thing, "__jax_array__") or type(thing).__module__.startswith("jaxlib"):
        return definition(np.asarray(thing).tolist())
    if isinstance(thing, Mapping):
        return {str(key): definition(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple, range)):
        return [definition(value) for value in thing]
    if isinstance(thing, functools.partial):
        return {"partial": definition(thing.func), "args": definition(thing.args), "kwargs": definition(thing.keywords)}
    if isinstance(thing, type):
        return {"class": _place(thing), **({} if _is_ours(thing) else {"source": _source(thing)})}
    if isinstance(thing, types.MethodType):
        return {"method": thing.__func__.__qualname__, "of": definition(thing.__self__)}
    if callable(thing) and hasattr(thing, "__code__"):
        return _of_function(thing)
    if callable(thing) and hasattr(thing, "__wrapped__"):
        return definition(vars(thing)["__wrapped__"])
    if isinstance(thing, (types.BuiltinFunctionType, np.ufunc)):
        return {"builtin": getattr(thing, "__qualname__", thing.__name__)}
    return _of_record(thing)


def digest(thing: Any) -> str:
    """Hash a definition: 16 hexadecimal digits."""
    text = json.dumps(definition(thing), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _of_function(function):
    if _is_ours(function):
        return {"function": _place(function)}
    closed = [cell.cell_contents for cell in function.__closure__ or ()]
    return {
        "function": function.__name__,
        "source": _source(function),
        "defaults": definition([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]),
        "closed": [None if value is function else definition(value) for value in closed],
    }


def _of_record(thing):
    cls = type(thing)
    if dataclasses.is_dataclass(thing):
        fields = {field.name: definition(getattr(thing, field.name)) for field in dataclasses.fields(thing)}
    elif hasattr(thing, "_asdict"):
        fields = definition(thing._asdict())
    elif hasattr(thing, "__dict__"):
        fields = definition(vars(thing))
    else:
        raise TypeError(f"definition: {shown(thing)} cannot be described; give numbers, functions or dataclasses.")
    return {**definition(cls), "fields": fields}


def _place(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def _is_ours(thing):
    return (getattr(thing, "__module__", None) or "").split(".")[0] == "hellgan"


def _source(thing):
    try:
        return inspect.cleandoc(inspect.getsource(thing))
    except (OSError, TypeError):
        code = getattr(thing, "__code__", None)
        return _place(thing) if code is None else _of_code(code)


def _of_code(code):
    constants = [_of_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    return [code.co_code.hex(), constants, list(code.co_names)]
