"""What a fit looks like in print: the summary's tables and notes, and a column of ``compare``.

``fit`` is a ``GANResults`` everywhere.
"""

import numpy as np
import pandas as pd
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.table import SimpleTable

from hellgan import inference
from hellgan.generators import Fixed

_WEAK = 1e5  # condition number from which the summary warns


def summary(fit, alpha: float = 0.05) -> Summary:
    """Lay the fit out as a statsmodels summary."""
    facts = _facts(fit)
    left, right = facts[0::2], facts[1::2] + [("", "")] * (len(facts) % 2)
    top = [[a, b, c, d] for (a, b), (c, d) in zip(left, right, strict=True)]
    table = SimpleTable(top, title="Parametric GAN", txt_fmt=_top_format())
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
    summary.add_extra_txt(_notes(fit))
    return summary


def _facts(fit) -> list[tuple[str, str]]:
    saddle, model = fit.saddle, fit.model
    loss = model.loss
    kind = "scrambled Sobol" if model.latent == "sobol" else "independent"
    excess = saddle.value - loss.value_at_equality
    facts = [
        ("Generator:", fit.generator.name),
        ("Discriminator:", _describe(model.discriminator, model.basis)),
        ("Loss:", loss.name + ("" if loss.is_zero_sum else " (non-zero-sum)")),
        ("Cov. type:", _kind(fit)),
        ("Observations n:", f"{fit.nobs}" + ("" if model.weights is None else " (weighted)")),
        ("Simulated m:", (f"{fit.nobs} x {model.tied}" if model.tied else f"{fit.n_simulated}") + f" {kind}"),
        ("Divergence:", f"{excess:.5f}"),
        ("Converged:", saddle.kind if fit.converged else "NO"),
        ("Iterations:", f"{saddle.iterations} outer, {saddle.inner_iterations} inner"),
        ("Score norm:", f"{saddle.score_norm:.1e}"),
    ]
    if _can_be_tested(fit):
        test = fit.overidentification_test()
        facts += [
            ("Overid. test:", f"{test.statistic:.2f}"),
            ("Prob(overid.):", f"{test.pvalue:.3f}"),
        ]
    return facts


def _kind(fit) -> str:
    if np.all(np.isnan(fit.covariance.natural)):
        return "none"
    return fit.cov_type + (f" ({fit.covariance.note})" if fit.covariance.note else "")


def _can_be_tested(fit) -> bool:
    """Whether (4) applies: its law is that of independent observations."""
    model = fit.model
    if fit.sandwich is None or fit.cov_type in ("HAC", "cluster"):
        return False
    return model.loss.is_calibrated and model.basis.size - 1 > fit.generator.size


def _notes(fit) -> list[str]:
    notes = []
    if not fit.converged:
        notes.append(f"Not converged: {fit.trouble}.")
    if isinstance(fit.generator, Fixed):
        held = (
            f"{name} = {np.array2string(np.asarray(value), formatter={'float_kind': lambda v: f'{v:.6g}'})}"
            for name, value in fit.generator.values.items()
        )
        notes.append(f"Held: {', '.join(held)}.")
    if fit.model.rows_left_out:
        what = "row with a missing value is" if fit.model.rows_left_out == 1 else "rows with missing values are"
        notes.append(f"{fit.model.rows_left_out} {what} left out; positions are those among the others.")
    if not fit.model.basis.is_linear:
        given = "those of its bootstrap" if fit.cov_type == "bootstrap" else "none, but for those of bootstrap()"
        notes.append(f"A discriminator with a hidden layer has no joint normal law. Standard errors: {given}.")
    flagged = fit.outliers()
    if len(flagged):
        shown = ", ".join(str(i) for i in flagged[:10]) + (", and others" if len(flagged) > 10 else "")
        what = "observation" if len(flagged) == 1 else "observations"
        notes.append(
            f"{len(flagged)} {what} that the generator does not account for, at {shown} (counted from 0, most "
            "extreme first)."
        )
    unseen = fit.generator.unseen(fit.n_simulated, **fit.generator.named(fit.params.to_numpy()))
    if unseen:
        notes.append(
            f"The simulated sample says next to nothing of {', '.join(unseen)}: components hardly overlap. Their "
            "values are those of the start, without standard errors."
        )
    edges = [name for name, is_near in zip(fit.params.index, _near_edge(fit), strict=True) if is_near]
    if edges:
        notes.append(
            f"{', '.join(edges)}: less than two standard errors from the edge of its space; prefer intervals by "
            "conf_int(method='profile') or bootstrap()."
        )
    features = fit.model.basis.size - 1
    if fit.law.sandwich is not None:
        weakest = inference.weakest_combination(
            fit.generator, inference.informations(fit.saddle.jacobian[None], fit.generator.size)[0]
        )
        if weakest.condition > _WEAK:
            notes.append(
                f"The combination {weakest.text} (unconstrained, standardised) is hardly identified: the information "
                f"matrix has condition number {weakest.condition:.1e}."
            )
        if features == fit.generator.size:
            notes.append("As many features as parameters: a method of moments whatever the loss, with nothing to test.")
    if fit.sandwich is not None and fit.nobs < 3 * features:
        notes.append(f"{fit.nobs} observations for {features} features: intervals are likely to be too short.")
    return notes


def _near_edge(fit) -> np.ndarray:
    """Whether each natural parameter is within two standard errors of a finite edge of its space."""
    values, errors = fit.params.to_numpy(), fit.bse.to_numpy()
    lower, upper = (np.array([getattr(space, end) for space in fit.spaces]) for end in ("lower", "upper"))
    with np.errstate(invalid="ignore"):
        return (values - 2 * errors < lower) | (values + 2 * errors > upper)


def column(fit) -> pd.Series:
    """List what ``compare`` shows of one fit."""
    rows = {}
    for name in fit.params.index:
        rows[(name, "coef")], rows[(name, "std err")] = fit.params[name], fit.bse[name]
    rows[("fit", "loss")] = fit.model.loss.name
    rows[("fit", "n")], rows[("fit", "m")] = fit.nobs, fit.n_simulated
    rows[("fit", "divergence")] = fit.saddle.value - fit.model.loss.value_at_equality
    rows[("fit", "overid. p-value")] = fit.overidentification_test().pvalue if _can_be_tested(fit) else np.nan
    rows[("fit", "outliers")] = len(fit.outliers())
    rows[("fit", "converged")] = fit.converged
    return pd.Series(rows)


def _describe(discriminator, basis) -> str:
    return f"{type(discriminator).__name__}, {basis.size - 1 if basis.is_linear else basis.size} " + (
        "features" if basis.is_linear else "weights"
    )


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
