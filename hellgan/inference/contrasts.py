"""Tests of linear hypotheses as statsmodels makes them, which say what they tested."""

from collections.abc import Sequence

import numpy as np
from statsmodels.stats.contrast import ContrastResults

from hellgan.checks import normal_quantile
from hellgan.constraints import Constraint
from hellgan.inference.linked import intervals
from hellgan.restrictions import written


class LinearTests(ContrastResults):
    """Linear hypotheses, each tested alone: statsmodels' ``ContrastResults``, its rows named by the hypotheses.

    Statistics and p-values are of estimates on their natural scale. The interval of a single parameter, or of a
    multiple of one, is that of ``conf_int``: computed on the real line behind the parameter and mapped back.

    Attributes
    ----------
    restriction : str
        The equations that were tested, as they were understood.
    """

    def __init__(
        self,
        found: ContrastResults,
        hypotheses: tuple[np.ndarray, np.ndarray],
        names: list[str],
        values: np.ndarray,
        spaces: Sequence[Constraint],
    ):
        self.__dict__.update(vars(found))
        self._matrix, self._values, self._names, self._spaces = hypotheses[0], values, names, spaces
        self.c_names = written(*hypotheses, names)
        self.restriction = ", ".join(self.c_names)

    def _alone(self) -> list[tuple[int, int]]:
        """Rows with a single parameter that has an edge, and that parameter's position."""
        alone = [(row, np.flatnonzero(each)) for row, each in enumerate(self._matrix)]
        singles = [(row, int(which[0])) for row, which in alone if len(which) == 1]
        return [(row, k) for row, k in singles if np.isfinite([self._spaces[k].lower, self._spaces[k].upper]).any()]

    def conf_int(self, alpha=0.05) -> np.ndarray:
        """Compute intervals (r, 2) of level 1 - alpha of the left sides; of a single parameter that of ``conf_int``."""
        half, rows = normal_quantile(alpha), super().conf_int(alpha)
        errors = np.ravel(np.asarray(self.sd))
        for row, k in self._alone():
            factor, space, value = self._matrix[row, k], self._spaces[k], self._values[k]
            inside = space.lower < value < space.upper
            error = errors[row] / abs(factor) if inside else np.nan
            rows[row] = np.sort(factor * intervals([space], [value], [error], half)[0])
        return rows

    def __str__(self):
        names = list(dict.fromkeys(self._names[k] for _, k in self._alone()))
        table = super().__str__()
        if not names:
            return table
        what = "interval" if len(names) == 1 else "intervals"
        return f"{table}\nz and its p-value are on the natural scale; the {what} of {', '.join(names)} as in conf_int."


class JointTest(ContrastResults):
    """Linear hypotheses tested together: statsmodels' ``ContrastResults``, which says what was tested.

    Attributes
    ----------
    restriction : str
        The equations that were tested, as they were understood.
    """

    def __init__(self, found: ContrastResults, hypotheses: tuple[np.ndarray, np.ndarray], names: list[str]):
        self.__dict__.update(vars(found))
        self.restriction = ", ".join(written(*hypotheses, names))

    def summary(self, xname=None, alpha=0.05, title=None) -> str:
        """Give statistic, p-value and what was tested, in a line."""
        return f"{str(super().summary()).removesuffix('>')}, tested: {self.restriction}>"
