"""Whether the parameters of both players are jointly normal, as the theory says.

    .venv/bin/python benchmarks/studies/joint_normality.py [--out benchmarks/studies/results] [--quick]

Samples of Normal(0, 1), which is the model: loc and scale are fitted. The default discriminator is placed by the
data, so that its alpha means something else in every sample; here the five features are fixed, tanh((x - k) / .4) at k
= -1.8, -.9, 0, .9, 1.8, so that alpha has one meaning and one limit, 0. Latents are independent, m = n, or 1,024 Sobol
points. Equation (3) of docs/theory.md gives the limit law, the same for every loss: with C the features' covariance
and J the derivative of their means, loc and scale have covariance f (J'C^-1 J)^-1 / n and alpha_1, ..., alpha_5
covariance f W / n, W = C^-1 - C^-1 J (J'C^-1 J)^-1 J'C^-1, and the two are uncorrelated; f = 1 + n/m for independent
latents and 1 for Sobol points, whose noise is neglected. C and J are computed by quadrature.

W has rank q - p = 3 of 5: the joint covariance of the p + q = 7 numbers has rank q = 5. (The intercept, a linear
function of the rest in the limit, is left out.) A covariance estimated from one sample has no zero eigenvalues, only
small ones, so that its inverse would weigh nothing but noise. The squared distance d^2 = u' S^+ u of u = (theta,
alpha) from its limit therefore takes the generalised inverse of the known rank: the q largest eigenvalues of S, after
its rows and columns are divided by the standard errors. S is the fit's own covariance ("estimated") or that of the
limit law ("limit"); d^2 is compared with chi-square of q = 5 degrees. A fit that failed has no distance. Numbers in
brackets are Monte Carlo standard errors; that of a Kolmogorov-Smirnov distance is of the bootstrap.
"""

import functools
import itertools

import shared
from shared import crossed, only

# isort: split
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import stats

import hellgan as hg
from hellgan import plots
from hellgan.plots.canvas import panels

LOSSES, LATENTS, SIZES, REPLICATIONS = (
    ("root", "log", "hellinger", "least_squares"),
    ("iid", "sobol"),
    (200, 1000, 5000),
    1000,
)
KNOTS, WIDTH = np.array([-1.8, -0.9, 0.0, 0.9, 1.8]), 0.4
P, Q = 2, len(KNOTS)
THETA, ALPHA = ("loc", "scale"), tuple(f"alpha_{k + 1}" for k in range(Q))
NAMES = THETA + ALPHA
TRUTH = np.array([0.0, 1.0] + [0.0] * Q)
MEASURES = ("bias", "empirical_se", "model_se", "se_ratio", "coverage", "convergence")


def features(x):
    return jnp.tanh((x - KNOTS) / WIDTH)


FEATURES = hg.discriminators.Features(features)


def fit(sample, seed, loss, latent):
    """Fit, and give theta and alpha with their errors, and the squared distance from the truth."""
    m = len(sample) if latent == "iid" else None
    model = hg.GAN(sample, hg.generators.Normal(), FEATURES, loss, latent=latent, n_simulated=m, seed=seed)
    result = model.fit()
    values = result.joint_params.loc[list(NAMES)]
    if not result.converged:
        return {"estimate": values.to_dict(), "converged": False, "message": result.trouble}
    cov = result.joint_cov().loc[list(NAMES), list(NAMES)].to_numpy()
    errors = np.sqrt(np.diag(cov))
    return {
        "estimate": {**values, "distance": squared_distance(values.to_numpy() - TRUTH, cov)},
        "std_error": dict(zip(NAMES, errors, strict=True)),
        "iterations": result.saddle.iterations,
    }


def squared_distance(u, cov) -> float:
    """Compute u' S^+ u by the q largest eigenvalues of the covariance in units of its standard errors."""
    errors = np.sqrt(np.diag(cov))
    values, vectors = np.linalg.eigh(cov / np.outer(errors, errors))
    along = (u / errors) @ vectors[:, -Q:]
    return (
        float(np.sum(along**2 / values[-Q:], axis=-1)) if np.ndim(u) == 1 else np.sum(along**2 / values[-Q:], axis=-1)
    )


@functools.cache
def limit_covariance() -> np.ndarray:
    """Give n times the limit covariance of theta and alpha_1, ..., alpha_q, without simulation: (p + q, p + q)."""
    z, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()
    with jax.enable_x64(True):
        phi = np.asarray(jax.vmap(features)(z))
        mean = lambda theta: w @ jax.vmap(features)(theta[0] + theta[1] * z)  # noqa: E731
        slope = np.asarray(jax.jacfwd(mean)(jnp.array([0.0, 1.0])))
    centred = phi - w @ phi
    inverse = np.linalg.inv((centred * w[:, None]).T @ centred)
    theta = np.linalg.inv(slope.T @ inverse @ slope)
    rest = inverse - inverse @ slope @ theta @ slope.T @ inverse
    return np.block([[theta, np.zeros((P, Q))], [np.zeros((Q, P)), rest]])


def limit_of(latent: str, n: int) -> np.ndarray:
    return limit_covariance() * (2.0 if latent == "iid" else 1.0) / n


def design(quick: bool, replications: int) -> hg.Study:
    return hg.Study(
        truth=hg.truth(hg.generators.Normal(), estimands=dict(zip(NAMES, TRUTH, strict=True)), loc=0.0, scale=1.0),
        n=200 if quick else SIZES,
        methods={
            f"{loss} ({latent})": functools.partial(fit, loss=loss, latent=latent)
            for loss, latent in itertools.product(LOSSES[:2] if quick else LOSSES, LATENTS)
        },
        replications=16 if quick else replications,
        seed=6,
    )


def distances(frame: pd.DataFrame) -> pd.DataFrame:
    """Squared distances of every replicate, by both covariances: method, n, kind, value; NaN for a failure."""
    parts = []
    for (method, n), part in frame.groupby(["method", "n"], observed=True, sort=False):
        wide = part.pivot(index="replicate", columns="parameter", values="estimate")
        good = part.drop_duplicates("replicate").set_index("replicate")["converged"].loc[wide.index].to_numpy()
        limit = squared_distance(
            wide[list(NAMES)].to_numpy() - TRUTH, limit_of(str(method).split("(")[1].rstrip(")"), int(n))
        )
        for kind, values in (("estimated", wide["distance"].to_numpy()), ("limit", limit)):
            values = np.where(good, values, np.nan)
            parts.append(pd.DataFrame({"method": str(method), "n": int(n), "kind": kind, "value": values}))
    return pd.concat(parts, ignore_index=True)


def compared(found: pd.DataFrame) -> pd.DataFrame:
    """Kolmogorov-Smirnov distance from chi-square, mean, and share beyond its 95 % point, each with its error."""
    law, rng, rows = stats.chi2(Q), np.random.default_rng(0), []

    def gap(values):
        levels, k = law.cdf(np.sort(values)), np.arange(len(values) + 1) / len(values)
        return max(np.max(k[1:] - levels), np.max(levels - k[:-1]))

    for labels, part in found.groupby(["method", "n", "kind"], sort=False):
        values = part["value"].dropna().to_numpy()
        if len(values) < 2:
            continue
        several = [gap(rng.choice(values, len(values))) for _ in range(200)]
        beyond = np.mean(values > law.ppf(0.95))
        rows += [
            (*labels, "ks", gap(values), np.std(several), len(values)),
            (*labels, "beyond", beyond, np.sqrt(beyond * (1 - beyond) / len(values)), len(values)),
            (*labels, "mean", values.mean(), values.std(ddof=1) / np.sqrt(len(values)), len(values)),
        ]
    return pd.DataFrame(rows, columns=["method", "n", "kind", "measure", "value", "mcse", "used"])


def draw_quantiles(report: shared.Report, found: pd.DataFrame) -> None:
    """Q-Q plots of d^2, with the band that holds 95 % of samples at each level."""
    law, colors = stats.chi2(Q), dict(zip(LOSSES, (plots.BLUE, plots.ORANGE, plots.RED, plots.GREEN), strict=True))
    cells = list(itertools.product(LATENTS, sorted(set(found["n"]))))
    for kind in ("estimated", "limit"):
        axes = panels(len(cells), None, len(cells) // 2, (3.3, 3.3), sharex=True, sharey=True)
        for ax, (latent, n) in zip(axes, cells, strict=True):
            own = {loss: only(found, method=f"{loss} ({latent})", n=n, kind=kind)["value"].dropna() for loss in LOSSES}
            count = max(len(values) for values in own.values())
            k = np.arange(1, count + 1)
            top = float(law.ppf(1 - 0.25 / count))
            band = [law.ppf(stats.beta.ppf(level, k, count + 1 - k)) for level in (0.025, 0.975)]
            ax.fill_between(law.ppf((k - 0.5) / count), *band, color=plots.GREY, alpha=0.3, linewidth=0)
            for loss, values in own.items():
                if len(values):
                    levels = law.ppf((np.arange(len(values)) + 0.5) / len(values))
                    ax.plot(levels, np.sort(values), ".", color=colors[loss], markersize=3, label=loss)
            beyond = sum(int(np.sum(values > 2 * top)) for values in own.values())
            ax.plot([0, top], [0, top], color="black", linewidth=0.8)
            ax.set_ylim(0, 2 * top)
            told = f"; {beyond} beyond" if beyond else ""
            ax.set_title(f"{'independent' if latent == 'iid' else 'Sobol'}, n = {n:,}{told}", fontsize=10)
        for ax in axes[len(cells) // 2 :]:
            ax.set_xlabel(f"chi-square({Q}) quantile")
        for ax in axes[:: len(cells) // 2]:
            ax.set_ylabel("squared distance")
        handles, labels = axes[0].get_legend_handles_labels()
        axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, markerscale=3)
        what = "each fit's own covariance" if kind == "estimated" else "the limit law's covariance"
        report.figure(
            axes,
            f"qq_{kind}",
            f"Squared distances by {what} against chi-square; shaded, where 95 % of exact ones lie at each level.",
        )


def draw_pairs(report: shared.Report, frame: pd.DataFrame, n: int) -> None:
    for latent in LATENTS:
        part = only(frame, method=f"root ({latent})", n=n)
        wide = part.loc[part["converged"]].pivot(index="replicate", columns="parameter", values="estimate")[list(NAMES)]
        chosen = ("loc", "scale", "alpha_1", "alpha_2", "alpha_3")
        at = [NAMES.index(name) for name in chosen]
        cov = limit_of(latent, n)[np.ix_(at, at)]
        axes = plots.joint_pairs(wide[list(chosen)].to_numpy(), chosen, cov, center=TRUTH[at])
        report.figure(
            axes,
            f"pairs_{latent}",
            f"Loss `root`, {'independent latents' if latent == 'iid' else 'Sobol points'}, n = {n:,}: estimates in "
            "units of the limit law's standard errors, with its ellipses of 50 and 95 %.",
        )


def named(part: pd.DataFrame) -> str:
    return shared.listed(part["method"])


def conclude(report: shared.Report, summary: pd.DataFrame) -> None:
    for kind in ("estimated", "limit"):
        for n in sorted(set(summary["n"])):
            part = only(summary, kind=kind, n=n)
            beyond, ks = only(part, measure="beyond"), only(part, measure="ks")
            off = beyond.loc[(beyond["value"] - 0.05).abs() > 2 * np.sqrt(0.05 * 0.95 / beyond["used"])]
            critical = 1.358 / np.sqrt(ks["used"])
            rejected = ks.loc[ks["value"] > critical]
            report.say(
                f"- {kind.capitalize()} covariance, n = {n:,}: share of distances beyond the 95 % point from "
                f"{beyond['value'].min():.3f} to {beyond['value'].max():.3f}, .05 in the limit; more than two errors "
                f"off: {named(off)}. Kolmogorov-Smirnov distance from {ks['value'].min():.3f} to "
                f"{ks['value'].max():.3f}; above its 5 % point, about {critical.max():.3f}: "
                f"{named(rejected)}."
            )


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    study = design(given.quick, given.replications)
    result = shared.run(study, given, "joint_normality")
    frame = result.to_frame()
    table = result.performance(list(MEASURES))
    table = table.loc[table["parameter"] != "distance"]
    found = distances(frame)
    summary = compared(found)
    report = shared.Report(given, "joint_normality", "Joint normality of both players", str(__doc__))
    report.keep(table)
    report.keep(summary, "distances")
    report.say(f"{study.replications:,} replications a cell. {shared.failures(table)}")
    conclude(report, summary)
    draw_quantiles(report, found)
    draw_pairs(report, frame, max(table["n"]))
    for measure, title in (
        ("beyond", "Share of squared distances beyond the 95 % point of chi-square"),
        ("ks", "Kolmogorov-Smirnov distance from chi-square"),
        ("mean", f"Mean squared distance (chi-square: {Q})"),
    ):
        for kind in ("estimated", "limit"):
            part = only(summary, measure=measure, kind=kind)
            header, rows = crossed(part, "method", "n")
            report.table(["method", *(f"n = {int(n):,}" for n in header[1:])], rows, f"{title}, {kind} covariance")
    for n in sorted(set(table["n"])):
        for measure in ("empirical_se", "se_ratio", "coverage"):
            part = only(table, n=n, measure=measure)
            header, rows = crossed(part, "method", "parameter")
            report.table(header, rows, f"{measure}, n = {n:,}")
    report.write()


if __name__ == "__main__":
    main()
