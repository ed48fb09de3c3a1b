"""Laws in parts and simulators that jump: whether the intervals hold.

    .venv/bin/python benchmarks/studies/parts.py [--replications 200] [--quick]

Mixtures of two normal laws of scale 1, two fifths of the first, whose locations are a *gap* apart, beside maximum
likelihood (EM from the truth, errors by the empirical information) on the same samples; and four simulators that jump,
declared with ``jumps=True``: a hurdle, its zeros decided by the same latent draw as its positive values or by another;
a Weibull law rounded to whole numbers; and the waiting time of the twentieth customer of a queue. "coverage" is the
least over the parameters of 95 % intervals, over the fits that converged; "sd / said" the largest ratio of the
estimates' standard deviation to the median standard error; "failed" the share without a certificate, "flagged" that
with a warning of any kind.
"""

from collections.abc import Callable
from typing import Any

import shared
from shared import entry

# isort: split
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.scipy.stats import norm
from scipy import special, stats

import hellgan as hg

REPLICATIONS = 200
GAPS, SIZES, WEIGHT = (2.0, 3.0, 4.0, 6.0, 40.0, 1000.0), (500, 2000), 0.4
SPACES: dict[str, Any] = {"p": hg.interval(0, 1), "mu": hg.real(), "sigma": hg.positive()}


@hg.generator(latent="uniform", jumps=True, **SPACES)
def hurdle(u, p, mu, sigma):
    return jnp.where(u < p, 0.0, jnp.exp(mu + sigma * norm.ppf((u - p) / (1 - p))))


@hg.generator(latent="uniform", latent_dim=2, jumps=True, **SPACES)
def hurdle_of_two(u, p, mu, sigma):
    return jnp.where(u[0] < p, 0.0, jnp.exp(mu + sigma * norm.ppf(u[1])))


@hg.generator(latent="uniform", jumps=True, c=hg.positive(), scale=hg.positive())
def rounded_weibull(u, c, scale):
    return jnp.round(scale * (-jnp.log1p(-u)) ** (1 / c))


@hg.generator(latent="uniform", latent_dim=40, jumps=True, arrival=hg.positive(), service=hg.positive())
def queue(u, arrival, service):
    steps = -jnp.log(u[20:]) / service + jnp.log(u[:20]) / arrival
    return jax.lax.scan(lambda w, step: (jnp.maximum(w + step, 0.0), None), jnp.zeros((), u.dtype), steps)[0]


def of_hurdle(rng, n):
    return np.where(rng.random(n) < 0.3, 0.0, np.exp(0.5 + 0.8 * rng.standard_normal(n)))


def of_queue(rng, n):
    w = np.zeros(n)
    for _ in range(20):
        w = np.maximum(w + rng.exponential(1.0, n) - rng.exponential(1.25, n), 0.0)
    return w


def of_mixture(gap: float) -> Callable:
    return lambda rng, n: np.where(rng.random(n) < WEIGHT, 0.0, gap) + rng.standard_normal(n)


HURDLE = {"p": 0.3, "mu": 0.5, "sigma": 0.8}
JUMPING: dict[str, tuple[Any, dict[str, float], Callable]] = {
    "hurdle": (hurdle, HURDLE, of_hurdle),
    "hurdle of two draws": (hurdle_of_two, HURDLE, of_hurdle),
    "Weibull, rounded": (
        rounded_weibull,
        {"c": 1.5, "scale": 4.0},
        lambda rng, n: np.round(4 * rng.weibull(1.5, n)),
    ),
    "queue": (queue, {"arrival": 0.8, "service": 1.0}, of_queue),
}


def likelihood(x: np.ndarray, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood of a mixture from the truth: (weight, locations, scales) and their standard errors."""
    w, loc, scale, parts = WEIGHT, np.array([0.0, gap]), np.ones(2), np.empty((len(x), 2))
    for _ in range(2000):
        before = np.array([w, *loc, *scale])
        logs = np.log([w, 1 - w]) + stats.norm.logpdf(x[:, None], loc, scale)
        parts = np.exp(logs - special.logsumexp(logs, axis=1, keepdims=True))
        mass = parts.sum(axis=0)
        w, loc = mass[0] / len(x), parts.T @ x / mass
        scale = np.sqrt(np.sum(parts * (x[:, None] - loc) ** 2, axis=0) / mass)
        if np.max(np.abs(np.array([w, *loc, *scale]) - before)) < 1e-8:
            break
    z = (x[:, None] - loc) / scale
    rows = np.concatenate([parts[:, :1] / w - parts[:, 1:] / (1 - w), parts * z / scale, parts * (z**2 - 1) / scale], 1)
    return np.array([w, *loc, *scale]), np.sqrt(np.diag(np.linalg.inv(rows.T @ rows)))


def summed(name: str, n: int, how: str, estimates, errors, covered, truth, converged, flagged) -> dict[str, Any]:
    coverage, good = covered[converged].mean(axis=0), estimates[converged]
    ratio = good.std(axis=0, ddof=1) / np.median(errors[converged], axis=0)
    bias = (good.mean(axis=0) - truth) / np.median(errors[converged], axis=0)
    worst = int(np.argmin(coverage))
    return {
        "law": name,
        "n": n,
        "fit": how,
        "coverage": coverage[worst],
        "mcse": float(np.sqrt(coverage[worst] * (1 - coverage[worst]) / converged.sum())),
        "largest": coverage.max(),
        "ratio": ratio.max(),
        "bias": bias[int(np.argmax(np.abs(bias)))],
        "failed": 1 - converged.mean(),
        "flagged": flagged.mean(),
    }


def fitted(name: str, n: int, family, truth: dict[str, float], samples: np.ndarray) -> dict[str, Any]:
    batch = hg.fit_batch(hg.GAN(samples[0], family), samples, seeds=range(len(samples)))
    interval = batch.conf_int()
    covered = [(interval[k]["lower"] <= v) & (interval[k]["upper"] >= v) for k, v in truth.items()]
    estimates, errors = batch.params[[*truth]].to_numpy(), batch.bse[[*truth]].to_numpy()
    at = np.array([*truth.values()])
    facts = np.array(covered).T, at, batch.converged, batch.flagged
    return summed(name, n, "hellgan", estimates, errors, *facts)


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    count, rows = 6 if given.quick else given.replications, []
    for gap in GAPS[: 1 if given.quick else None]:
        for n in SIZES[: 1 if given.quick else None]:
            rng, name = np.random.default_rng([20261129, n, int(gap)]), f"mixture, gap {gap:g}"
            samples = np.stack([of_mixture(gap)(rng, n) for _ in range(count)])
            truth = {"weight_1": WEIGHT, "loc_1": 0.0, "loc_2": gap, "scale_1": 1.0, "scale_2": 1.0}
            rows.append(fitted(name, n, hg.generators.NormalMixture(2), truth, samples))
            found = [likelihood(x, gap) for x in samples]
            estimates, errors = (np.stack(part) for part in zip(*found, strict=True))
            at, every = np.array([*truth.values()]), np.ones(count, bool)
            covered = np.abs(estimates - at) <= 1.96 * errors
            rows.append(summed(name, n, "likelihood", estimates, errors, covered, at, every, ~every))
            print(rows[-2:], flush=True)
    for name, (family, truth, draw) in [*JUMPING.items()][: 1 if given.quick else None]:
        for n in SIZES[:1]:
            rng = np.random.default_rng([20261129, n, *name.encode()])
            rows.append(fitted(name, n, family, truth, np.stack([draw(rng, n) for _ in range(count)])))
            print(rows[-1:], flush=True)
    frame = pd.DataFrame(rows)
    report = shared.Report(given, "parts", "Laws in parts, and simulators that jump", str(__doc__))
    report.keep(frame)
    least = frame[frame["fit"] == "hellgan"]["coverage"].min()
    report.say(f"{count} samples of a row. The least coverage of a parameter is {least:.3f}.")
    head = ["law", "n", "fit", "least coverage", "largest", "sd / said", "bias / said", "failed", "flagged"]
    body = [
        [
            r["law"],
            str(r["n"]),
            r["fit"],
            entry(r["coverage"], r["mcse"]),
            *(f"{r[c]:.3f}" for c in ("largest", "ratio", "bias", "failed", "flagged")),
        ]
        for r in frame.to_dict("records")
    ]
    report.table(head, body)
    report.write()


if __name__ == "__main__":
    main()
