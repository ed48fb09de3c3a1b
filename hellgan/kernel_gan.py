"""The door of kernel GANs: ``KernelGAN`` checks what it is given, chooses the bandwidth, minimises and infers."""

import copy
import dataclasses
import functools
import warnings
from collections.abc import Sequence

import numpy as np

from hellgan import generators
from hellgan.cautions import ConvergenceWarning
from hellgan.checks import checked_seed
from hellgan.execution import programs
from hellgan.generators import Generator, checked_generator
from hellgan.generators.own import check_steady
from hellgan.generators.smoothed import simulator_of
from hellgan.inference import covariances, law, natural_covs
from hellgan.kernels.compression import compressed
from hellgan.kernels.mesh import nodes_for
from hellgan.kernels.placement import Placement
from hellgan.kernels.plugin import closed_form
from hellgan.losses import Loss
from hellgan.objective.kernel import log_ratios
from hellgan.results.kernel import KernelGANResults
from hellgan.samples import read
from hellgan.samples.labels import packed
from hellgan.simulation import SimulatingModel, Simulation
from hellgan.solver.given import one_of, starting_values
from hellgan.solver.kernel import KernelEquations, KernelMinimum
from hellgan.solver.starts import matched, unmatched

_LEAST = 3  # observations
_OVERFLOW = 700.0  # log ratios beyond which one of two densities is 0 beside the other


class KernelGAN(SimulatingModel):
    """A kernel GAN: a simulator with named parameters against the ratio of two kernel density estimates.

    The discriminator is not trained: it is v = log (p + phi)/(q + phi), with p a kernel density estimate of the data
    and q one of the simulated sample, in the place of the optimal log density ratio. The parameters minimise the value
    of the game, (25) of ``docs/theory.md``, section 9, which has the mathematics.

    Parameters
    ----------
    data : array_like, Series or DataFrame
        (n,) or (n, d) finite numbers, at least three; a DataFrame's columns are the coordinates.
    generator : Generator or str
        A family of ``hg.generators``, or a function under ``@hg.generator``; without covariates.
    loss : str or Loss
        One with a closed form: zero-sum, with the log density ratio for its optimum (``"root"``, ``"log"``,
        ``"hellinger"``, ``"least_squares"``, ``"alpha(1.5)"``).
    bandwidth : str, number, tuple of numbers or list
        The kernel's standard deviation in each coordinate, in the data's units: ``"auto"`` (1.5 n^(-1/(d+4)) robust
        scales), ``"silverman"``, ``"scott"``, ``"cross-validated"`` (by the data's likelihood), or numbers; on the
        sample, once. A list is gone through, each search beginning where the last one ended; the last is the
        estimator's.
    kernel : str or sequence of numbers
        ``"gaussian"``, ``"epanechnikov"``, or the mean of Gaussian kernels of these multiples of the bandwidth.
    phi : float or "auto"
        What is added to both densities, in units of a density. ``"auto"``: on the line K(0)/n, what one observation
        adds to the density at itself, which keeps isolated observations of heavy tails from moving over each other; 0
        in several dimensions.
    cooling : float
        The bandwidth of the first of several searches over the last; each halves it. 1: a single search.
    own_weight : float, optional
        What an observation counts in the density at itself: 1 as any other, 0 not at all. Unless given, R/(2 K(0)) with
        R the integral of K^2, for which the noise of the density estimates causes no bias to first order, (26).
    compress : bool
        On the line, whether densities are estimated on a scale on which tails are compressed, a arcsinh((x - median)/a)
        with a eight robust scales: kernels widen with the distance from the middle. Without it standard errors are far
        too small for heavy tails. In several dimensions there is none.
    weights : (n,) array_like, optional
        As for ``GAN``.
    latent : {"sobol", "iid"}
        Scrambled Sobol or independent latent draws. Of several latent coordinates the simulated density has Sobol
        points of its own beside those over which the simulated mean is taken.
    n_simulated : int, optional
        Size m of the simulated sample; as for ``GAN``.
    seed : int
        Seed of the latent draws.
    missing : {"raise", "drop"}
        As for ``GAN``.

    Attributes
    ----------
    nobs, n_simulated : int
        n and m.
    sample : Sample
    placement : Placement
        Kernel, bandwidth and phi as they were asked for.
    bandwidths : (s, k, d) array
        Of each search and of the kernel's components.
    phi : (s,) array
    compression : (2,) or (0,) array
        Median and a; empty where nothing is compressed.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence that names the argument and the remedy.

    References
    ----------
    Sinn and Rawat (2018), Non-parametric estimation of Jensen-Shannon divergence in generative adversarial network
    training, AISTATS.

    Examples
    --------
    >>> import hellgan as hg
    >>> result = hg.KernelGAN(hg.datasets.load_newcomb(), hg.generators.Normal()).fit()
    >>> print(result.params.round(1).to_dict())
    {'loc': 27.7, 'scale': 5.1}
    """

    name = "KernelGAN"

    def __init__(
        self,
        data,
        generator: Generator | str,
        loss: str | Loss = "root",
        bandwidth: str | float | Sequence = "auto",
        *,
        kernel: str | Sequence[float] = "gaussian",
        phi: float | str = "auto",
        cooling: float = 1.0,
        own_weight: float | None = None,
        compress: bool = True,
        weights=None,
        latent: str = "sobol",
        n_simulated: int | None = None,
        seed: int = 0,
        missing: str = "raise",
    ):
        self.sample, self.generator = read(data, checked_generator(generator), missing, weights)
        self.loss, self.seed = closed_form(loss), checked_seed(seed)
        _check(self)
        self.placement = Placement.read(bandwidth, kernel, phi, own_weight, cooling, compress, self.sample.d)
        self.bandwidths, self.phi = self.placement.placed(self.sample.rows, self.sample.weights)
        self.compression = self.placement.compression(self.sample.rows, self.sample.weights)
        _check_bandwidth(self)
        self.simulation = simulation_of(self.generator, latent, self.nobs, n_simulated)
        # Refuses data that the family cannot have.
        self._start = self.generator.start(self.sample.squeezed, self.sample.weights)

    def __repr__(self):
        return f"<KernelGAN {self.generator.name}, {self.loss.name}, n = {self.nobs}, m = {self.n_simulated}>"

    def equations(self) -> KernelEquations:
        """Give the estimating equations of the generator's parameters."""
        return self._equations(self.nodes)

    def _equations(self, nodes: int) -> KernelEquations:
        return KernelEquations(
            self.sample,
            self.generator,
            self.loss,
            self.placement,
            self.bandwidths,
            self.phi,
            self.compression,
            self.simulation,
            self.seed,
            nodes,
        )

    @functools.cached_property
    def nodes(self) -> int:
        """Nodes of the mesh on which sums over pairs are computed; 0 where they are computed pair by pair.

        On the line, with Gaussian kernels and data that are not too far apart, there is a mesh.
        """
        if self.sample.d > 1 or self.placement.shape != "gaussian":
            return 0
        drawn = self._equations(0).drawn(self.starts()[0])
        rows = compressed(np.concatenate([self.sample.rows[:, 0], drawn[:, 0]]), self.compression, np)
        width = float(np.ptp(rows[np.isfinite(rows)]))
        return max(nodes_for(self.bandwidths[stage], width) for stage in range(len(self.phi)))

    def on(self, data, seed: int | None = None) -> "KernelGAN":
        """Give the same model on another sample, its bandwidth chosen there, with another seed if given."""
        return KernelGAN(
            self.sample.in_order(data, "data"),
            self.generator,
            self.loss,
            **self.placement.arguments(),
            weights=self.weights,
            latent=self.latent,
            n_simulated=self.n_simulated,
            seed=self.seed if seed is None else seed,
        )

    def with_weights(self, weights) -> "KernelGAN":
        """Give the same model with other observation weights; bandwidth, phi and scale stay as they are."""
        model = copy.copy(self)
        for name in ("_starts", "nodes"):  # computed anew
            vars(model).pop(name, None)
        model.sample = self.sample.with_weights(weights)
        return model

    def recipe(self) -> tuple[dict[str, np.ndarray], dict]:
        """Take the model apart into arrays and JSON facts, from which ``hg.load`` builds it anew."""
        arrays = {"x": self.sample.squeezed}
        if self.weights is not None:
            arrays["weights"] = self.weights
        facts = {
            "estimator": self.name,
            "generator": generators.recipe(self.generator),
            "loss": self.loss.name if self.loss.is_named else None,
            "placement": dataclasses.asdict(self.placement),
            "columns": self.sample.columns,
            "latent": self.latent,
            "n_simulated": self.n_simulated,
            "seed": self.seed,
            "simulator": self.generator.name,
            "rows": packed(self.sample),
        }
        placed = {"bandwidths": self.bandwidths, "phi": self.phi, "compression": self.compression}
        return {**arrays, **placed}, facts

    def fit(
        self,
        start=None,
        cov_type: str = "sandwich",
        throw: bool = False,
        cov_kwds: dict | None = None,
        *,
        start_params=None,
    ) -> KernelGANResults:
        """Minimise the objective and infer the law of the parameters.

        Parameters
        ----------
        start, start_params : mapping, Series or sequence, optional
            Starting values on the natural scale, as for ``GAN.fit``; the package's own robust start unless given.
        cov_type : str
            As in ``with_cov``; ``"model"`` is not known for this estimator.
        throw : bool
            Raise ``RuntimeError`` where the fit has no certificate.
        cov_kwds : dict, optional
            Arguments of that kind of covariance.

        Returns
        -------
        KernelGANResults

        Raises
        ------
        ValueError, TypeError
            For starting values outside their spaces, and an unknown ``cov_type``; where the bandwidth is so small that
            every density ratio at the start is 0 or infinite.
        RuntimeError
            As ``throw`` says.

        Warns
        -----
        ConvergenceWarning
            When the solution is not a certified minimum; standard errors are then NaN.
        """
        covariances.check_kind(cov_type, cov_kwds)
        equations, starts = self.equations(), self.starts(one_of(start, start_params))
        _check_overlap(equations, starts[0])
        solution = self.solved(equations, starts, own=start is None and start_params is None)
        found = law(equations, solution)
        if found.trouble:
            message = f"{self!r}: {found.trouble}."
            if throw:
                raise RuntimeError(message)
            warnings.warn(message, ConvergenceWarning, stacklevel=2)
        fit = KernelGANResults(self, solution, found, equations=equations)
        if not fit.trouble and (cov_type != "sandwich" or cov_kwds):
            fit = fit.with_cov(cov_type, **(cov_kwds or {}))
        return fit

    def solved(self, equations: KernelEquations, starts: np.ndarray, own: bool = True) -> KernelMinimum:
        """Solve the equations from starting values (k, p); from others, too, where these are the package's ``own``."""
        solution = equations.solve(starts)
        if solution.reason and own and self._start is None:
            others = unmatched(self.generator, self.sample.rows, self.sample.weights, self.seed)
            other = equations.solve(others)
            solution = solution if other.reason else other
        return solution

    @staticmethod
    def solved_all(
        models: "Sequence[KernelGAN]", wanted: int
    ) -> list[tuple[KernelMinimum, np.ndarray, np.ndarray, str]]:
        """Fit models that differ in sample and seed: solutions, natural parameters, their covariances, what is wrong.

        Models after the first ``wanted`` only fill a group.
        """
        each = [model.equations() for model in models]
        nodes = [of.nodes for of in each]
        each = [dataclasses.replace(of, nodes=max(nodes) if min(nodes) else 0) for of in each]
        starts = [model.starts() for model in models]
        if len(models[0].phi) > 1 or len(starts[0]) > 1 or len(models) == 1:
            ends = [models[k].solved(each[k], starts[k]) for k in range(min(wanted, len(models)))]
        else:
            games = programs.stack([of.game for of in each])
            ends = each[0].solve_all(games, np.concatenate(starts))[:wanted]
            for k, end in enumerate(ends):
                ends[k] = models[k].solved(each[k], starts[k]) if end.reason else end
        found = [law(of, end) for of, end in zip(each, ends, strict=False)]
        covs = natural_covs(models[0].generator, found)
        return [(end, one.natural, cov, one.trouble) for end, one, cov in zip(ends, found, covs, strict=True)]

    def starts(self, start=None) -> np.ndarray:
        """Starting values (k, p), unconstrained scale, from ``start`` as ``fit`` takes it, or the package's own."""
        if start is not None:
            return starting_values(start, self.generator, self.sample, self.seed)
        return self._starts

    @functools.cached_property
    def _starts(self) -> np.ndarray:
        if self._start is not None:
            return self.generator.theta(**self._start)[None]
        return matched(self.generator, self.sample.rows, self.sample.weights, self.seed)


def simulation_of(generator: Generator, latent: str, n: int, n_simulated: int | None) -> Simulation:
    """Choose the simulation.

    Sobol points of one latent coordinate lie more densely in the tails, with weights; those of several coordinates are
    two sets, side by side in a row.
    """
    simulator = simulator_of(generator)
    found = Simulation.of(simulator, latent, n, n_simulated)
    if latent != "sobol" or simulator.is_weighted:
        return found
    return dataclasses.replace(found, dim=2 * found.dim, is_stretched=simulator.latent_dim == 1)


def _check(model: KernelGAN) -> None:
    sample, generator = model.sample, model.generator
    check_steady(generator)
    if generator.covariates:
        raise ValueError(
            f"generator: {generator.name} has covariates, and the densities of two samples say nothing of a response "
            "given them; use hg.GAN."
        )
    if generator.jumps:
        raise ValueError(
            f"generator: {generator.name} jumps, and the objective's slopes would say nothing; use hg.GAN, which "
            "smooths it."
        )
    if len(sample) < _LEAST:
        raise ValueError(f"data: {len(sample)} observations; give at least {_LEAST} for a density estimate.")
    sample.check_variation(generator.size)
    given = sample.given_weights
    generator.check_rows(sample.rows if given is None else sample.rows[given > 0])


def _check_bandwidth(model: KernelGAN) -> None:
    """Refuse a bandwidth beside which the data are all one point."""
    if model.sample.d > 1:
        return
    spread, least = float(np.ptp(model.sample.rows)), float(model.bandwidths[-1].min())
    if least > 1e6 * spread:
        raise ValueError(
            f"bandwidth: {least:.4g} is more than a million times the range of the data, {spread:.4g}; give a smaller "
            "one."
        )


def _check_overlap(equations: KernelEquations, theta: np.ndarray) -> None:
    """Refuse bandwidths so small that every density ratio at starting values theta (p,) is 0 or infinite."""
    ratios = log_ratios(equations.game, theta, equations.phi[0])[: len(equations.sample)]
    if np.all(np.abs(ratios) > _OVERFLOW):
        raise ValueError(
            f"bandwidth: {equations.bandwidths[0].mean():.4g} is so small that every density ratio at the starting "
            "values is 0 or infinite; give a larger one, or a list of bandwidths that begins with a large one."
        )
