"""What an object is, in plain words that do not change from run to run: the ground of a study's keys and hashes.

Two objects of one definition give the same numbers. A user's function is defined by its compiled code, its defaults,
what it closes over, what it wraps, its attributes, and what it finds in its module by name: values, and functions with
all that they find in turn. What this package, Python or an installed package has is defined by its name: the versions
stand beside the definitions in a study's manifest. Where an object cannot be told from another of its type (a lock, an
open file), its definition says so, and ``untold`` finds it.
"""

import copyreg
import dataclasses
import dis
import enum
import functools
import hashlib
import json
import os
import site
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping, Set
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import core

VERSION = 2  # of what a definition takes in; 1 knew functions by their source text

_UNTOLD = "untold"
_LARGE = 4096  # numbers of an array, from where its bytes are hashed instead of listed
_DEEP, _MANY = 60, 50_000  # an object that leads deeper, or to more, is not told
_NEW = getattr(copyreg, "__newobj__")  # noqa: B009  # makes an object of its class alone
_BUILT_IN = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)
_WRAPPERS = ("jaxlib", "functools", "hellgan")  # whose types that wrap a function say nothing more of it
# What stands in a class beside what its author wrote.
_NO_PART = ("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__firstlineno__")


def definition(thing: Any) -> Any:
    """Describe an object by JSON values."""
    return _Describer().described(thing)


def digest(thing: Any) -> str:
    """Hash a definition: 16 hexadecimal digits."""
    return _hashed(definition(thing))


def untold(described: Any) -> str | None:
    """Name a type of which a definition, as ``definition`` gave it, cannot tell one object from another; or None."""
    if isinstance(described, dict):
        if isinstance(described.get(_UNTOLD), str) and len(described) == 1:
            return described[_UNTOLD]
        described = list(described.values())
    if isinstance(described, list):
        return next((found for each in described if (found := untold(each)) is not None), None)
    return None


class _Describer:
    """Describes one object; functions and classes that it meets again are told by their number."""

    def __init__(self):
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []  # what was made on the way: its id must not be another's
        self.path: list[int] = []
        self.left = _MANY

    def described(self, thing: Any) -> Any:
        self.left -= 1
        if isinstance(thing, enum.Enum):
            return {"enum": _qualified(type(thing)), "name": thing.name}
        if thing is None or isinstance(thing, (bool, int, str)):
            return thing
        if isinstance(thing, float):
            return float(thing) if np.isfinite(thing) else repr(float(thing))
        if isinstance(thing, (complex, bytes, bytearray)) or thing is ... or thing is NotImplemented:
            return {type(thing).__name__: repr(thing)}
        if isinstance(thing, np.generic):
            value = thing.item()
            return repr(thing) if isinstance(value, np.generic) else self.described(value)
        if id(thing) in self.path:
            return {"again": len(self.path) - self.path.index(id(thing))}
        if self.left < 0 or len(self.path) > _DEEP:
            return {_UNTOLD: f"{_qualified(type(thing))}, which leads to too much,"}
        self.path.append(id(thing))
        try:
            return self._of_object(thing)
        finally:
            self.path.pop()

    def _of_object(self, thing: Any) -> Any:
        if isinstance(thing, (np.ndarray, jax.Array)):
            return self._of_array(thing)
        if isinstance(thing, Mapping):
            if all(isinstance(key, str) for key in thing):
                return {key: self.described(value) for key, value in thing.items()}
            return {"map": [[self.described(key), self.described(value)] for key, value in thing.items()]}
        if isinstance(thing, tuple) and hasattr(thing, "_asdict"):
            made: Any = thing
            return {**self.described(type(thing)), "fields": self.described(made._asdict())}
        if isinstance(thing, range) and len(thing) > _LARGE:
            return {"range": [thing.start, thing.stop, thing.step]}
        if isinstance(thing, (list, tuple, range)):
            return [self.described(value) for value in thing]
        if isinstance(thing, Set):
            return {"set": sorted((self.described(value) for value in thing), key=_text)}
        if isinstance(thing, types.ModuleType):
            return {"module": thing.__name__}
        if isinstance(thing, functools.partial):
            parts = {"partial": thing.func, "args": thing.args, "kwargs": thing.keywords}
            return {name: self.described(part) for name, part in parts.items()}
        if isinstance(thing, types.CodeType):
            return self._of_code(thing)
        if isinstance(thing, (type, types.FunctionType)):
            return self._once(thing)
        if isinstance(thing, types.MethodType):
            return {"method": self.described(thing.__func__), "of": self.described(thing.__self__)}
        if isinstance(thing, (staticmethod, classmethod)):
            return {type(thing).__name__: self.described(thing.__func__)}
        if isinstance(thing, property):
            return {"property": [self.described(part) for part in (thing.fget, thing.fset)]}
        if isinstance(thing, functools.cached_property):
            return {"property": [self.described(thing.func)]}
        if isinstance(thing, _BUILT_IN):
            of = getattr(thing, "__self__", None)
            bound = {} if of is None or isinstance(of, types.ModuleType) else {"of": self.described(of)}
            return {"builtin": thing.__qualname__, **bound}
        if isinstance(thing, np.ufunc):
            known = any(getattr(sys.modules.get(m), thing.__name__, None) is thing for m in ("numpy", "scipy.special"))
            return {"builtin": thing.__name__} if known else {_UNTOLD: f"ufunc {thing.__name__}"}
        if _is_installed(thing) and _is_named(thing):
            return {"function": _place(thing)}
        if hasattr(thing, "__wrapped__") and type(thing).__module__.split(".")[0] in _WRAPPERS:
            return self.described(thing.__wrapped__)
        return self._of_record(thing)

    def _of_array(self, thing):
        if isinstance(thing, core.Tracer):
            return {_UNTOLD: "traced array"}
        if isinstance(thing, jax.Array) and jnp.issubdtype(thing.dtype, jax.dtypes.prng_key):
            with jax.ensure_compile_time_eval():  # this is asked while a user's function is traced, too
                return {"key": np.asarray(jax.random.key_data(thing)).tolist()}
        x = np.asarray(thing)
        if x.dtype.hasobject:
            return [self.described(value) for value in x.ravel().tolist()]
        if x.size > _LARGE:
            return {"array": _hash(np.ascontiguousarray(x).tobytes()), "dtype": x.dtype.str, "shape": list(x.shape)}
        values = self.described(x.tolist())
        is_plain = x.dtype.kind in "bU" or (x.dtype.kind in "iuf" and x.dtype.itemsize == 8)
        return values if is_plain else {"dtype": x.dtype.str, "of": values}

    def _once(self, thing):
        """Describe a function or a class, or tell which of those before it is."""
        if id(thing) in self.seen:
            return {"met": self.seen[id(thing)]}
        if isinstance(thing, type):
            if _is_installed(thing):
                return {"class": _place(thing)}
            describe = self._of_class
        else:
            describe = self._of_function
        self.seen[id(thing)] = len(self.seen)
        self.kept.append(thing)
        return describe(thing)

    def _of_class(self, cls):
        parts = {name: part for name, part in vars(cls).items() if self._is_part(name, part)}
        bases = [self.described(base) for base in cls.__bases__ if base is not object]
        return {"class": cls.__qualname__, "bases": bases, "parts": self.described(parts)}

    def _is_part(self, name, part) -> bool:
        code = getattr(part, "__code__", None)
        if name in _NO_PART or name.startswith(("_abc_", "__abstract", "__static")):
            return False
        if name.startswith("__") and name.endswith("__"):  # of dunders what is written in a file, and no slots
            return code is not None and not code.co_filename.startswith("<string>") and not _is_installed(part)
        return not isinstance(part, (types.MemberDescriptorType, types.GetSetDescriptorType))

    def _of_function(self, function):
        closed = dict(zip(function.__code__.co_freevars, map(_content, function.__closure__ or ()), strict=True))
        if _is_installed(function):
            # What another package's factory made is told by what it was made of; this one's have names that tell.
            from_factory = "<" in function.__qualname__ and not function.__module__.startswith("hellgan.")
            made = {"closed": closed, "defaults": function.__defaults__} if from_factory else {}
            return {"function": _place(function), **{name: self.described(part) for name, part in made.items()}}
        attributes = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
        parts = {
            "code": _hashed(self._of_code(function.__code__)),
            "defaults": [function.__defaults__, function.__kwdefaults__],
            "closed": closed,
            "globals": _found(function, closed),
            "wrapped": vars(function).get("__wrapped__"),
            "attributes": attributes,
        }
        told = {name: self.described(part) for name, part in parts.items() if part}
        return {"function": function.__name__, **told}

    def _of_code(self, code):
        constants = [self.described(constant) for constant in code.co_consts]
        names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
        numbers = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
        text = [code.co_code.hex(), code.co_exceptiontable.hex()]
        return [*text, constants, [list(each) for each in names], numbers]

    def _of_record(self, thing):
        cls = type(thing)
        if dataclasses.is_dataclass(thing):
            fields: Any = {field.name: getattr(thing, field.name, None) for field in dataclasses.fields(thing)}
        else:
            fields = _state(thing)
            if fields is None:
                return {_UNTOLD: _qualified(cls)}
        self.kept.append(fields)
        return {**self.described(cls), "fields": self.described(fields)}


def _state(thing) -> Any:
    """Give what an object would be copied by; None where it cannot be."""
    try:
        made, arguments, *state = thing.__reduce_ex__(4)[:5]
    except Exception:  # any: objects may refuse as they like
        return vars(thing) if hasattr(thing, "__dict__") else None
    of_class = ((name, getattr(type(thing), name, None)) for name in dir(type(thing)))
    cached = {name for name, part in of_class if isinstance(part, functools.cached_property)}
    state = [dict(each) if isinstance(each, Mapping) else each for each in state]
    state = [list(each) if isinstance(each, Iterator) else each for each in state]
    if state and isinstance(state[0], dict):
        state[0] = {name: value for name, value in state[0].items() if name not in cached}
    if made is _NEW and len(arguments) <= 1 and not any(state[1:]):
        return state[0] if state and state[0] is not None else {}
    return [made, list(arguments), *state]


def _found(function, closed: Mapping[str, Any]) -> dict[str, Any]:
    """Find what a function names, itself and in functions inside it: its module's things, and modules' attributes."""
    codes, found = [function.__code__], {}
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        steps = list(dis.get_instructions(code))
        for k, step in enumerate(steps):
            space = function.__globals__ if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") else closed
            if step.opname not in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF") or step.argval not in space:
                continue
            path, value = step.argval, space[step.argval]
            for after in steps[k + 1 :]:
                is_attribute = after.opname in ("LOAD_ATTR", "LOAD_METHOD") and isinstance(value, types.ModuleType)
                if not is_attribute or not hasattr(value, after.argval):
                    break
                path, value = f"{path}.{after.argval}", getattr(value, after.argval)
            if space is not closed or path != step.argval:
                found[path] = value
    return found


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


@functools.cache
def _folders() -> tuple[str, ...]:
    """Folders of what is installed: Python's own modules, and packages."""
    paths = sysconfig.get_paths()
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")] + user
    return tuple(os.path.realpath(path) + os.sep for path in found)


@functools.lru_cache(maxsize=4096)
def _is_installed_root(name: str) -> bool:
    if name in ("hellgan", "builtins") or name in sys.builtin_module_names or name in sys.stdlib_module_names:
        return True
    module = sys.modules.get(name)
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(os.path.realpath(place).startswith(_folders()) for place in places if place)


def _is_installed(thing) -> bool:
    """Whether a thing's module is this package's, Python's own, or an installed one."""
    name = getattr(thing, "__module__", None)
    return isinstance(name, str) and name != "__main__" and _is_installed_root(name.split(".")[0])


def _is_named(thing) -> bool:
    """Whether a thing is what its module has under its name."""
    found = sys.modules.get(getattr(thing, "__module__", None) or "")
    for name in (getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or "?").split("."):
        found = getattr(found, name, None)
    return found is thing


def _place(thing):
    return f"{thing.__module__}.{getattr(thing, '__qualname__', thing.__name__)}"


def _qualified(cls):
    return cls.__qualname__ if cls.__module__ in ("builtins", "__main__") else f"{cls.__module__}.{cls.__qualname__}"


def _text(described) -> str:
    return json.dumps(described, sort_keys=True)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _hashed(described) -> str:
    return _hash(_text(described).encode())
