"""Bias and coverage under contamination: the table of the README, as Markdown.

Usage: python benchmarks/robustness.py [--replications 1000]
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy import stats

import hellgan as hg

N, LEVEL = 500, stats.norm.ppf(0.975)


def draw(share: float, r: int) -> np.ndarray:
    """N(1, 1) with a share of N(8, .3^2)."""
    rng = np.random.default_rng([7, r])
    x, k = rng.normal(1, 1, N), round(share * N)
    x[:k] = rng.normal(8, 0.3, k)
    return x


def likelihood(x: np.ndarray, seed: int):
    """Maximum likelihood with its usual standard errors."""
    scale = x.std()
    return _wald([x.mean(), scale], [scale / np.sqrt(N), scale / np.sqrt(2 * N)])


def median(x: np.ndarray, seed: int):
    """Median and MAD with their asymptotic standard errors at the normal law."""
    scale = stats.median_abs_deviation(x, scale="normal")  # pyright: ignore[reportArgumentType]
    return _wald([np.median(x), scale], [1.2533 * scale / np.sqrt(N), 1.1664 * scale / np.sqrt(N)])


def gan(loss: str):
    """Fit with a loss and everything else at its default."""

    def method(x, seed):
        fit = hg.GAN(x, hg.generators.Normal(), loss=loss, seed=seed).fit()
        interval = fit.conf_int().to_numpy()
        return fit.params.to_numpy(), interval[:, 0], interval[:, 1]

    return method


def _wald(estimate, error):
    estimate, error = np.array(estimate), np.array(error)
    return estimate, estimate - LEVEL * error, estimate + LEVEL * error


METHODS = {
    "maximum likelihood": likelihood,
    "median and MAD": median,
    "GAN, `log`": gan("log"),
    "GAN, `hellinger`": gan("hellinger"),
    "GAN, `root` (default)": gan("root"),
}


def main() -> None:
    """Print one row a method, for each share of contamination: bias and coverage of loc and scale."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    replications = parser.parse_args().replications
    print(f"N(1, 1), n = {N}, contaminated by N(8, .3^2); {replications} replications; coverage of 95 % intervals.\n")
    print("| contamination | method | bias loc | bias scale | sd loc | sd scale | coverage loc | coverage scale |")
    print("|---|---|---|---|---|---|---|---|")
    for share in (0.0, 0.1, 0.2):
        for name, method in METHODS.items():
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                rows = list(pool.map(lambda r, m=method, s=share: m(draw(s, r), r), range(replications)))
            estimate, low, high = (np.array(column) for column in zip(*rows, strict=True))
            bias, sd, covered = (
                estimate.mean(axis=0) - 1,
                estimate.std(axis=0),
                np.mean((low <= 1) & (high >= 1), axis=0),
            )
            numbers = [f"{v:.3f}" for v in (*bias, *sd)] + [f"{v:.3f}" for v in covered]
            print(f"| {share:.0%} | {name} | {' | '.join(numbers)} |", flush=True)


if __name__ == "__main__":
    main()
