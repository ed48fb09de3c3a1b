"""Performance of the methods of a Monte Carlo study, with Monte Carlo errors, with and without failures."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from hellgan.checks import shown
from hellgan.montecarlo.grouping import Groups
from hellgan.montecarlo.measures import MEASURES, Row, chosen, rows
from hellgan.montecarlo.planning import replications_for
from hellgan.montecarlo.replicates import Replicates, checked_pair

__all__ = ["MEASURES", "Replicates", "measure", "replications_for", "table"]

# In the table ``n`` is a factor, the size of the samples.
_COLUMNS = ["n_used" if name == "n" else name for name in Row._fields]


def measure(
    replicates: Replicates,
    names: Iterable[str] | None = None,
    reference: Replicates | None = None,
    null: float | None = None,
) -> pd.DataFrame:
    """Measure the performance of one method for one parameter in one cell.

    Parameters
    ----------
    replicates : Replicates
    names : of ``MEASURES``; all that can be computed unless given
    reference : Replicates, optional
        Replicates of the reference method for the same samples in the same order, for ``relative_efficiency`` and
        ``relative_mse``: above 1 where the method is better than the reference.
    null : float, optional
        For ``rejection``, the proportion of intervals that do not hold this value: the power, or the size where the
        value is the truth.

    Returns
    -------
    DataFrame with the measures as its index, and the columns

    value, mcse : float
        Over the n replicates that converged and have what the measure needs; NaN where n < 2, or where the
        measure is not defined.
    n : int
    with_failures, with_failures_mcse : float
        Over all replicates that have what the measure needs, converged or not. For ``coverage``,
        ``bias_eliminated_coverage`` and ``rejection`` over all R, where a replicate that failed or has no interval
        counts as one that does not hold the value, and does not reject.
    n_failed : int
        Replicates, of all R, that did not converge.

    Raises
    ------
    TypeError, ValueError
        Where the arrays do not fit, or a measure is unknown or lacks its ``reference`` or ``null``.

    Notes
    -----
    The formulas are in ``hellgan.montecarlo.formulas``. ``convergence`` is always over all R, so that ``value`` and
    ``with_failures`` are the same.

    Examples
    --------
    >>> import numpy as np
    >>> estimate, se = np.array([1.0, 2.0, 3.0, 6.0]), np.ones(4)
    >>> all_converged = np.ones(4, bool)
    >>> replicates = Replicates(estimate, se, estimate - 1.96 * se, estimate + 1.96 * se, all_converged, truth=2.0)
    >>> measure(replicates, ["bias", "coverage"])[["value", "mcse", "n"]].round(3).rename_axis(None)
              value   mcse  n
    bias       1.00  1.080  4
    coverage   0.75  0.217  4
    """
    names = chosen(names, reference is not None, null is not None)
    replicates, reference = checked_pair(replicates, reference)
    found = rows(names, replicates, reference, np.nan if null is None else float(null))
    return pd.DataFrame(found, index=pd.Index(names, name="measure"), columns=Row._fields)


def table(
    frame: pd.DataFrame,
    by: Sequence[str],
    measures: Iterable[str] | None = None,
    null: Mapping[str, float] | None = None,
    reference: str | None = None,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure the performance of every method for every parameter in every cell.

    Parameters
    ----------
    frame : DataFrame
        One row for each method, cell, replicate and parameter, in any order, with the columns ``replicate``,
        ``parameter``, ``estimate``, ``std_error``, ``lower``, ``upper``, ``truth``, ``converged`` and those of ``by``.
    by : sequence of str
        Columns that, with ``parameter``, tell the groups apart: ``method`` and all factors that vary.
    measures : of ``MEASURES``; all that can be computed unless given
    null : mapping of parameter to value, optional
        For ``rejection``, which only the parameters in it have.
    reference : str, optional
        The method that others are compared with, in the same cell. Pairs are matched on ``replicate``; what only one
        of the two has is left out, and not counted in ``n_used``.
    level : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row a group and measure, groups in order of their first rows: ``by``, ``parameter``, ``measure``, and the
        columns of ``measure()``, of which ``n`` is ``n_used``, since ``n`` is the size of the samples.

    Raises
    ------
    ValueError
        Where columns are missing, a replicate comes twice in a group, or the truth varies within one.
    """
    names = chosen(measures, reference is not None, null is not None)
    keys = list(dict.fromkeys([*([by] if isinstance(by, str) else by), "parameter"]))
    taken = [key for key in keys if key in ("measure", *_COLUMNS)]
    if taken:
        raise ValueError(f"by: the table has columns {', '.join(taken)} of its own; rename those of the frame.")
    groups = Groups(frame, keys, level)
    partners = {} if reference is None else _partners(groups, reference)
    nulls = {} if null is None else null
    unknown = [name for name in nulls if name not in set(groups.first["parameter"])]
    if unknown:
        raise ValueError(f"null: the frame has no parameter {', '.join(map(shown, unknown))}; name its parameters.")
    at, labels, found = [], [], []
    for g, parameter in enumerate(groups.first["parameter"]):
        of_group = [name for name in names if name != "rejection" or parameter in nulls]
        found += rows(of_group, groups[g], groups.paired(g, partners.get(g)), float(nulls.get(parameter, np.nan)))
        at += [g] * len(of_group)
        labels += of_group
    cells = groups.first.iloc[at].reset_index(drop=True)
    return pd.concat([cells.assign(measure=labels), pd.DataFrame(found, columns=_COLUMNS)], axis=1)


def _partners(groups, reference):
    """Find the groups of the reference method."""
    if "method" not in groups.keys:
        raise ValueError("reference: methods are not told apart; name 'method' in by.")
    methods = list(dict.fromkeys(groups.first["method"]))
    if reference not in methods:
        raise ValueError(
            f"reference: there is no method {shown(reference)}; choose from {', '.join(map(str, methods))}."
        )
    return groups.partners(reference)
