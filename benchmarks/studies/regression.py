"""Regressions whose noise or covariates are not what the model says: whether intervals of the coefficients hold.

    .venv/bin/python benchmarks/studies/regression.py [--replications 400] [--quick]

y = 1 + 2 x + e with n = 200 observations and one covariate, or y = 1 + 2 x1 - x2 + e with two, the second 0 or 1. The
model is `hg.generators.LinearRegression()`: normal noise of one scale. e is standard normal but where the design says
otherwise. "Vertical" outliers are a tenth of the responses, 8 to 12 too large; a "bad leverage" point has its covariate
changed and not its response. Methods: `GAN` with its defaults; `reweighted` is `GAN(reweight=True)`; `RLM` is
statsmodels' Huber estimate with its own standard errors; `MM` is the estimate of Yohai (1987) with a bisquare of 95 %
efficiency, from which the discriminator's placement begins, and the sandwich of its last step; `OLS` is least squares
with HC3 errors. All see the same samples.

Bias and root mean squared error are those of the fits that converged, coverage is that of their 95 % intervals; "said"
is the median standard error over the standard deviation of the estimates.
"""

import warnings
from typing import Any

import shared
from shared import entry

# isort: split
import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

import hellgan as hg
from hellgan.generators.resistant import residual_scale, resistant_fit

N, REPLICATIONS = 200, 400
TRUE = {"Intercept": 1.0, "x1": 2.0, "x2": -1.0}
TUNING = 4.685


def responses(x, e):
    x = np.atleast_2d(x)
    return np.column_stack([*x, 1 + np.array([2.0, -1.0])[: len(x)] @ x + e])


def clean(rng):
    return responses(rng.normal(size=N), rng.normal(size=N))


def two_groups(rng):
    x = (np.arange(N) % 5 == 0).astype(float)
    return responses(x, np.where(x == 1, 4.0, 1.0) * rng.normal(size=N))


def fan(rng):
    x = rng.normal(size=N)
    return responses(x, (0.3 + np.abs(x)) * rng.normal(size=N))


def growing(rng):
    x = rng.normal(size=N)
    return responses(x, np.exp(0.7 * x) * rng.normal(size=N))


def t_errors(rng):
    return responses(rng.normal(size=N), rng.standard_t(3, N))


def skewed(rng):
    """Exponential noise less its mode of the fit: the slope alone has a true value."""
    return responses(rng.normal(size=N), rng.exponential(size=N))


def vertical(rng):
    rows = clean(rng)
    rows[: N // 10, -1] += rng.uniform(8, 12, N // 10)
    return rows


def vertical_fan(rng):
    rows = fan(rng)
    rows[: N // 10, -1] += rng.uniform(8, 12, N // 10)
    return rows


def one_slip(rng):
    rows = clean(rng)
    rows[0, 0] *= 1000
    return rows


def bad_leverage(rng):
    rows = clean(rng)
    rows[: N // 20, 0] += 8
    return rows


def far_cluster(rng):
    """The covariates of a normal sample, and a cluster of observations that a wider scale there would explain."""
    rows = clean(rng)
    wrong = N * 15 // 100
    rows[:wrong] = np.column_stack([rng.normal(4, 0.3, wrong), 24 + rng.normal(size=wrong)])
    return rows


def good_leverage(rng):
    x = rng.normal(size=N)
    x[: N // 20] += 8
    return responses(x, rng.normal(size=N))


def pareto(rng):
    return responses(1 + rng.pareto(1.2, N), rng.normal(size=N))


def binary(rng):
    return responses([rng.normal(size=N), rng.random(N) < 0.15], rng.normal(size=N))


def binary_fan(rng):
    x, b = rng.normal(size=N), rng.random(N) < 0.15
    return responses([x, b], (0.5 + np.abs(x)) * np.where(b, 2, 1) * rng.normal(size=N))


DESIGNS = {
    "clean": clean,
    "two groups, scales 1 and 4": two_groups,
    "scale .3 + |x|": fan,
    "scale exp(.7 x)": growing,
    "t noise, 3 df": t_errors,
    "exponential noise": skewed,
    "10 % vertical": vertical,
    "10 % vertical, scale .3 + |x|": vertical_fan,
    "one covariate a thousandfold": one_slip,
    "5 % bad leverage": bad_leverage,
    "15 % in a cluster at x = 4, y = 24": far_cluster,
    "5 % good leverage": good_leverage,
    "Pareto covariate": pareto,
    "normal and binary covariates": binary,
    "the same, scale changing with both": binary_fan,
}


def adversarial(samples, **options):
    game = hg.GAN(samples[0], hg.generators.LinearRegression(), **options)
    batch = hg.fit_batch(game, samples, seeds=range(len(samples)))
    names, interval = [*batch.params][:-1], batch.conf_int()
    ends = np.stack([interval[name].to_numpy(float) for name in names], axis=1)
    return batch.params[names].to_numpy(float), batch.bse[names].to_numpy(float), ends, batch.converged


def by_hand(fit):
    """Estimates, errors and normal intervals of a method that fits one design to one response."""

    def method(samples):
        found = [fit(sm.add_constant(rows[:, :-1], prepend=True, has_constant="add"), rows[:, -1]) for rows in samples]
        estimates, errors = (np.array([pair[k] for pair in found]) for k in (0, 1))
        half = stats.norm.ppf(0.975) * errors
        return (
            estimates,
            errors,
            np.stack([estimates - half, estimates + half], axis=2),
            np.isfinite(errors).all(axis=1),
        )

    return method


def huber(design, response):
    fit = sm.RLM(response, design).fit()
    return fit.params, fit.bse


def least_squares(design, response):
    fit = sm.OLS(response, design).fit(cov_type="HC3")
    return fit.params, fit.bse


def mm(design, response):
    n, p = design.shape
    equal = np.full(n, 1 / n)
    coefficients = resistant_fit(design, response, equal)
    scale = residual_scale(response - design @ coefficients, p, equal)
    t = (response - design @ coefficients) / scale
    u = np.minimum((t / TUNING) ** 2, 1)
    bread = (design * ((1 - u) * (1 - 5 * u))[:, None]).T @ design / scale
    half = np.linalg.solve(bread, (design * (t * (1 - u) ** 2)[:, None]).T)
    return coefficients, np.sqrt(n / (n - p) * np.sum(half**2, axis=1))


METHODS: dict[str, Any] = {
    "GAN": adversarial,
    "reweighted": lambda samples: adversarial(samples, reweight=True),
    "RLM": by_hand(huber),
    "MM": by_hand(mm),
    "OLS": by_hand(least_squares),
}


def measured(name: str, count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng([20261129, *name.encode()])
    samples = np.stack([DESIGNS[name](rng) for _ in range(count)])
    found = []
    for method, fit in METHODS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimates, errors, ends, ok = fit(samples)
        for k, parameter in enumerate([*TRUE][: estimates.shape[1]]):
            if name == "exponential noise" and parameter == "Intercept":
                continue
            off, n = estimates[ok, k] - TRUE[parameter], max(int(ok.sum()), 1)
            inside = np.mean((ends[ok, k, 0] <= TRUE[parameter]) & (TRUE[parameter] <= ends[ok, k, 1]))
            row = {"design": name, "method": method, "parameter": parameter, "bias": off.mean(), "coverage": inside}
            row |= {
                "rmse": np.sqrt(np.mean(off**2)),
                "said": np.median(errors[ok, k]) / off.std(),
                "failed": 1 - ok.mean(),
            }
            row |= {
                "bias_mcse": off.std() / np.sqrt(n),
                "coverage_mcse": np.sqrt(max(inside * (1 - inside), 1 / n) / n),
            }
            found.append(row)
    return found


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    count = 6 if given.quick else given.replications
    rows: list[dict[str, Any]] = []
    for name in [*DESIGNS][: 2 if given.quick else None]:
        rows += measured(name, count)
        for row in rows[-len(METHODS) * 2 :]:
            print({k: v if isinstance(v, str) else round(float(v), 3) for k, v in row.items()}, flush=True)
    frame = pd.DataFrame(rows)
    report = shared.Report(given, "regression", "Regressions", str(__doc__))
    report.keep(frame)
    least: dict[str, float] = {name: min(r["coverage"] for r in rows if r["method"] == name) for name in METHODS}
    report.say(
        f"{count} samples of a design. The least coverage of a coefficient: "
        f"{shared.listed(f'{name} {value:.3f}' for name, value in least.items())}."
    )
    for name, part in frame.groupby("design", sort=False):
        head = ["method", "parameter", "bias", "rmse", "coverage", "said", "failed"]
        body = [
            [
                r["method"],
                r["parameter"],
                entry(r["bias"], r["bias_mcse"]),
                f"{r['rmse']:.4g}",
                entry(r["coverage"], r["coverage_mcse"]),
                f"{r['said']:.2f}",
                f"{r['failed']:.3f}",
            ]
            for r in part.to_dict("records")
        ]
        report.heading(str(name))
        report.table(head, body)
    report.write()


if __name__ == "__main__":
    main()
