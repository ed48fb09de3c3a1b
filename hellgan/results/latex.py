"""Tables in LaTeX."""

import pandas as pd

from hellgan.checks import shown


def latex(table: pd.DataFrame, caption: str | None = None, label: str | None = None) -> str:
    """Write a frame of texts and numbers, its columns as heads, as a LaTeX tabular.

    Parameters
    ----------
    table : DataFrame
        Without its index.
    caption, label : str, optional
        Of a ``table`` around the tabular, which stands alone unless one is given. Both are LaTeX.

    Raises
    ------
    TypeError
        For a caption or label that is no text.
    """
    from statsmodels.iolib.table import SimpleTable

    for name, given in (("caption", caption), ("label", label)):
        if given is not None and not isinstance(given, str):
            raise TypeError(f"{name}: got {shown(given)}; give a text.")
    rows = [[str(value) for value in row] for row in table.itertuples(index=False)]
    made = SimpleTable(rows, headers=[str(name).replace("_", " ") for name in table.columns]).as_latex_tabular()
    if caption is None and label is None:
        return made
    around = [rf"\caption{{{caption}}}"] if caption is not None else []
    around += [rf"\label{{{label}}}"] if label is not None else []  # after the caption, whose number it is
    return "\n".join([r"\begin{table}", *around, made, r"\end{table}"])
