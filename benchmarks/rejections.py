"""How often the tests of a fit reject at 5 %: on clean samples, their size; under contamination, their power.

    .venv/bin/python benchmarks/rejections.py [--replications 1000] [--quick]

Samples of Normal(1, 1), n = 500, clean or with each observation replaced by N(5, .3^2) or N(3, .3^2) with probability
.05; default discriminator; Sobol points (1,024) or independent latents (m = n); replication r has the data of r, the
same for all tests, losses and latents. The restriction tested is loc = 1. A fit that is not certified counts as no
rejection, and is counted. About a quarter of an hour on two cores.
"""

import argparse
import itertools
import warnings
from concurrent.futures import ThreadPoolExecutor

import machine

machine.pin(2)

import numpy as np  # noqa: E402
from tqdm import tqdm  # noqa: E402

import hellgan as hg  # noqa: E402

N = 500
DATA = {"clean": None, "5 % at 3": 3.0, "5 % at 5": 5.0}
TESTS = {
    "overid.": lambda fit: fit.overidentification_test(),
    "overid., robust": lambda fit: fit.overidentification_test(robust=True),
    "contamination": lambda fit: fit.contamination_test(),
    "Wald": lambda fit: fit.wald_test("loc = 1", use_f=False, scalar=True),
    "score": lambda fit: fit.score_test("loc = 1"),
    "distance": lambda fit: fit.distance_test("loc = 1"),
    "distance, plain": lambda fit: fit.distance_test("loc = 1", robust=False),
}


def sample(r: int, where: float | None) -> np.ndarray:
    """The sample of replication r."""
    rng = np.random.default_rng([N, r])
    x, replaced, others = rng.normal(1, 1, N), rng.random(N) < 0.05, rng.normal(0, 0.3, N)
    return x if where is None else np.where(replaced, where + others, x)


def rejections(r: int, where: float | None, loss: str, latent: str) -> list[float]:
    """Whether each test rejects; NaN for all where the fit failed."""
    m = N if latent == "iid" else None
    fit = hg.GAN(sample(r, where), hg.generators.Normal(), loss=loss, latent=latent, n_simulated=m, seed=r).fit()
    if not fit.converged:
        return [np.nan] * len(TESTS)
    return [float(np.asarray(test(fit).pvalue)) < 0.05 for test in TESTS.values()]


def main():
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="few replications: whether it works")
    options = parser.parse_args()
    count = 8 if options.quick else options.replications
    warnings.simplefilter("ignore")
    cells = list(itertools.product(("sobol", "iid"), ("log", "root"), DATA.items()))
    lines = [machine.header("latents", "loss", "data", *TESTS, "fits failed")]
    with ThreadPoolExecutor(4) as pool, tqdm(total=count * len(cells), unit="sample") as bar:
        for latent, loss, (name, where) in cells:
            rows = []
            for row in pool.map(lambda r, c=(where, loss, latent): rejections(r, *c), range(count)):
                rows.append(row)
                bar.update()
            rates = np.nanmean(rows, axis=0) * np.mean(~np.isnan(rows), axis=0)
            failed = int(np.sum(np.isnan(rows)[:, 0]))
            lines.append(machine.row(latent, loss, name, *(f"{rate:.3f}" for rate in rates), failed))
    text = "\n\n".join(
        [
            "# Rejections at 5 %",
            f"{count:,} replications; Monte Carlo standard error {np.sqrt(0.05 * 0.95 / count):.4f} at .05.",
            "\n".join(lines),
        ]
    )
    print(f"{text}\n\n{machine.facts('jax', 'numpy')}")


if __name__ == "__main__":
    main()
