"""Tests of the terms of a formula: the coefficients of each jointly, and the levels of a factor two by two."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from statsmodels.stats.contrast import MultiCompResult

from hellgan.checks import first_sentence, normal_quantile, shown

if TYPE_CHECKING:
    from statsmodels.stats.contrast import WaldTestResults

    from hellgan.results.regression import RegressionResults


class PairwiseTests(MultiCompResult):
    """statsmodels' ``MultiCompResult``, which prints its table and where the levels are compared.

    Attributes
    ----------
    result_frame : DataFrame
        A row ``b-a`` a pair of levels.
    where : str
        At which values of other variables, where the factor is in interactions; else empty.
    """

    def __init__(self, frame: pd.DataFrame, contrasts, term, labels, coding, where: str):
        super().__init__(frame, contrasts, term, labels, coding)
        self.where = where

    def __repr__(self):
        return f"Differences between levels of {self.term}{self.where}\n{self.result_frame.to_string()}"


def _spec(fit: "RegressionResults", asked: str) -> Any:
    """What the fit's formula says of its design, as formulaic has it; None for a fit without a formula."""
    spec = getattr(fit.model.design_again, "spec", None)
    if spec is None and fit.model.formula is not None:
        raise ValueError(
            f"{asked}: the fit was loaded from a file, which does not keep what a formula's terms are made of; fit it "
            "again, or test its coefficients by t_test and wald_test."
        )
    return spec


def _terms(fit: "RegressionResults") -> dict[str, list[str]]:
    """Names of the coefficients of each term, those that are held left out."""
    spec, estimated = _spec(fit, "wald_test_terms"), list(fit.params.index)
    if spec is None:
        found = {name: [name] for name in fit.generator.linear.coefficients}
    else:
        columns = [str(name) for name in spec.column_names]
        found = {
            "Intercept" if str(term) == "1" else str(term): [columns[k] for k in which]
            for term, which in spec.term_indices.items()
        }
    kept = {name: [each for each in of if each in estimated] for name, of in found.items()}
    return {name: of for name, of in kept.items() if of}


def wald_test_terms(fit: "RegressionResults", skip_single: bool, combine_terms) -> "WaldTestResults":
    """Test the coefficients of each term jointly; as ``RegressionResults.wald_test_terms`` says."""
    from statsmodels.stats.contrast import WaldTestResults

    of = _terms(fit)
    tested = {name: columns for name, columns in of.items() if not (skip_single and len(columns) == 1)}
    for text in [combine_terms] if isinstance(combine_terms, str) else combine_terms:
        columns = [each for name, several in of.items() if str(text) in name for each in several]
        if not columns:
            raise ValueError(f"combine_terms: no term holds {shown(text)}; the terms are {', '.join(of)}.")
        tested[str(text)] = columns
    rows, names = [], list(fit.params.index)
    for columns in tested.values():
        test = fit.wald_test(np.eye(len(names))[[names.index(name) for name in columns]])
        rows.append([float(test.statistic), float(test.pvalue), len(columns)])
    table = pd.DataFrame(rows, list(tested), ["statistic", "pvalue", "df_constraint"])
    return WaldTestResults(None, "chi2", None, table=table.astype({"df_constraint": int}))


def t_test_pairwise(fit: "RegressionResults", name: str, method, alpha: float, labels) -> PairwiseTests:
    """Compare the levels of a factor two by two; as ``RegressionResults.t_test_pairwise`` says."""
    from statsmodels.stats.contrast import t_test_multi

    normal_quantile(alpha)
    given: Any = list(method) if isinstance(method, tuple) else method
    names = given if isinstance(given, list) else [given]
    if not names or not all(isinstance(each, str) for each in names):
        raise TypeError(f"method: got {shown(method)}; give one of statsmodels' multipletests, such as 'hs'.")
    spec = _spec(fit, "t_test_pairwise")
    if spec is None:
        raise ValueError("t_test_pairwise: the fit has no formula, and so no factors; use t_test.")
    coded = {str(factor): state for factor, state in spec.factor_contrasts.items()}
    factors = [str(term) for term in spec.terms if len(term.factors) == 1 and str(term) in coded]
    if name not in factors:
        known = f"the factors are {', '.join(factors)}" if factors else "the formula has none"
        raise ValueError(f"term_name: {shown(name)} is no factor that stands alone in the formula; {known}.")
    (term,) = [term for term in spec.terms if str(term) == name]
    levels = [str(level) for level in coded[name].levels]
    columns = [str(spec.column_names[k]) for k in spec.term_indices[term]]
    names = list(fit.params.index)
    held = [each for each in columns if each not in names]
    if held:
        raise ValueError(f"t_test_pairwise: {held[0]} is held and not estimated; compare levels of a fit without fix.")
    coding = coded[name].get_coding_matrix(reduced_rank=len(columns) != len(levels)).to_numpy(np.float64)
    labels = levels if labels is None else [str(label) for label in labels]
    if len(labels) != len(levels):
        raise ValueError(f"factor_labels: {len(labels)} for {len(levels)} levels; give one for each of {levels}.")
    first, second = np.triu_indices(len(levels), 1)
    contrasts = np.zeros((len(first), len(names)))
    contrasts[:, [names.index(each) for each in columns]] = coding[second] - coding[first]
    pairs = [f"{labels[j]}-{labels[i]}" for i, j in zip(first, second, strict=True)]
    try:
        frame = t_test_multi(fit, contrasts, method=given, alpha=alpha, contrast_names=pairs)  # pyright: ignore[reportArgumentType]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"method: {first_sentence(error)}; give one of statsmodels' multipletests, such as 'hs'."
        ) from None
    beside = {
        str(factor)
        for each in spec.terms
        if len(each.factors) > 1 and name in map(str, each.factors)
        for factor in each.factors
        if str(factor) != name
    }
    # Of a factor that is the level that its coding leaves out, if it leaves one out.
    at = [f"the columns of {each} are 0" if each in coded else f"{each} = 0" for each in sorted(beside)]
    where = f", where {' and '.join(at)} (they interact)" if at else ""
    return PairwiseTests(frame, contrasts, term, pairs, coding, where)
