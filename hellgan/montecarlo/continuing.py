"""A folder's manifest: whether it is whole, and whether a study continues what it tells of."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hellgan import definitions
from hellgan.checks import shown

FORMAT = 1
_SUM = "checksum"


def read(content: bytes, path: Path) -> dict:
    """Read a manifest.

    Raises
    ------
    ValueError
        For what is none, or not what was written.
    """
    try:
        manifest = json.loads(content.decode("utf-8"))
        found = manifest["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _damaged(path, "it is no JSON text of a study") from None
    if found != FORMAT:
        raise ValueError(f"out: the manifest {path} has format {shown(found)}; this version reads {FORMAT}.")
    is_old = "definitions" not in manifest  # of a study that was begun before there were checksums
    if not (is_old and _SUM not in manifest) and manifest.pop(_SUM, None) != _checksum(manifest):
        raise _damaged(path, "its checksum is another")
    try:
        wrong = _wrong(manifest)
    except (AttributeError, TypeError, KeyError) as error:
        wrong = f"{type(error).__name__} at {error}"
    if wrong:
        raise _damaged(path, f"{wrong} is missing, or nothing that a study writes")
    return manifest


def written(manifest: Mapping[str, Any]) -> bytes:
    """Write a manifest that ``read`` reads."""
    return json.dumps({**manifest, _SUM: _checksum(manifest)}, indent=1).encode()


def _damaged(path, why) -> ValueError:
    return ValueError(
        f"out: the manifest {path} is damaged, or no manifest of a study ({why}); bring it back from a copy, or give "
        "another folder."
    )


def _checksum(manifest) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()


def is_folder_name(name: str) -> bool:
    """Whether a method's name can name a folder, on any system that Python knows."""
    return bool(name) and not re.search(r"[/\\\x00-\x1f\ud800-\udfff]", name) and not name.startswith(".")


def _is_whole(value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_texts(value) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _wrong(manifest) -> str | None:
    """Name what of a manifest is missing or of another kind."""
    cells, methods = manifest.get("cells"), manifest.get("methods")
    checks: dict[str, Callable[[Any], bool]] = {
        "hellgan": lambda v: isinstance(v, str),
        "seed": lambda v: _is_whole(v, 0),
        "level": lambda v: _is_number(v) and 0 < v < 1,
        "factors": _is_texts,
        "cells": lambda v: isinstance(v, dict) and len(v) > 0,
        "methods": lambda v: isinstance(v, dict) and len(v) > 0,
    }
    wrong = next((name for name, holds in checks.items() if not holds(manifest.get(name))), None)
    if wrong:
        return wrong
    for key, cell in cells.items():
        labels, estimands = cell["labels"], cell["estimands"]
        is_fine = re.fullmatch("[0-9a-f]{16}", key) and list(labels) == manifest["factors"]
        is_fine = is_fine and all(isinstance(label, (str, int, float)) for label in labels.values())
        if not is_fine or not all(map(_is_number, [*estimands.values(), cell["share"]])) or "definition" not in cell:
            return f"the cell {key}"
    for name, method in methods.items():
        is_fine = is_folder_name(name) and isinstance(method["hash"], str) and "definition" in method
        is_fine = is_fine and _is_whole(method["replications"], 1) and _is_texts(method["cells"])
        if not is_fine or not set(method["cells"]) <= set(cells) or not all(map(_is_texts, method["names"].values())):
            return f"the method {name}"
    return None


def continued(before: Mapping[str, Any], now: Mapping[str, Any], folder) -> dict:
    """Join the manifest of earlier runs with this one's.

    Raises
    ------
    ValueError
        Where the two contradict each other, or it cannot be told whether they do.
    """
    for name, what in (("hellgan", "version of hellgan"), ("seed", "seed"), ("level", "level"), ("factors", "factors")):
        if before[name] != now[name]:
            raise ValueError(
                f"out: {folder} was run with {what} {_plain(before[name])}, this study has {_plain(now[name])}; give "
                "another folder, or the same design."
            )
    places = {json.dumps(cell["labels"]): key for key, cell in before["cells"].items()}
    for key, cell in now["cells"].items():
        said = f"the cell {', '.join(f'{name} = {label}' for name, label in cell['labels'].items())}"
        if places.get(json.dumps(cell["labels"]), key) != key:
            _refuse(before, now, folder, said, " (truth or contamination changed)", "the level")
    methods = dict(before["methods"])
    for name, method in now["methods"].items():
        old = methods.get(name)
        if old is not None and old["hash"] != method["hash"]:
            _refuse(before, now, folder, f"the method {name}", "", "the method")
        if old is not None:
            cells = list(dict.fromkeys([*old["cells"], *method["cells"]]))
            most = max(old["replications"], method["replications"])
            method = {**method, "cells": cells, "replications": most, "names": {**old["names"], **method["names"]}}
        methods[name] = method
    return {**before, "cells": {**before["cells"], **now["cells"]}, "methods": methods}


def _refuse(before, now, folder, what, because, other) -> None:
    if before.get("definitions", 1) != now["definitions"]:
        raise ValueError(
            f"out: {folder} was begun when functions were told apart by their source text, so that it is not known "
            f"whether {what} is still what it was; give another folder, and read this one with hellgan.montecarlo.read."
        )
    begun, here = (of.get("versions", {}).get("python", "") for of in (before, now))
    if _minor(begun) != _minor(here) and '"code"' in json.dumps(now):
        because += f" (the folder is of Python {begun}, which compiles functions otherwise than {here})"
    raise ValueError(
        f"out: in {folder} {what} has another definition{because}; give another folder, or give {other} another name."
    )


def require_told(before: Mapping[str, Any], now: Mapping[str, Any], folder) -> None:
    """Refuse to go on with a method, or a cell, of which it cannot be told whether it is what it was."""
    for part, what in (("methods", "the method"), ("cells", "the cell")):
        for name in set(before[part]) & set(now[part]):
            found = definitions.untold(now[part][name]["definition"])
            if found:
                raise ValueError(
                    f"out: whether {what} {name} is what it was in {folder} cannot be told: it uses a {found} that has "
                    "no definition; give another folder, or make that inside the function."
                )


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def _plain(value):
    return ", ".join(value) if isinstance(value, list) else value
