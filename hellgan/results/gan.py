"""``GANResults``: a fit of a parametric GAN, and what its discriminator says.

Equation (4) is that of ``docs/theory.md``.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from hellgan.inference.background_test import BackgroundTest
from hellgan.inference.bulk_test import BulkTest
from hellgan.inference.contamination_test import ContaminationTest
from hellgan.inference.overidentification import OveridentificationTest, overidentification, require_test
from hellgan.results import discriminator, figures
from hellgan.results.law import LawResults
from hellgan.results.ratios import OUTLIER, RatioResults
from hellgan.results.regression import RegressionResults, of_regressions

if TYPE_CHECKING:
    from hellgan.solver import GameEquations, SaddlePoint

__all__ = ["OUTLIER", "GANResults"]


class GANResults(RegressionResults, RatioResults, LawResults):
    """A fitted parametric GAN; made by ``GAN.fit``.

    Attributes
    ----------
    model : GAN
    params : Series
        Generator parameters, natural scale.
    saddle : SaddlePoint
        The solver's answer, with its certificate; also called ``solution``.
    converged : bool
        Whether the solution is a certified saddle point (non-zero-sum loss: locally stable) of which the joint
        law could be computed.
    trouble : str
        Why the fit did not converge; empty where it did.
    nobs, n_simulated : int
        Sizes n and m of the real and of the simulated sample.
    """

    equations: "GameEquations"  # pyright: ignore[reportIncompatibleVariableOverride]
    solution: "SaddlePoint"

    predict = of_regressions(LawResults.predict)
    location = of_regressions(LawResults.location)

    @property
    def saddle(self) -> "SaddlePoint":
        """The solver's answer, with its certificate."""
        return self.solution

    @property
    def label(self) -> str:
        return self.model.loss.name

    def case_columns(self) -> pd.DataFrame:
        """``log_ratio`` and ``prob_real`` of the observations, and what they count in the discriminator's score."""
        v = self.log_ratio(self.equations.sample.squeezed)
        return pd.DataFrame({"log_ratio": v, "prob_real": special.expit(v), "weight": self.equations.counts(v)})

    # Whether the generator fits.

    def overidentification_test(self, robust: bool = False) -> OveridentificationTest:
        """Test whether the generator fits, by the value of the game: (4); of a reweighted fit, the weighted sample.

        Parameters
        ----------
        robust : bool
            The null of the plain form is that the model is right; that of the robust one is only that it matches
            the features' means.

        Returns
        -------
        OveridentificationTest
            With ``statistic``, ``df`` and ``pvalue``.

        Raises
        ------
        ValueError
            For a loss that is not calibrated, no more features than parameters, and a discriminator with a hidden
            layer.
        """
        if self.equations.trouble:
            raise ValueError(f"overidentification test: {self.equations.trouble}.")
        loss, of = self.model.loss, self.equations
        require_test(loss, of.p, of.discriminator.size - 1)
        balance = of.balance(self.solution.u, "pooled" if robust else "real")
        return overidentification(self.solution.value, loss, balance, robust)

    def bulk_test(self) -> BulkTest:
        """Test whether the generator fits the observations that it is said to account for.

        Where a part of the sample lies elsewhere, ``overidentification_test`` rejects though the estimates are those
        of the bulk. Here both samples count only where the discriminator believes them: an observation at log ratio v
        counts expit(4 (1.5 - v)), half where the data are 4.5 times as dense as the fitted law, and so do simulated
        ones. What is rejected is a fit that describes no part of the sample well: one that lies between two groups, or
        is pulled to observations nearby.

        Returns
        -------
        BulkTest
            With ``statistic``, ``df``, ``pvalue`` and ``share``, the share of the sample that is believed. Equation
            (21) of ``docs/theory.md``. A fit warns (``FitWarning``) where the p-value is below .01 or the share below
            a half.

        Raises
        ------
        ValueError
            For a fit without a joint law, a loss that is not calibrated, and no more features than parameters.
        """
        self.require_law()
        require_test(self.model.loss, self.equations.p, self.equations.discriminator.size - 1)
        return discriminator.bulk_test(self)

    @property
    def bulk_pvalue(self) -> float:
        """The p-value of ``bulk_test``; NaN where it does not apply."""
        return self.bulk_test().pvalue if discriminator.can_be_tested(self) else np.nan

    def background_test(self) -> BackgroundTest:
        """Test whether contamination lies so close to the bulk that some of it must be within.

        Contamination that is scattered around the bulk, or close to it, is within the bulk, too, where no
        discriminator can tell it from the law's own observations. In zones beside the bulk, as wide as it is, the
        observations are counted and compared with what the fitted law has there; then the influence function says how
        far the estimates would be moved were the excess as dense within. What lies farther off does not count. A
        crowd within is looked for in the intervals between quantiles of the fitted law.

        Returns
        -------
        BackgroundTest
            With ``observed``, ``expected``, ``pvalue`` and ``shifts``, in standard errors, and ``crowd``. Equation (23)
            of ``docs/theory.md``. A fit warns (``FitWarning``) where the p-value is below .025 and a shift above .25,
            or where the crowd's p-value is below .002.

        Raises
        ------
        ValueError
            For a fit without a joint law, and for observations of several coordinates or with covariates.
        """
        self.require_law()
        found = discriminator.background_test(self)
        if found is None:
            raise ValueError("background test: it counts independent observations on the line; these are others.")
        return found

    def contamination_test(self, points=None) -> ContaminationTest:
        """Test whether a share of the data lies where the generator puts less, and say where and how large it is.

        The difference of the samples' mean features is looked at in the directions in which contamination at single
        points would move it; the p-value is that of the largest of these statistics. The null is that of
        ``overidentification_test``; the alternatives are fewer, and one-sided.

        Parameters
        ----------
        points : (k,) or (k, d) array_like, optional
            Where contamination may lie; unless given, 256 draws of the fitted generator, ``influence().places()`` and
            the observations (of more than 256, as many that lie evenly among them).

        Returns
        -------
        ContaminationTest
            With ``statistic``, ``pvalue``, ``point``, ``share`` and ``share_error``.

        Raises
        ------
        ValueError
            For a fit without a joint law.
        """
        self.require_law()
        return discriminator.contamination_test(self, points)

    def degenerate_directions(self) -> pd.DataFrame:
        """List the combinations of alpha that have no variance of order 1/n where the generator fits.

        There the law of alpha has rank q - p: v is 0 on average, and the generator has made the features' slopes in
        each parameter orthogonal to alpha. A Wald test on one of them would mean nothing.

        Returns
        -------
        DataFrame
            One row for the mean of v (``mean``), and one for each unconstrained parameter. Columns: ``estimate`` and
            ``std err`` of the combination at this fit, ``relative``, that error over what it would be were theta
            known, and the combination's coefficients ``alpha_0`` to ``alpha_q``.
        """
        return discriminator.degenerate_directions(self, self.require_law())

    # Reports.

    title = "Parametric GAN"

    def facts(self) -> list[tuple[str, str]]:
        return discriminator.facts(self)

    def notes(self) -> list[str]:
        return discriminator.notes(self)

    def compared(self) -> dict[str, object]:
        """What ``compare`` shows of the fit below its parameters, by name."""
        return discriminator.compared(self)

    def plot_diagnostics(self):
        """Draw four panels: the fit, a P-P plot with a simultaneous band, the log ratio, influence.

        In several dimensions the P-P plot is that of the discriminator's log ratio, and influence is told by Cook's
        distances.

        Returns
        -------
        array (4,) of matplotlib Axes
        """
        return figures.draw(self, OUTLIER)
