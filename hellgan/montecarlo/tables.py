"""Tables of performance measures as text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hellgan.results.latex import latex as results_latex


def wide(frame: Any, factors: Sequence[str], measures: Sequence[str]) -> pd.DataFrame:
    """Put measures side by side, Monte Carlo errors in brackets, and the number of failures where there are any."""
    by = [*(name for name in factors if frame[name].nunique() > 1), "method", "parameter"]
    frame = frame.assign(text=[_entry(v, e) for v, e in zip(frame["value"], frame["mcse"], strict=True)])
    keys = list(dict.fromkeys(map(tuple, frame[by].astype(str).to_numpy())))
    cells = {(*map(str, row[:-2]), row[-2]): row[-1] for row in frame[[*by, "measure", "text"]].itertuples(index=False)}
    rows = [[*key, *(cells.get((*key, measure), "") for measure in measures)] for key in keys]
    table = pd.DataFrame(rows, columns=[*by, *measures])
    failed = frame.drop_duplicates(by)["n_failed"].to_numpy()
    return table.assign(failed=failed) if np.any(failed) else table


def markdown(frame: pd.DataFrame, factors: Sequence[str], measures: Sequence[str]) -> str:
    """Write the table in Markdown."""
    table = wide(frame, factors, measures)
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def latex(frame: pd.DataFrame, factors: Sequence[str], measures: Sequence[str], caption=None, label=None) -> str:
    """Write the table as a LaTeX tabular, within a ``table`` where a caption or a label is given."""
    return results_latex(wide(frame, factors, measures), caption, label)


def _entry(value: float, mcse: float) -> str:
    """Write a value with as many digits as its Monte Carlo error allows: two of the error's."""
    if not np.isfinite(value):
        return "-"
    if not np.isfinite(mcse) or mcse <= 0:
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(mcse))))
    return f"{value:.{digits}f} ({mcse:.{digits}f})"
