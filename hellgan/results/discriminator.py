"""What the discriminator of a parametric GAN says of the fit: in its summary, and in tests at its solution.

Equation (4) is that of ``docs/theory.md``.
"""

import dataclasses
import functools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hellgan.cautions import FitWarning
from hellgan.estimation import Sandwich
from hellgan.execution import programs
from hellgan.inference import bulk_test as inference
from hellgan.inference.background_test import BackgroundTest
from hellgan.inference.background_test import background_test as beside_bulk
from hellgan.inference.bulk_test import BulkTest
from hellgan.inference.contamination_test import ContaminationTest, contamination
from hellgan.inference.linked import near_edges, observations_seen
from hellgan.results import summary
from hellgan.results.ratios import outlier_notes
from hellgan.samples.ties import Atom, rounding_step

if TYPE_CHECKING:
    from hellgan.results.gan import GANResults

_OVERLAP = 75  # observations of known part that weights are known as from, below which intervals are short
_CANDIDATES = 256  # draws, and observations, at which contamination is looked for


def facts(fit: "GANResults") -> list[tuple[str, str]]:
    """Labels and values in the head of the summary."""
    saddle, model = fit.saddle, fit.model
    loss, each = model.loss, model.simulation.draws_each
    kind = "scrambled Sobol" if model.latent == "sobol" else "independent"
    found = [
        ("Generator:", fit.generator.name),
        ("Discriminator:", _described(model.discriminator, model.basis)),
        (
            "Loss:",
            loss.name + ("" if loss.is_zero_sum else " (non-zero-sum)") + (", reweighted" if model.reweight else ""),
        ),
        ("Cov. type:", summary.kind(fit)),
        ("Observations n:", summary.observations(fit)),
        ("Simulated m:", (f"{fit.nobs} x {each}" if each else f"{fit.n_simulated}") + f" {kind}"),
        ("Divergence:", f"{saddle.value - loss.value_at_equality:.5f}"),
        ("Converged:", saddle.kind if fit.converged else "NO"),
        ("Iterations:", f"{saddle.iterations} outer, {saddle.inner_iterations} inner"),
        ("Score norm:", f"{saddle.score_norm:.1e}"),
    ]
    if can_be_tested(fit):
        test = fit.overidentification_test()
        found += [("Overid. test:", f"{test.statistic:.2f}"), ("Prob(overid.):", f"{test.pvalue:.3f}")]
        bulk = bulk_test(fit)
        found += [("Bulk believed:", f"{bulk.share:.3f}"), ("Prob(bulk):", f"{bulk.pvalue:.3f}")]
    return found


def can_be_tested(fit: "GANResults") -> bool:
    """Whether the tests (4) and (21) apply: their laws are those of independent observations."""
    model = fit.model
    if fit.sandwich is None or fit.cov_type in ("HAC", "cluster"):
        return False
    return model.loss.is_calibrated and model.basis.size - 1 > fit.generator.size


def notes(fit: "GANResults") -> list[str]:
    """Sentences below the summary."""
    own, features = [], fit.model.basis.size - 1
    if not fit.model.basis.is_linear:
        given = "those of its bootstrap" if fit.cov_type == "bootstrap" else "none, but for those of bootstrap()"
        own.append(f"A discriminator with a hidden layer has no joint normal law. Standard errors: {given}.")
    own += outlier_notes(fit)
    sample = fit.model.sample
    if fit.model.reweight:
        own.append(
            "Fitted twice, observations weighted by what the first discriminator believed: the divergence and "
            "Prob(overid.) are of the weighted sample."
        )
    if found := atom(fit):
        own.append(f"{tied(found)}.")
    if count := overlapping(fit):
        said = parts_overlap(count, fit.nobs)
        own.append(f"{said[0].upper()}{said[1:]}.")
    if can_be_tested(fit) and (test := bulk_test(fit)).is_rejected:
        said = bulk_rejected(test)
        own.append(f"{said[0].upper()}{said[1:]}.")
    elif (beside := background_test(fit)) is not None and beside.is_rejected:
        own.append(f"{background_rejected(beside)}.")
    step = 0.0 if fit.generator.covariates or sample.d > 1 else rounding_step(sample.rows[:, 0], sample.weights)
    if step:
        own.append(
            f"The data are rounded to steps of {step:.4g}: the discriminator does not look inside a step, and the "
            f"fitted law's variance includes about {step**2 / 12:.3g} (step^2 / 12) that is rounding's."
        )
    found = summary.notes(fit, tuple(own))
    if fit.law.sandwich is not None and features == fit.generator.size:
        found.append("As many features as parameters: a method of moments whatever the loss, with nothing to test.")
    if fit.sandwich is not None and (few := too_few(fit.nobs, features)):
        found.append(f"{few}.")
    return found


def compared(fit: "GANResults") -> dict[str, object]:
    """What ``compare`` shows of a fit below its parameters, by name."""
    return {
        "loss": fit.model.loss.name,
        "n": fit.nobs,
        "m": fit.n_simulated,
        "divergence": fit.saddle.value - fit.model.loss.value_at_equality,
        "overid. p-value": fit.overidentification_test().pvalue if can_be_tested(fit) else np.nan,
        "bulk p-value": fit.bulk_pvalue,
        "outliers": len(fit.outlier_positions()),
        "converged": fit.converged,
    }


def _described(discriminator, basis) -> str:
    return f"{type(discriminator).__name__}, {basis.size - 1 if basis.is_linear else basis.size} " + (
        "features" if basis.is_linear else "weights"
    )


# What the quadratic game at the fit says.


def warn_of_fit(fit: "GANResults", throw: bool) -> None:
    """Warn where the fitted law describes no bulk of the sample (raise instead where ``throw``), and of few data."""
    few = too_few(fit.nobs, fit.model.basis.size - 1) if fit.sandwich is not None else ""
    if few:
        warnings.warn(f"{fit.model!r}: {few}.", FitWarning, stacklevel=3)
    if found := atom(fit):
        warnings.warn(f"{fit.model!r}: {tied(found)}.", FitWarning, stacklevel=3)
    if count := overlapping(fit):
        warnings.warn(f"{fit.model!r}: {parts_overlap(count, fit.nobs)}.", FitWarning, stacklevel=3)
    for name, law in fit.generator.edges.items():
        if near_edges(fit.spaces, fit.params.to_numpy(), fit.bse.to_numpy())[fit.params.index == name].any():
            warnings.warn(f"{fit.model!r}: {at_edge(name, law)}.", FitWarning, stacklevel=3)
    if not can_be_tested(fit) or not (test := bulk_test(fit)).is_rejected:
        beside = background_test(fit)
        if beside is not None and beside.is_rejected:
            warnings.warn(f"{fit.model!r}: {background_rejected(beside)}.", FitWarning, stacklevel=3)
        return
    message = f"{fit.model!r}: {bulk_rejected(test)}."
    if throw:
        raise RuntimeError(message)
    warnings.warn(message, FitWarning, stacklevel=3)


def atom(fit: "GANResults") -> Atom | None:
    """The value that more of the sample shares than the fitted law explains; None where there is none."""
    of = fit.equations
    return of.atom(fit.model.sample.rows, of.game, fit.saddle.theta)


def tied(found: Atom) -> str:
    """Say what it means that many observations share one value."""
    return (
        f"{100 * found.share:.0f} % of the observations are {found.value:.6g}, which the fitted law does not explain: "
        "values that were filled in, censored or rounded there pass for observations, and intervals do not count it; "
        "leave them out, or write a simulator that has them"
    )


def at_edge(name: str, law: str) -> str:
    """Say what it means that a parameter is near the edge of its space, where the law is another."""
    return (
        f"{name} is less than two standard errors from the edge of its space, {law}: there errors are not those of "
        "normal estimates, and intervals may miss; compare the fit of that law"
    )


def are_overlapping(seen, nobs: int):
    """Whether parts overlap so far that so few of ``nobs`` observations are as good as seen to be of theirs."""
    return seen < min(_OVERLAP, nobs / 2)


def overlapping(fit: "GANResults") -> float:
    """How many observations are as good as seen to be of their part, where those are too few; 0 elsewhere."""
    if fit.sandwich is None:
        return 0.0
    seen = float(observations_seen(fit.spaces, fit.params.to_numpy(), fit.bse.to_numpy()))
    return seen if are_overlapping(seen, fit.nobs) else 0.0


def parts_overlap(count: float, nobs: int) -> str:
    """Say what it means that the parts of a law overlap."""
    return (
        f"the parts overlap: their weights are known only as from {max(count, 1):.0f} of {nobs} observations whose "
        "part one sees, where estimates are far from normal and intervals are likely to be too short"
    )


def too_few(nobs: int, features: int) -> str:
    """Say where there are fewer than three observations a feature; empty elsewhere."""
    if nobs >= 3 * features:
        return ""
    return f"{nobs} observations for {features} features: intervals are likely to be too short"


def background_rejected(test: BackgroundTest) -> str:
    """Say what it means that the test of the background rejects."""
    if not test.moves and test.crowd is not None:
        crowd = test.crowd
        return (
            f"{crowd.observed:.0f} observations lie between {crowd.low:.4g} and {crowd.high:.4g} where the fitted law "
            f"has {crowd.expected:.1f} (test of the background): contamination there is taken for a part of the bulk, "
            "and intervals may miss; GAN(reweight=True) takes off a part of that"
        )
    worst = int(np.argmax(np.abs(test.shifts)))
    return (
        f"{test.observed:.0f} observations lie beside the bulk where the fitted law has {test.expected:.1f} (test of "
        "the background): contamination that is close to the bulk or scattered around it is likely to be within it, "
        f"too, which moves {test.names[worst]} by at least {abs(test.shifts[worst]):.1f} standard errors, so that "
        "intervals may miss; GAN(reweight=True) takes off a part of that"
    )


def bulk_rejected(test: BulkTest) -> str:
    """Say what it means that the test of the bulk rejects."""
    if test.pvalue < inference.REJECTED:
        what = (
            f"the fitted law describes no part of the sample well (test of the bulk, p-value {test.pvalue:.2g}): it "
            "may lie between groups or be pulled by observations nearby"
        )
    else:
        what = f"the fitted law describes less than half of the sample ({test.share:.2f} of it)"
    return f"{what}; look at plot_fit(), and try GAN(reweight=True), another generator or other starting values"


def _once(test):
    """Compute a test of a fit once: warning, summary and ``compare`` all ask for it."""

    @functools.wraps(test)
    def found(fit):
        name = f"_{test.__name__}"
        if name not in fit.__dict__:
            fit.__dict__[name] = test(fit)
        return fit.__dict__[name]

    return found


@_once
def bulk_test(fit: "GANResults") -> BulkTest:
    """Test the generator where the discriminator believes, as ``GANResults.bulk_test`` says."""
    return inference.bulk_test(fit.equations.believed(fit.saddle), fit.model.loss)


def describes_no_bulk(fit: "GANResults") -> bool:
    """Whether the test of the bulk applies and rejects."""
    return can_be_tested(fit) and bulk_test(fit).is_rejected


@_once
def background_test(fit: "GANResults") -> BackgroundTest | None:
    """Look beside the bulk, as ``GANResults.background_test`` says; None where that cannot be asked."""
    of = fit.equations
    if fit.sandwich is None or not of.has_background or fit.cov_type in ("HAC", "cluster"):
        return None
    (found,) = of.backgrounds_at(programs.stack([of.game]), [fit.saddle])
    return beside_bulk(found, fit.law, fit.covariance.natural, fit.params.index.to_list())


def contamination_test(fit: "GANResults", points) -> ContaminationTest:
    """Test for contamination at points, the default ones where None; as ``GANResults.contamination_test`` says."""
    influence, of = fit.influence(), fit.equations
    sample = of.sample
    if points is None:
        x = np.sort(sample.rows, axis=0) if sample.d == 1 else sample.rows
        drawn = fit.sample(_CANDIDATES, fit.model.seed).reshape(-1, sample.d)
        points = np.concatenate([influence.places(), drawn, x[:: -(-len(x) // _CANDIDATES)]])
    points = sample.points(points)
    real, mean = of.mean_features(fit.solution.u)
    balance = of.balance(fit.solution.u, "both")
    found = contamination(balance, fit.model.loss.c, real - mean, of.features(points), mean, points)
    return dataclasses.replace(found, columns=sample.columns)


def degenerate_directions(fit: "GANResults", law: Sandwich) -> pd.DataFrame:
    """List the combinations of alpha without variance of order 1/n, as ``GANResults.degenerate_directions`` says."""
    c, p = fit.model.loss.c, fit.generator.size
    own = slice(p, p + fit.equations.discriminator.size)
    cov = law.cov[own, own]
    of, (_, mean) = fit.equations.balance(fit.solution.u, "both"), fit.equations.mean_features(fit.solution.u)
    rows = np.concatenate([[[1.0, *mean]], np.pad(of.slope.T, ((0, 0), (1, 0)))])
    regular = c * np.linalg.inv(c * of.covariance + 2 * np.diag(of.ridge))
    regular = regular @ of.noise @ regular / of.scale
    frame = pd.DataFrame(rows, ["mean", *fit.generator.free_names], fit.score_names[own])
    errors = np.sqrt(np.maximum(np.einsum("ri,ij,rj->r", rows, cov, rows), 0.0))  # 0 but for rounding
    known = np.sqrt(np.einsum("ri,ij,rj->r", rows[1:, 1:], regular, rows[1:, 1:]))
    frame.insert(0, "relative", errors / [np.nan, *known])
    frame.insert(0, "std err", errors)
    frame.insert(0, "estimate", rows @ fit.saddle.alpha)
    return frame
