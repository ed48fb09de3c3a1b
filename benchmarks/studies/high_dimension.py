"""Location in 100 dimensions and scatter in 10, a fifth and a tenth of the sample being wrong.

    .venv/bin/python benchmarks/studies/high_dimension.py [--out benchmarks/studies/results] [--quick]

After Gao, Liu, Yao and Zhu (ICLR 2019). Location: n = 50,000 observations in p = 100 dimensions, of which a fifth,
eps = .2, is replaced by observations of N(5 1, I), the rest being of N(0, I); the covariance I is known. They publish
l2 errors of .0478 for their JS-GAN and 3.2383 for the coordinate median; sqrt(p / ((1 - eps) n)) is what the mean of
the clean observations would have. Here the coordinates are cut into blocks, and each block is a game of its own: the
generator knows that the others do not matter, the covariance being I, while the discriminator sees the block's
coordinates at once, tanh(x - k) of each, k = -3, -1, 0, 1, 3 from the coordinate median, which is where the fit
starts. The larger the block, the further away is the contamination, 5 sqrt(size) standard deviations, and the less it
moves the estimate. All 100 coordinates at once are beyond the memory of this package's solver, which holds
derivatives of all features in pairs of coordinates, rows x p x p x features numbers.

Scatter: n = 2,000 observations of N(0, S) in 10 dimensions, S the correlations .5^|i - j|, a tenth of them replaced
by observations of N(5 1, I); location, scales and correlations, 65 parameters, are fitted with the default
discriminator, with 2 and with 4 sigmoids along each axis and diagonal, and by scikit-learn's MinCovDet. Errors are
Frobenius and operator norms of the fitted covariance less S.

Numbers in brackets are Monte Carlo standard errors of means over few replications.
"""

import functools
import math
import time

import shared
from shared import entry, only

# isort: split
import jax.numpy as jnp
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import plots

P, N, EPS, BLOCKS, LOG, REPLICATIONS, POINTS = 100, 50_000, 0.2, (1, 5, 10, 20), 10, 10, 8192
D, ROWS, SHARE = 10, 2000, 0.1
PUBLISHED = {"JS-GAN of Gao et al., as published": 0.0478, "coordinate median, as published": 3.2383}
KNOTS = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])


def features(x):
    """Sigmoids of each coordinate, the median being 0."""
    return jnp.ravel(jnp.tanh(jnp.atleast_1d(x)[:, None] - KNOTS))


@functools.cache
def location(size: int):
    """A normal law of known covariance I."""
    if size == 1:
        return hg.generators.Normal().fix(scale=1.0)

    @hg.generator(latent="normal", latent_dim=size, loc=hg.real(shape=size))
    def shifted(z, loc):
        return loc + z

    return shifted


def by_blocks(sample, seed, size, loss):
    """Fit blocks of coordinates one after the other."""
    begin, middle, found, errors = time.perf_counter(), np.median(sample, axis=0), [], []
    for at in range(0, sample.shape[1], size):
        rows = sample[:, at : at + size] - middle[at : at + size]
        model = hg.GAN(
            rows[:, 0] if size == 1 else rows, location(size), hg.discriminators.Features(features, ridge=1e-6), loss,
            n_simulated=POINTS, seed=seed,
        )  # fmt: skip
        fit = model.fit(start={"loc": 0.0 if size == 1 else np.zeros(size)})
        if not fit.converged:
            raise RuntimeError(f"coordinates {at} to {at + size - 1}: {fit.trouble}")
        found += list(np.asarray(fit.params) + middle[at : at + size])
        errors += list(np.asarray(fit.bse))
    return _measured(found, begin, root_mean_square_error=float(np.linalg.norm(errors)))


def coordinate_median(sample):
    begin = time.perf_counter()
    return _measured(np.median(sample, axis=0), begin)


def _measured(found, begin, **more):
    return {"estimate": {"l2": float(np.linalg.norm(found)), "seconds": time.perf_counter() - begin, **more}}


def draws(rng, n, p):
    return rng.standard_normal((n, p))


def autoregressive(rng, n, p):
    return rng.standard_normal((n, p)) @ np.linalg.cholesky(correlations(p)).T


def correlations(p: int) -> np.ndarray:
    return 0.5 ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))


def _norms(covariance, begin):
    gap = covariance - correlations(len(covariance))
    values = {
        "frobenius": np.linalg.norm(gap),
        "operator": np.linalg.norm(gap, 2),
        "seconds": time.perf_counter() - begin,
    }
    return {"estimate": {name: float(value) for name, value in values.items()}}


def scatter(sample, seed, knots):
    begin, d = time.perf_counter(), sample.shape[1]
    discriminator = None if knots is None else hg.discriminators.Sigmoids(knots)
    points = None if knots is None else 2048
    fit = hg.GAN(sample, hg.generators.MultivariateNormal(d), discriminator, n_simulated=points, seed=seed).fit()
    values = np.asarray(fit.params)
    corr = np.eye(d)
    corr[np.tril_indices(d, -1)] = values[2 * d :]
    corr = corr + np.tril(corr, -1).T
    norms = _norms(np.outer(values[d : 2 * d], values[d : 2 * d]) * corr, begin)
    return {**norms, "converged": fit.converged, "message": fit.trouble}


def minimum_determinant(sample, rng):
    from sklearn.covariance import MinCovDet

    begin = time.perf_counter()
    return _norms(MinCovDet(random_state=int(rng.integers(2**32))).fit(sample).covariance_, begin)


def sample_covariance(sample):
    begin = time.perf_counter()
    return _norms(np.cov(sample.T), begin)


def location_study(quick: bool) -> hg.Study:
    p, n, blocks = (10, 2000, (1, 5)) if quick else (P, N, BLOCKS)
    methods: dict = {"coordinate median": coordinate_median}
    games = [("root", size) for size in blocks] + [("log", size) for size in blocks if size == LOG]
    methods |= {
        f"{loss} (blocks of {size})": functools.partial(by_blocks, size=size, loss=loss) for loss, size in games
    }
    return hg.Study(
        truth=hg.truth(functools.partial(draws, p=p), estimands={"l2": 0.0}),
        contamination=hg.Cluster(EPS, 5.0, 1.0),
        n=n,
        methods=methods,
        replications=2 if quick else REPLICATIONS,
        seed=100,
    )


def scatter_study(quick: bool) -> hg.Study:
    d, n = (3, 500) if quick else (D, ROWS)
    methods: dict = {
        "sample covariance": sample_covariance,
        "MinCovDet": minimum_determinant,
        "root (default)": functools.partial(scatter, knots=None),
        "root (2 sigmoids)": functools.partial(scatter, knots=2),
        "root (4 sigmoids)": functools.partial(scatter, knots=4),
    }
    return hg.Study(
        truth=hg.truth(functools.partial(autoregressive, p=d), estimands={"frobenius": 0.0, "operator": 0.0}),
        contamination=hg.Cluster(SHARE, 5.0, 1.0),
        n=n,
        methods=methods,
        replications=2 if quick else REPLICATIONS,
        seed=10,
    )


def means(result) -> pd.DataFrame:
    """Mean of every number over the replicates that converged, with its Monte Carlo error."""
    frame = result.to_frame()
    rows = []
    for (method, parameter), part in frame.groupby(["method", "parameter"], observed=True, sort=False):
        good = part[part["converged"]]["estimate"]
        error = good.std(ddof=1) / math.sqrt(len(good)) if len(good) > 1 else np.nan
        rows.append(
            (str(method), str(parameter), "mean", good.mean(), error, int((~part["converged"]).sum()), len(part))
        )
    return pd.DataFrame(rows, columns=["method", "parameter", "measure", "value", "mcse", "n_failed", "replications"])


def table_of(report: shared.Report, found: pd.DataFrame, columns: dict[str, str], title: str, more=()) -> None:
    cells = found[["method", "parameter", "value", "mcse"]].itertuples(index=False)
    values = {(m, p): entry(v, e) for m, p, v, e in cells}
    rows = []
    for method, own in found.groupby("method", sort=False):
        failed = f"{own['n_failed'].iloc[0]} of {own['replications'].iloc[0]}"
        rows.append([method, *(values.get((method, name), "") for name in columns), failed])
    report.table(["method", *columns.values(), "failed"], [*rows, *more], title)


def draw(report: shared.Report, found: pd.DataFrame, oracle: float, p: int) -> None:
    ax = plots.new_axes(6.4, 4.0)
    part = found[found["parameter"] == "l2"].assign(
        size=found["method"].str.extract(r"blocks of (\d+)")[0].astype(float)
    )
    for loss, color in (("root", plots.BLUE), ("log", plots.ORANGE)):
        own = part[part["method"].str.startswith(f"{loss} ")]
        if own.empty:
            continue
        ax.errorbar(own["size"], own["value"], yerr=1.96 * own["mcse"], marker="o", color=color, capsize=3, label=loss)
    ax.axhline(oracle, color="black", linestyle=":", label="oracle scale")
    ax.axhline(
        float(only(part, method="coordinate median")["value"].iloc[0]),
        color=plots.GREY,
        linestyle="--",
        label="coordinate median",
    )
    ax.set_yscale("log")
    ax.set_xticks(sorted(part["size"].dropna()))
    ax.set_xlabel("coordinates that the discriminator sees at once")
    ax.set_ylabel(f"l2 error, p = {p}")
    ax.legend(frameon=False)
    report.figure(
        np.array([ax]),
        "location",
        "Error of location along the size of the blocks, with bars of 1.96 Monte Carlo errors.",
    )


def main():
    given = shared.options(str(__doc__))
    p, n = (10, 2000) if given.quick else (P, N)
    studies = {"location": location_study(given.quick), "scatter": scatter_study(given.quick)}
    found = {
        name: means(shared.run(study, given, f"high_dimension-{name}", threads=1)) for name, study in studies.items()
    }
    oracle = math.sqrt(p / ((1 - EPS) * n))
    report = shared.Report(given, "high_dimension", "High dimension", str(__doc__))
    report.keep(pd.concat([part.assign(study=name) for name, part in found.items()]))
    l2 = only(found["location"], parameter="l2").set_index("method")
    games = l2.drop(index="coordinate median")
    best = games["value"].idxmin()
    report.heading("Location")
    least, middle = (entry(l2.loc[name, "value"], l2.loc[name, "mcse"]) for name in (best, "coordinate median"))
    told = (
        f"{studies['location'].replications} replications, p = {p}, n = {n:,}; oracle scale {oracle:.4f}. The least "
        f"error is that of {best}: {least}, {games['value'][best] / oracle:.2f} times the oracle scale; the coordinate "
        f"median's is {middle}."
    )
    if not given.quick:
        ours, theirs = games["value"][best], PUBLISHED["JS-GAN of Gao et al., as published"]
        told += f" That is {ours / theirs:.2f} times the published error of the JS-GAN."
    report.say(told)
    draw(report, found["location"], oracle, p)
    published = [] if given.quick else [[name, f"{value:.4f}", "", "", ""] for name, value in PUBLISHED.items()]
    table_of(
        report,
        found["location"],
        {"l2": "l2 error", "root_mean_square_error": "its own standard errors, l2 norm", "seconds": "seconds a fit"},
        "Location",
        published,
    )
    report.heading("Scatter")
    frobenius = only(found["scatter"], parameter="frobenius").set_index("method")["value"]
    report.say(
        "Frobenius error over that of MinCovDet: "
        + "; ".join(
            f"{name} {frobenius[name] / frobenius['MinCovDet']:.2f}" for name in frobenius.index if name != "MinCovDet"
        )
        + "."
    )
    table_of(
        report,
        found["scatter"],
        {"frobenius": "Frobenius norm", "operator": "operator norm", "seconds": "seconds a fit"},
        "Scatter",
    )
    report.write()


if __name__ == "__main__":
    main()
