"""``RatioResults``: what a fit with a density ratio, real over fitted, says of observations."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from hellgan.results import figures, summary
from hellgan.samples.frames import in_order_of, texts

if TYPE_CHECKING:
    from hellgan.results.law import LawResults as Law
else:
    Law = object

OUTLIER = 0.75  # flagged: where the data are more than three times as dense as the fitted law


class RatioResults(Law):
    """What a fit with a generator has besides where its equations have ``log_ratios``, a discriminator."""

    equations: Any

    @property
    def n_simulated(self) -> int:
        """Size m of the simulated sample."""
        return self.model.n_simulated

    def log_ratio(self, x=None) -> np.ndarray:
        """The discriminator's log density ratio, real over fitted, at points (k,) or (k, d): (k,).

        At the observations of the fit unless points are given.

        Raises
        ------
        TypeError, ValueError
            For points that are not numeric, or of another shape.
        """
        if x is None:
            return self._own_log_ratios()
        x = in_order_of(x, "x", None, self.equations.sample.columns)
        try:
            x = np.asarray(x, np.float64)
        except (TypeError, ValueError, OverflowError):
            raise TypeError("x: not numeric; give points at which to evaluate the discriminator.") from None
        d = self.generator.dim
        if d == 1 and x.ndim == 2 and x.shape[1] == 1:
            x = x[:, 0]
        if x.ndim != (1 if d == 1 else 2) or (d > 1 and x.shape[1] != d):
            raise ValueError(f"x: shape {x.shape}; give points of shape {'(k,)' if d == 1 else f'(k, {d})'}.")
        if not len(x):
            return np.zeros(0)
        return self.equations.log_ratios(self.solution.u, x[:, None] if d == 1 else x)

    def _own_log_ratios(self) -> np.ndarray:
        """Log density ratios (n,) at the observations of the fit."""
        return self.equations.log_ratios(self.solution.u, self.equations.sample.rows)

    def prob_real(self, x=None) -> np.ndarray:
        """The probability that points are real rather than simulated, by the discriminator: expit of ``log_ratio``.

        At the observations of the fit unless points are given.
        """
        return special.expit(self.log_ratio(x))

    def outlier_scores(self, x=None) -> np.ndarray:
        """How much the discriminator holds each observation for one that the generator does not make: in [0, 1].

        The scores are ``prob_real``, at the sample unless points are given. Near 1/2 the fitted generator accounts for
        the observation; above .75 (see ``outliers``) the data are more than three times as dense there as the fitted
        law.
        """
        return self.prob_real(x)

    def outlier_positions(self) -> np.ndarray:
        """Positions of the observations that the fitted generator does not account for, most extreme first."""
        scores = self.outlier_scores()
        flagged = np.flatnonzero(scores > OUTLIER)
        return flagged[np.argsort(-scores[flagged], kind="stable")]

    def plot_fit(self, ax=None):
        """Draw the data, the fitted law, the probability that points are real, and the flagged points.

        For a regression: responses against their covariate, or against the fitted location where there are several.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure's unless given.

        Returns
        -------
        matplotlib Axes
        """
        return figures.draw_fit(self, ax)


def outlier_notes(fit: RatioResults) -> list[str]:
    """A sentence that says which observations of a fit are flagged; none where none is."""
    flagged, sample = fit.outlier_positions(), fit.equations.sample
    if not len(flagged):
        return []
    what = "observation" if len(flagged) == 1 else "observations"
    counted = "labels of the data's rows" if sample.is_labelled else "counted from 0"
    return [
        f"{len(flagged)} {what} that the generator does not account for, at "
        f"{summary.listed(texts(sample.labels[flagged]))} ({counted}, most extreme first)."
    ]
