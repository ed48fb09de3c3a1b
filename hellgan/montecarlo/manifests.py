"""A study in JSON: the manifest of its folder, and the part of a folder's manifest that belongs to a study."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from hellgan import definitions
from hellgan.definitions import definition
from hellgan.montecarlo.continuing import FORMAT
from hellgan.montecarlo.design import Design
from hellgan.version import VERSION


def manifest(design: Design, names: Mapping[tuple[str, str], Sequence[str]]) -> dict:
    """Describe a study; ``names`` are those of the estimates of each method in each cell, as far as they are known."""
    cells = {
        key: {
            "labels": dict(cell.labels),
            "share": cell.share,
            "estimands": dict(cell.truth.estimands),
            "definition": definition([cell.truth, cell.contaminations]),
        }
        for key, cell in design.cells.items()
    }
    settings = {key: cell.setting(design.level, cell.truth.dim) for key, cell in design.cells.items()}
    methods = {
        name: {
            "hash": plan.hash,
            "definition": plan.definition,
            "replications": plan.replications,
            "cells": list(plan.cells),
            "batch": {key: plan.method.batch(settings[key]) for key in plan.cells},
            "names": {key: list(names[name, key]) for key in plan.cells if (name, key) in names},
        }
        for name, plan in design.plans.items()
    }
    return {
        "format": FORMAT,
        "hellgan": VERSION,
        "definitions": definitions.VERSION,
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "jax": jax.__version__},
        "seed": design.seed,
        "level": design.level,
        "factors": list(design.factors),
        "cells": cells,
        "methods": methods,
    }


def selection(found: Mapping[str, Any], design: Design) -> dict:
    """Choose from a folder's manifest the cells and methods that belong to a study."""
    methods = {
        name: {**found["methods"][name], "replications": plan.replications, "cells": list(plan.cells)}
        for name, plan in design.plans.items()
    }
    return {**found, "methods": methods, "cells": {key: found["cells"][key] for key in design.cells}}
