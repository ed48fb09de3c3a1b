"""How many replications a Monte Carlo standard error costs."""

import math

import numpy as np

from hellgan.checks import checked_real, shown
from hellgan.montecarlo.measures import chosen, is_proportion, rows
from hellgan.montecarlo.replicates import Replicates, checked_pair

_COVERAGES = ("coverage", "bias_eliminated_coverage")


def replications_for(
    name: str,
    mcse: float,
    replicates: Replicates | None = None,
    expected: float | None = None,
    *,
    reference: Replicates | None = None,
    null: float | None = None,
) -> int:
    """Tell how many replications a Monte Carlo standard error of a measure costs.

    Parameters
    ----------
    name : str
        One of ``MEASURES``.
    mcse : float
        The error wanted, in the measure's unit.
    replicates : Replicates, optional
        A pilot of R replications with error e: the answer is R (e / mcse)^2, failures included at the pilot's rate.
        Where e is 0 since all or none of its intervals hold the truth (or the mean estimate), the level of the
        intervals stands in for their coverage.
    expected : float, optional
        Instead of a pilot, for a proportion p: the answer is p (1 - p) / mcse^2.
    reference, null
        As for ``measure``, where the measure needs them.

    Raises
    ------
    ValueError
        Where neither or both of ``replicates`` and ``expected`` are given, or the pilot has no error to scale.

    Examples
    --------
    Coverage of 95 % to half a percentage point, as in Morris, White and Crowther (2019):

    >>> replications_for("coverage", mcse=0.005, expected=0.95)
    1900
    """
    mcse = checked_error(mcse, name)
    if expected is not None and replicates is None:
        (name,) = chosen([name], True, True)
        return _of_proportion(name, mcse, expected)
    if expected is not None or replicates is None:
        both = "neither" if expected is None else "both"
        raise ValueError(
            f"replicates, expected: got {both}; give a pilot's replicates or, for a share, what to expect."
        )
    (name,) = chosen([name], reference is not None, null is not None)
    pilot, reference = checked_pair(replicates, reference)
    (row,) = rows([name], pilot, reference, np.nan if null is None else float(null))
    total, variance = len(pilot.estimate), row.mcse**2
    if variance == 0 and (name in _COVERAGES or (name == "rejection" and null == pilot.truth)):
        variance = pilot.level * (1 - pilot.level) / row.n
    if not 0 < variance < math.inf:
        advice = "give `expected`" if is_proportion(name) else "give a pilot with more replicates"
        raise ValueError(f"replicates: {name} has error {row.mcse:g} over {row.n} of the pilot's {total}; {advice}.")
    return _ceil(total * variance / mcse**2)


def checked_error(mcse, name) -> float:
    """Return a wanted Monte Carlo standard error whose square is a number, or refuse it."""
    return checked_real("mcse", mcse, f"a finite positive number, in the unit of {shown(name)}", 1e-150, 1e150)


def _of_proportion(name, mcse, p):
    if not is_proportion(name):
        raise ValueError(f"expected: {name} is not a proportion; give a pilot's `replicates` instead.")
    checked_real("expected", p, f"the {name} you expect, between 0 and 1", 0, np.nextafter(1, 0))
    return _ceil(p * (1 - p) / mcse**2)


def _ceil(number):
    """Round up, but not for a rounding error: .05 * .95 / .005^2 is a little more than 1900."""
    return math.ceil(number * (1 - 1e-12))
