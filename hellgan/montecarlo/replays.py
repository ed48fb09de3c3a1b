"""One replicate, done again by the program that did it in the study."""

import warnings
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from hellgan.montecarlo import engine, parts, trials
from hellgan.montecarlo.design import Cell, Design
from hellgan.montecarlo.streams import streams


class Replay(NamedTuple):
    """One replicate, done again.

    Attributes
    ----------
    sample : (n,) or (n, d) array
    estimates : DataFrame
        As in the study.
    fits : dict
        What each method itself makes of the sample: ``GANResults``, or what a function returned.
    errors : dict
        Exceptions of methods that raised.
    """

    sample: np.ndarray
    estimates: pd.DataFrame
    fits: dict[str, Any]
    errors: dict[str, Exception]


def replayed(design: Design, cell: Cell, replicate: int, method: str | None) -> Replay:
    """Do a replicate of a cell again, by one method or by all."""
    stream = streams(design.seed, cell.key, [replicate])[0]
    samples = cell.samples([stream])
    setting = cell.setting(design.level, engine.dim_of(samples))
    frames, fits, problems = [], {}, {}
    for name, plan in design.plans.items():
        if cell.key not in plan.cells or method not in (None, name):
            continue
        names = trials.named(design, plan, cell)
        with jax.enable_x64(True):
            estimates = plan.method.estimate(setting, names, samples, [stream])
        frames.append(parts.table(estimates, replicate).to_pandas().assign(method=name))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fits[name] = plan.method.fit(setting, samples[0], stream)
        except Exception as error:  # any: a method is the user's
            problems[name] = error
    return Replay(samples[0], pd.concat(frames, ignore_index=True), fits, problems)
