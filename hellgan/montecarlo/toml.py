"""A study's design from a TOML file.

Own generators and functions are named as ``"module:attribute"`` and imported.
"""

import os
import pkgutil
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hellgan import discriminators, generators
from hellgan.checks import shown
from hellgan.montecarlo import contaminations
from hellgan.montecarlo.contaminations import Contamination
from hellgan.montecarlo.study import Study
from hellgan.montecarlo.truths import truth

_KEYS = ("truth", "contamination", "methods", "n", "replications", "seed", "level", "where")
_KINDS = {
    cls.__name__: cls
    for cls in vars(contaminations).values()
    if isinstance(cls, type) and issubclass(cls, Contamination) and cls is not Contamination
}


def from_toml(path: str | os.PathLike, **changes) -> Study:
    """Read a study from a TOML file.

    Parameters
    ----------
    path : path
    **changes
        Values that replace the file's ``replications``, ``seed`` and so on.

    Returns
    -------
    Study

    Raises
    ------
    ValueError, TypeError, OSError
        For a file that holds no design, in one sentence.

    Notes
    -----
    ``docs/studies.md`` lists what a file may hold. A bare name of a module is looked for beside the file, too.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: got {shown(path)}; give the name of a TOML file.")
    path = Path(path)
    try:
        given = tomllib.loads(path.read_bytes().decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file ({error}).") from None
    except RecursionError:
        raise ValueError(f"{path}: its values are nested too deeply; a design needs three levels.") from None
    except OSError as error:
        raise type(error)(f"path: {shown(os.fspath(path))} cannot be read ({error.strerror}).") from None
    except ValueError as error:  # of a name that no system knows
        raise ValueError(f"path: {shown(os.fspath(path))} cannot be read ({error}).") from None
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise ValueError(f"{path}: {shown(unknown[0])} is not known; give {', '.join(_KEYS)}.")
    absent = [key for key in ("truth", "methods", "n", "replications") if key not in given]
    if absent:
        raise ValueError(f"{path}: {absent[0]} is missing; give {', '.join(_KEYS[:5])}.")
    reader = _Reader(path)
    methods = _table(given["methods"], "methods")
    read = {
        **given,
        "truth": reader.truth(_table(given["truth"], "truth")),
        "methods": {name: reader.method(name, method) for name, method in methods.items()},
    }
    if "contamination" in given:
        departures = _table(given["contamination"], "contamination")
        read["contamination"] = {name: _departure(name, value) for name, value in departures.items()}
    return Study(**{**read, **changes})


class _Reader:
    def __init__(self, path: Path):
        self.path = path

    def truth(self, given: Mapping[str, Any]):
        if "generator" not in given:
            raise ValueError("truth: generator is missing; name a family, or a function as 'module:attribute'.")
        values = {key: value for key, value in given.items() if key != "generator"}
        if "covariates" in values:
            values["covariates"] = self.attribute(values["covariates"], "truth: covariates")
        return truth(self.generator(given["generator"], "truth"), **values)

    def generator(self, given, where: str):
        if isinstance(given, str) and ":" in given:
            return self.attribute(given, where)
        if isinstance(given, str):
            return generators.make(given)
        rest = dict(_table(given, f"{where}: generator"))
        if "family" not in rest:
            raise ValueError(f'{where}: generator has no family; give generator = {{family = "StudentT", df = 5}}.')
        fixed = rest.pop("fix", {})
        family = generators.make(rest.pop("family"), **rest)
        return family.fix(**fixed) if fixed else family

    def method(self, name: str, given):
        if isinstance(given, str):
            return self.attribute(given, f"methods: {name}") if ":" in given else given
        method = dict(_table(given, f"methods: {name}"))
        if "generator" in method:
            method["generator"] = self.generator(method["generator"], f"methods: {name}")
        if "model" in method:
            method["model"] = self.generator(method["model"], f"methods: {name}")
        if "discriminator" in method:
            method["discriminator"] = self.discriminator(method["discriminator"], f"methods: {name}")
        if "function" in method:
            method["function"] = self.attribute(method["function"], f"methods: {name}")
        for part in ("loss", "moments"):
            if ":" in str(method.get(part, "")):
                method[part] = self.attribute(method[part], f"methods: {name}")
        return method

    def discriminator(self, given, where: str):
        if isinstance(given, str):
            return self.attribute(given, where) if ":" in given else discriminators.make(given)
        rest = dict(_table(given, f"{where}: discriminator"))
        if "name" not in rest:
            raise ValueError(f'{where}: discriminator has no name; give discriminator = {{name = "Sigmoids", k = 16}}.')
        if "generator" in rest:
            rest["generator"] = self.generator(rest["generator"], where)
        return discriminators.make(rest.pop("name"), **rest)

    def attribute(self, text, where: str):
        """Import what ``module:attribute`` names."""
        module_name, _, attribute = str(text).partition(":")
        if not attribute:
            raise ValueError(f"{where}: got {shown(text)}; give 'module:attribute'.")
        try:
            found = _resolved(str(text), self.path.parent.resolve())
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"{where}: {text} cannot be imported ({error}).") from None
        beside = self.path.parent / f"{module_name}.py"
        if beside.is_file():
            _send_with_tasks(sys.modules[module_name])
        return found


def _resolved(text: str, folder: Path):
    """Import what ``module:attribute`` names; a module beside the design is found, too."""
    sys.path.insert(0, str(folder))
    try:
        return pkgutil.resolve_name(text)
    finally:
        sys.path.remove(str(folder))


def _send_with_tasks(module) -> None:
    """Have a module's functions travel to workers by value: they may not find the file."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)


def _departure(name: str, given):
    if isinstance(given, list):
        return tuple(_departure(name, each) for each in given)
    rest = dict(_table(given, f"contamination: {name}"))
    if not rest:
        return None
    kind = rest.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"contamination: {name} has the kind {shown(kind)}; give one of {', '.join(_KINDS)}.")
    try:
        return _KINDS[kind](**rest)
    except TypeError as error:
        raise ValueError(f"contamination: {name}: {' '.join(str(error).split())}.") from None


def _table(given, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError(f"{what}: got {shown(given)}; give a table.")
    return given
