"""What a fit looks like in print: tables and notes of its summary, and several fits side by side."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.table import SimpleTable

from hellgan.estimation import informations
from hellgan.inference.identification import weakest_combination
from hellgan.inference.linked import near_edges
from hellgan.samples.frames import texts

if TYPE_CHECKING:
    from hellgan.results.base import EstimatedResults

_WEAK = 1e5  # condition number from which the summary warns


def laid_out(fit: "EstimatedResults", facts: list[tuple[str, str]], notes: list[str], alpha: float) -> Summary:
    """Lay a fit out as a statsmodels summary, with a title, facts in two columns, the parameters and notes."""
    left, right = facts[0::2], facts[1::2] + [("", "")] * (len(facts) % 2)
    top = [[a, b, c, d] for (a, b), (c, d) in zip(left, right, strict=True)]
    table = SimpleTable(top, title=fit.title, txt_fmt=_top_format())
    interval = fit.conf_int(alpha)
    rows = [
        [
            _number(fit.params.iloc[k]),
            _number(fit.bse.iloc[k]),
            _fixed(fit.tvalues.iloc[k]),
            _fixed(fit.pvalues.iloc[k]),
        ]
        + [_number(v) for v in interval.iloc[k]]
        for k in range(len(fit.params))
    ]
    header = ["coef", "std err", "z", "P>|z|", f"[{alpha / 2:g}", f"{1 - alpha / 2:g}]"]
    summary = Summary()
    summary.tables = [table, SimpleTable(rows, header, list(fit.params.index), txt_fmt=_param_format())]
    summary.add_extra_txt(notes)
    return summary


def facts(fit: "EstimatedResults") -> list[tuple[str, str]]:
    """Labels and values in the head of any fit's summary."""
    of, solution = fit.equations, fit.solution
    return [
        ("Model:", fit.label),
        ("Parameters of:", of.space.name),
        ("Observations n:", observations(fit)),
        ("Cov. type:", kind(fit)),
        ("Converged:", solution.kind if fit.converged else "NO"),
        ("Iterations:", f"{solution.iterations}"),
        ("Score norm:", f"{solution.score_norm:.1e}"),
    ]


def observations(fit: "EstimatedResults") -> str:
    """How many observations there are, and whether they are weighted."""
    return f"{fit.nobs}" + ("" if fit.equations.sample.given_weights is None else " (weighted)")


def kind(fit: "EstimatedResults") -> str:
    """What kind of covariance the errors are from."""
    if np.all(np.isnan(fit.covariance.natural)):
        return "none"
    return fit.cov_type + (f" ({fit.covariance.note})" if fit.covariance.note else "")


def notes(fit: "EstimatedResults", own: tuple[str, ...] = ()) -> list[str]:
    """Sentences below any fit's summary; an estimator's ``own`` stand among them, after rows that were left out."""
    of, sample = fit.equations, fit.equations.sample
    found = [] if fit.converged else [f"Not converged: {fit.trouble}."]
    held = getattr(of.space, "held", {})
    if held:
        values = (
            f"{name} = {np.array2string(np.asarray(value), formatter={'float_kind': lambda v: f'{v:.6g}'})}"
            for name, value in held.items()
        )
        found.append(f"Held: {', '.join(values)}.")
    if count := len(sample.left_out):
        what = "row with a missing value is" if count == 1 else "rows with missing values are"
        found.append(f"{count} {what} left out: {listed(texts(sample.left_out))}.")
    found += own
    near = near_edges(fit.spaces, fit.params.to_numpy(), fit.bse.to_numpy())
    edges = fit.params.index[near].to_list()
    if edges:
        found.append(
            f"{', '.join(edges)}: less than two standard errors from the edge of its space; prefer intervals by "
            "conf_int(method='profile') or bootstrap()."
        )
    if fit.law.sandwich is not None:
        weakest = weakest_combination(of.space, informations(fit.solution.jacobian[None], of.p)[0])
        if weakest.condition > _WEAK:
            found.append(
                f"The combination {weakest.text} (unconstrained, standardised) is hardly identified: the information "
                f"matrix has condition number {weakest.condition:.1e}."
            )
    return found


def listed(names: list[str], most: int = 10) -> str:
    """Join names for a sentence, the first of them where there are many."""
    return ", ".join(names[:most]) + (", and others" if len(names) > most else "")


def compare(fits) -> pd.DataFrame:
    """Put several fits side by side.

    Parameters
    ----------
    fits : dict of str to fits

    Returns
    -------
    DataFrame
        One column a fit; for each parameter its estimate, natural scale, and, in the row below, its standard error;
        then what the fit itself says: of a GAN loss, sizes, divergence, overidentification p-value, the number of
        outliers and whether the fit converged.

    Raises
    ------
    TypeError
        For what is no dict of fits.
    """
    if not isinstance(fits, dict) or not all(hasattr(fit, "compared") for fit in fits.values()) or not fits:
        raise TypeError("compare: give a dict of names and fits, as in compare({'root': result}).")
    columns = {name: _column(fit) for name, fit in fits.items()}
    rows: list[tuple] = list(dict.fromkeys(row for column in columns.values() for row in column.index.to_list()))
    rows.sort(key=lambda row: row[0] == "fit")  # stable: parameters as they come, then the facts
    index = pd.MultiIndex.from_tuples(rows)
    return pd.DataFrame({name: column.reindex(index) for name, column in columns.items()})


def _column(fit: "EstimatedResults") -> pd.Series:
    rows = {}
    for name in fit.params.index:
        rows[(name, "coef")], rows[(name, "std err")] = fit.params[name], fit.bse[name]
    return pd.Series({**rows, **{("fit", what): value for what, value in fit.compared().items()}})


def _number(value: float) -> str:
    return "nan" if np.isnan(value) else f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.4g}"


def _fixed(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def _top_format() -> dict:
    # statsmodels drops the last line of every table but the last: there must be one below the last row.
    return {
        "data_fmts": ["%s", "%s", "%s", "%s"],
        "data_aligns": "lrlr",
        "colsep": "   ",
        "table_dec_above": "=",
        "table_dec_below": "-",
    }


def _param_format() -> dict:
    return {
        "data_fmts": ["%s"] * 6,
        "data_aligns": "r" * 6,
        "colsep": "   ",
        "table_dec_above": "=",
        "table_dec_below": "=",
    }
