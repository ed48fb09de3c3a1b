"""The front door: ``GAN`` checks what it is given, places the discriminator and solves the game."""

import copy
import dataclasses
import functools
import warnings

import numpy as np

from hellgan import discriminators, elsewhere, generators, losses
from hellgan.cautions import ConvergenceWarning
from hellgan.checks import checked_seed
from hellgan.discriminators import Basis, Discriminator
from hellgan.discriminators.basis import count_varying
from hellgan.generators import Generator, LinearRegression, checked_generator
from hellgan.generators.own import check_steady
from hellgan.generators.smoothed import simulator_of
from hellgan.inference import covariances, law
from hellgan.losses import Loss
from hellgan.results.discriminator import describes_no_bulk, warn_of_fit
from hellgan.results.gan import GANResults
from hellgan.samples import read
from hellgan.samples.designs import read_covariates, read_formula
from hellgan.samples.labels import packed
from hellgan.simulation import SimulatingModel, Simulation
from hellgan.solver.certificate import MAX_OUTER, TOLERANCE
from hellgan.solver.equations import GameEquations
from hellgan.solver.given import checked_limits, checked_reweight, one_of, starting_values
from hellgan.solver.resampling import moved
from hellgan.solver.reweighting import ReweightedEquations
from hellgan.solver.starts import matched, unmatched


class GAN(SimulatingModel):
    """A parametric GAN: a simulator with named parameters against a discriminator, on one sample.

    Parameters
    ----------
    data : array_like, Series or DataFrame
        (n,) or (n, d) finite numbers; a DataFrame's columns are the coordinates. For a regression the covariates
        and, last, the response: see also ``from_formula``. Frames of other libraries are read as pandas' are.
    generator : Generator
        A family of ``hg.generators``, or a function under ``@hg.generator``.
    discriminator : Discriminator, optional
        Unless given, sigmoids at quantiles of the data; for a regression, sigmoids of its residuals.
    loss : str or Loss
        ``"root"`` (bounded), ``"log"``, ``"hellinger"``, ``"least_squares"``, ``"root_ns"``, ``"log_ns"``,
        ``"sharp_ns"``, ``"kl"``, or ``"alpha(1.5)"`` with any number of at least 1/64.
    weights : (n,) array_like, optional
        Observation (sampling) weights, not negative; only their ratios matter. A Series is matched to the data by
        its index, where both have one. A weight is no count of repeated rows: repeat those with ``numpy.repeat``.
    latent : {"sobol", "iid"}
        Scrambled Sobol or independent latent draws.
    n_simulated : int, optional
        Size m of the simulated sample, rounded up to a power of two for Sobol draws: 1,024 (Sobol; 4,096 for
        ``AlphaStable``) or 10 n (iid) unless given. In a regression every observation has its own simulated responses,
        as many (Sobol: a power of two, at least 8 unless given) as make up at least m.
    seed : int
        Seed of the latent draws and of whatever else is random. The same seed gives the same answer.
    reweight : bool
        Whether to fit twice: with the loss ``sharp_ns``, then with ``loss`` on observations weighted by how far the
        first discriminator believes them. For contamination that is near, from 3 standard deviations of the bulk on;
        some three times slower, as good on clean data (``docs/robustness.md``). Standard errors include both fits.
    missing : {"raise", "drop"}
        What happens to rows in which a value, or the weight, is missing (NaN, None): they are refused, or left out;
        ``sample.left_out`` then lists their labels.

    Attributes
    ----------
    nobs, n_simulated : int
        n and m.
    sample : Sample
        The data as rows (n, d), with their labels and weights.
    simulation : Simulation
        How the simulated sample is drawn; ``draws_each`` is the number of responses of each observation, in a
        regression.
    basis : Basis or Network
        The discriminator placed on the data.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence that names the argument and the remedy.

    Examples
    --------
    >>> import hellgan as hg
    >>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal()).fit()
    >>> print(result.params.round(1).to_dict())
    {'loc': 27.7, 'scale': 5.1}
    """

    name = "GAN"

    def __init__(
        self,
        data,
        generator: Generator | str,
        discriminator: Discriminator | None = None,
        loss: str | Loss = "root",
        *,
        weights=None,
        latent: str = "sobol",
        n_simulated: int | None = None,
        seed: int = 0,
        reweight: bool = False,
        missing: str = "raise",
    ):
        self.sample, self.generator = read(data, checked_generator(generator), missing, weights)
        _check_sample(self)
        self.loss, self.seed = losses.checked(loss), checked_seed(seed)
        self.simulation = Simulation.of(simulator_of(self.generator), latent, self.nobs, n_simulated)
        self.discriminator = (
            discriminators.default(self.generator)
            if discriminator is None
            else discriminators.checked_discriminator(discriminator, self.generator)
        )
        self.basis = self.discriminator.place(self.sample.rows, self.sample.weights, self.seed)
        self.reweight = checked_reweight(reweight, self.basis)
        if self.generator.jumps and not self.basis.is_linear:
            raise ValueError("discriminator: a simulator that jumps needs one linear in its parameters, as Sigmoids.")
        _check_features(self)
        self.formula = self.design_again = None
        # Refuses data that the family cannot have.
        self._start = self.generator.start(self.sample.squeezed, self.sample.weights)

    @classmethod
    def from_formula(
        cls, formula: str, data, generator: Generator | str | None = None, *args, weights=None, missing="drop", **kwargs
    ):
        """Make a regression from a formula and a frame.

        Parameters
        ----------
        formula : str
            ``"response ~ covariates"`` as in statsmodels, read by formulaic: ``"y ~ x + C(group) + np.log(z)"``. The
            parameters are named after the design's columns, in the order of the formula.
        data : DataFrame or mapping of columns
            A frame of pandas or of another library. Names that are no columns are looked up where the formula is
            written; a Series there is matched by its index.
        generator : Generator, optional
            ``hg.generators.LinearRegression()`` unless given; or a function under ``@hg.generator`` with as many
            ``covariates`` as the design has columns, the intercept's not counted.
        weights : (n,) array_like or str, optional
            As for ``GAN``, one for each row of the data, those that are dropped among them; or the name of a column.
        missing : {"drop", "raise"}
            Rows in which a variable of the formula, or the weight, is missing are dropped with their weights and
            groups, as statsmodels does, or refused. ``nobs`` counts those that are left, ``sample.left_out`` lists the
            labels of the others.
        *args, **kwargs
            As for ``GAN``.

        Returns
        -------
        GAN

        Raises
        ------
        ValueError, TypeError
            For a formula or data that make no design, in one sentence.

        Examples
        --------
        >>> import hellgan as hg
        >>> data = hg.datasets.load_telephone()
        >>> result = hg.GAN.from_formula("calls ~ year", data).fit()
        >>> print(result.params.round(2).to_dict())
        {'Intercept': -5.3, 'year': 0.11, 'scale': 0.14}
        """
        generator = LinearRegression() if generator is None else checked_generator(generator)
        design = read_formula(formula, data)
        generator = generator.for_design(design.covariates, design.has_intercept)
        weights = design.weights(weights, missing)
        design.require_levels(weights)
        model = cls(design.frame, generator, *args, weights=weights, missing=missing, **kwargs)
        model.formula, model.design_again = formula, design.again
        model.sample = model.sample.out_of(design.origin, len(design.frame))
        return model

    def __repr__(self):
        return (
            f"<GAN {self.generator.name}, {type(self.discriminator).__name__}, {self.loss.name}, "
            f"n = {self.nobs}, m = {self.n_simulated}>"
        )

    @property
    def x(self) -> np.ndarray:
        """The observations, (n,) where they have one coordinate, else (n, d)."""
        return self.sample.squeezed

    @property
    def columns(self) -> list[str] | None:
        """Names of the coordinates, where there are several and the data name them."""
        return self.sample.columns

    def equations(self) -> GameEquations:
        """Give the estimating equations of the generator's and the discriminator's parameters."""
        kind = ReweightedEquations if self.reweight else GameEquations
        return kind(self.sample, self.generator, self.basis, self.discriminator, self.loss, self.simulation, self.seed)

    def game(self):
        """Give the ingredients of the objective, as ``hellgan.objective`` takes them."""
        return self.equations().game

    def on(self, data, seed: int | None = None) -> "GAN":
        """Give the same model on another sample, with another seed if given; weights are matched by label."""
        seed, parts = self.seed if seed is None else seed, (self.generator, self.discriminator, self.loss)
        how = {"latent": self.latent, "n_simulated": self.n_simulated, "reweight": self.reweight}
        model = GAN(self.sample.in_order(data, "data"), *parts, weights=self.weights, seed=seed, **how)
        model.formula, model.design_again = self.formula, self.design_again
        return model

    def with_weights(self, weights) -> "GAN":
        """Give the same model with other observation weights, its discriminator placed as its influence says."""
        model = copy.copy(self)
        model.sample = self.sample.with_weights(weights)
        if isinstance(self.basis, Basis):
            model.basis = moved(self.basis, self.sample.rows, model.sample.weights - self.sample.weights)
        _check_sample(model)
        return model

    def new_covariates(self, data, transform: bool = True) -> np.ndarray:
        """Turn new data into the covariates (r, k) of a regression, by its formula where it has one."""
        columns = self.columns[:-1] if self.columns else None
        return read_covariates(data, self.generator.covariates, columns, self.design_again if transform else None)

    def recipe(self) -> tuple[dict[str, np.ndarray], dict]:
        """Take the model apart into arrays and JSON facts, from which ``hg.load`` builds it anew."""
        return _recipe(self)

    def fit(
        self,
        start=None,
        cov_type: str = "sandwich",
        throw: bool = False,
        cov_kwds: dict | None = None,
        *,
        tol: float = TOLERANCE,
        maxiter: int = MAX_OUTER,
        disp: bool | None = None,
        start_params=None,
    ) -> GANResults:
        """Solve the game and infer the joint law of its parameters.

        Parameters
        ----------
        start, start_params : mapping, Series or sequence, optional
            Starting values on the natural scale, by name or in the order of ``generator.names``; the package's own
            robust start unless given. Some of them, as in ``{"loc": 3}``, leave the others to the package.
            ``start_params`` is statsmodels' name.
        cov_type : {"sandwich", "HC1", "HC3", "model", "HAC", "cluster", "bootstrap"}
            Covariance of the estimate, as in ``GANResults.with_cov``: unless given that of equation (2) of
            ``docs/theory.md``, which allows misspecification.
        throw : bool
            Raise ``RuntimeError`` where the fit has no certificate or describes no bulk of the sample.
        cov_kwds : dict, optional
            Arguments of that kind of covariance, such as ``{"groups": ...}``.
        tol : float
            Score norm at which a search ends; a score below ten times that, or below a ten thousandth of its own
            standard error, passes for 0.
        maxiter : int
            Outer steps from each starting value; neither limit is a hidden layer's.
        disp : bool, optional
            Whether the search shows its steps; unless given it does in a terminal, from the fifth second on.

        Returns
        -------
        GANResults

        Raises
        ------
        ValueError, TypeError
            For starting values outside their spaces, an unknown ``cov_type``, and limits that are none.
        RuntimeError
            As ``throw`` says.

        Warns
        -----
        ConvergenceWarning
            When the solution is not a certified saddle point; standard errors are then NaN.
        FitWarning
            When the fitted law describes no bulk of the sample (``GANResults.bulk_test``), contamination lies beside it
            (``background_test``), many observations share one value, a parameter is near an edge, or data are few.
        """
        covariances.check_kind(cov_type, cov_kwds)
        own, limits = self.equations(), checked_limits(tol, maxiter, disp)
        equations = own if limits == own.limits else dataclasses.replace(own, limits=limits)
        start = one_of(start, start_params)
        saddle = equations.solve(self.starts(start), reserve=self.reserve(start))
        found = law(own, saddle)
        if found.trouble:
            _report(f"{self!r}: {found.trouble}.", throw)
        fit = GANResults(self, saddle, found, equations=own)
        if start is None and describes_no_bulk(fit) and (other := elsewhere.lower(self, equations, saddle)):
            fit = GANResults(self, *other, equations=own)
        if not fit.trouble and (cov_type != "sandwich" or cov_kwds):
            fit = fit.with_cov(cov_type, **(cov_kwds or {}))
        warn_of_fit(fit, throw)
        return fit

    def starts(self, start=None) -> np.ndarray:
        """Starting values (k, p), unconstrained scale, from ``start`` as ``fit`` takes it, or the package's own."""
        if start is not None:
            return starting_values(start, self.generator, self.sample, self.seed)
        if self._start is not None:
            return self.generator.theta(**self._start)[None]
        return matched(self.generator, self.sample.rows, self.sample.weights, self.seed)

    def reserve(self, start=None):
        """Give a function that finds further starting values, where the package searches for them; None elsewhere."""
        if start is not None or self._start is not None:
            return None
        return functools.partial(unmatched, self.generator, self.sample.rows, self.sample.weights, self.seed)


def _check_sample(model: GAN) -> None:
    sample, generator = model.sample, model.generator
    check_steady(generator)
    sample.check_variation(generator.size)
    given = sample.given_weights
    generator.check_rows(sample.rows if given is None else sample.rows[given > 0])


def _check_features(model: GAN) -> None:
    p, basis = model.generator.size, model.basis
    if not isinstance(basis, Basis):
        return
    varying = basis.size - 1 if basis.varies else count_varying(model.equations().features(model.sample.rows))
    if varying < p:
        raise ValueError(
            f"discriminator: {varying} features vary over the data, fewer than the {p} parameters of "
            f"{model.generator.name}; give a discriminator with at least {p}, better twice as many."
        )


def _recipe(model: GAN) -> tuple[dict[str, np.ndarray], dict]:
    arrays = {"x": model.sample.squeezed}
    if model.weights is not None:
        arrays["weights"] = model.weights
    facts = {
        "estimator": model.name,
        "generator": generators.recipe(model.generator),
        "discriminator": discriminators.recipe(model.discriminator),
        "loss": model.loss.name if model.loss.is_named else None,
        "columns": model.columns,
        "latent": model.latent,
        "n_simulated": model.n_simulated,
        "seed": model.seed,
        "reweight": model.reweight,
        "simulator": model.generator.name,
        "rows": packed(model.sample),
        "formula": model.formula,
    }
    return arrays, facts


def _report(message: str, throw: bool) -> None:
    if throw:
        raise RuntimeError(message)
    warnings.warn(message, ConvergenceWarning, stacklevel=3)
