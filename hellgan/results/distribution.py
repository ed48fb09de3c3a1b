"""``DistributionResults``: density, probabilities, quantiles and moments of the fitted law, by scipy's names."""

from typing import TYPE_CHECKING

from hellgan.inference.functionals import law as functionals
from hellgan.inference.functionals.estimates import Functionals

if TYPE_CHECKING:
    from hellgan.generators.family import Generator
    from hellgan.results.base import EstimatedResults

    class Law(EstimatedResults):
        """What ``LawResults`` adds itself."""

        @property
        def generator(self) -> Generator: ...
else:
    Law = object


class DistributionResults(Law):
    """What a fit with a generator says of its law by the names of ``scipy.stats``, with standard errors."""

    def mean(self) -> Functionals:
        """Estimate the mean of an observation of the fitted law, with its standard error.

        By the family's formula where it has one, else over 131,072 scrambled Sobol points. Of a regression the mean is
        the response's over the data's covariates, by weight, which are held as they are.

        Returns
        -------
        Functionals
            One named ``mean``; of several dimensions one for each column; of a regression one named as the response.
            Not finite where the family's formula says that the law has no mean.

        Warns
        -----
        SimulationWarning
            Where the mean rests on a few draws far away, as it does where it is infinite; and where there is none.
        """
        return functionals.mean(self)

    def var(self) -> Functionals:
        """Estimate the variance of an observation of the fitted law, with its standard error.

        Returns
        -------
        Functionals
            One named ``var``, computed and told as ``mean``; of several dimensions one for each column, see
            ``covariance_matrix`` for all of the matrix. Intervals stay positive.

        Raises
        ------
        ValueError
            For a regression, whose responses are of many laws.
        """
        return functionals.spread(self, "var")

    def std(self) -> Functionals:
        """Estimate the standard deviation of an observation of the fitted law; as ``var``.

        Examples
        --------
        >>> import hellgan as hg
        >>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Logistic()).fit()
        >>> print(result.std().summary().round(1).loc[0, ["estimate", "std_error"]].to_list())
        [5.3, 0.6]
        """
        return functionals.spread(self, "std")

    def pdf(self, points) -> Functionals:
        """Estimate the fitted law's density at points, with the joint covariance of its values.

        Parameters
        ----------
        points : float or (k,) array_like; of a law in d dimensions (k, d)

        Returns
        -------
        Functionals
            Named ``f27`` and so on, of several dimensions ``f0``, ``f1``, ...; intervals stay positive. By the family's
            formula, or by change of variable where the generator is monotone in a single latent number.

        Raises
        ------
        ValueError
            For a regression, and for a simulator of which neither is known.
        """
        return functionals.pdf(self, points)

    def sf(self, points) -> Functionals:
        """Estimate 1 - ``cdf``, with the joint covariance of its values; named ``S27`` and so on."""
        return functionals.sf(self, points)

    def ppf(self, levels) -> Functionals:
        """Estimate quantiles of the fitted law: ``quantile`` by scipy's name."""
        return functionals.quantile(self, levels)
