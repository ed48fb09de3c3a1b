"""Trying a method before a study runs it: what it estimates, and whether it can work at all."""

import re
import warnings

import jax
import numpy as np

from hellgan.cautions import StudyWarning
from hellgan.montecarlo import engine
from hellgan.montecarlo.design import Cell, Design, Plan
from hellgan.montecarlo.estimates import Estimates, recorded, told
from hellgan.montecarlo.streams import streams

_TRIED = 3  # replicates after which a method that has raised every time is taken for unable


def tried(design: Design, plan: Plan, cell: Cell) -> tuple[str, ...]:
    """Try a method on a first replicate of a cell, or the next where it raises; returns the names that it estimates.

    Raises
    ------
    ValueError
        Where the method raises for each of the first replicates.
    """
    problem = ""
    for stream in streams(design.seed, cell.key, range(min(_TRIED, plan.replications))):
        samples = cell.samples([stream])
        setting = cell.setting(design.level, engine.dim_of(samples))
        try:
            plan.method.check(setting)
            with jax.enable_x64(True), recorded():
                names = plan.method.names(setting, samples, [stream])
                estimates = plan.method.estimate(setting, names, samples, [stream])
        except Exception as error:  # any: a method is the user's
            problem = re.sub(r"^\w+: methods: ", "", told(error))  # what this package says of a method
            continue
        if not raised(estimates)[0]:
            _tell_of_unknown(plan, cell, names)
            return names
        problem = estimates.messages[0]
    raise ValueError(f"methods: {plan.name} cannot work in the cell {cell}: {problem.rstrip('.')}.")


def _tell_of_unknown(plan: Plan, cell: Cell, names: tuple[str, ...]) -> None:
    known = cell.truth.estimands
    if known and not set(names) & set(known):
        warnings.warn(
            f"methods: {plan.name} estimates {', '.join(names)}, and the truth has {', '.join(known)} alone: no bias, "
            "coverage and so on of this method; give the truth estimands= if it has such values.",
            StudyWarning,
            stacklevel=6,
        )


def named(design: Design, plan: Plan, cell: Cell) -> tuple[str, ...]:
    """Name what a method estimates, by the first replicate for which it does."""
    for stream in streams(design.seed, cell.key, range(_TRIED)):
        samples = cell.samples([stream])
        setting = cell.setting(design.level, engine.dim_of(samples))
        try:
            with recorded():
                return plan.method.names(setting, samples, [stream])
        except Exception:  # any: a method is the user's
            continue
    return tuple(cell.truth.estimands)


def raised(estimates: Estimates) -> np.ndarray:
    """Whether a replicate has no estimate at all: (R,)."""
    return np.all(np.isnan(estimates.values), axis=1) & ~estimates.converged
