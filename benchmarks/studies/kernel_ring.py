"""Kernel training of a network on a ring of eight normal components, from a wide bandwidth to a narrow one.

    .venv/bin/python benchmarks/studies/kernel_ring.py [--out benchmarks/studies/results] [--quick | --full]

The design of figure 1 of Sinn and Rawat (2018): latents of 100 coordinates, three hidden layers of 128 (ReLU, ReLU,
tanh), bandwidths .8, .4, .2, .1, .05 and .025; 2,500 steps at each, where the paper has 10,000 (`--full`). Components
have standard deviation .02 and means on a circle of radius 2. Each step has 128 observations and 128 draws; what the
paper does not say (batch, rate, the components) is chosen here. Points of a component are those within three of its
standard deviations (98.9 % of it in the plane); it is covered where it has a quarter of its share of the draws, one in
32, or more. No discriminator is trained, and none of the five seeds was chosen.
"""

from typing import Any

import shared

# isort: split
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import plots

MODES, RADIUS, SD = 8, 2.0, 0.02
BANDWIDTHS = (0.8, 0.4, 0.2, 0.1, 0.05, 0.025)
SEEDS, STEPS, FULL, BATCH, DRAWS = 5, 2500, 10_000, 128, 4000
COVERED = 1 / (4 * MODES)  # share of the draws


def means() -> np.ndarray:
    angles = 2 * np.pi * np.arange(MODES) / MODES
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ring(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return means()[rng.integers(0, MODES, n)] + SD * rng.normal(size=(n, 2))


class Network(eqx.Module):
    """The generator of the paper: 128-ReLU-128-ReLU-128-tanh, and a linear layer to the plane."""

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    latent_dim: int = eqx.field(static=True)

    @staticmethod
    def start(key, latent_dim: int = 100, width: int = 128) -> "Network":
        sizes = (latent_dim, width, width, width, 2)
        keys = jax.random.split(key, len(sizes) - 1)
        weights = [jax.random.normal(k, (a, b)) / np.sqrt(a) for k, a, b in zip(keys, sizes, sizes[1:], strict=False)]
        return Network(tuple(weights), tuple(jnp.zeros(b) for b in sizes[1:]), latent_dim)

    def __call__(self, z):
        for weight, bias, layer in zip(self.weights, self.biases, (jax.nn.relu, jax.nn.relu, jnp.tanh), strict=False):
            z = layer(z @ weight + bias)
        return z @ self.weights[-1] + self.biases[-1]


def shares(points: np.ndarray) -> np.ndarray:
    """Share of the points within three standard deviations of each component's mean: (8,)."""
    distances = np.linalg.norm(points[:, None] - means()[None], axis=2)
    return np.mean(distances <= 3 * SD, axis=0)


def runs(given) -> list:
    x = ring(10_000, 0)
    seeds, steps = (1, 20) if given.quick else (SEEDS, FULL if given.full else STEPS)
    how: dict[str, Any] = {"bandwidth": BANDWIDTHS, "steps": steps, "batch": BATCH, "rate": 1e-3, "progress": False}
    return [hg.neural.train_kernel(x, Network.start, seed=seed, **how) for seed in range(seeds)]


def frame_of(found) -> pd.DataFrame:
    rows = []
    for run in found:
        for k, stage in enumerate(run.stages):
            by_mode = shares(run.sample(DRAWS, seed=1, stage=k))
            rows.append({
                "seed": run.seed, "bandwidth": stage.bandwidth, "covered": int(np.sum(by_mode >= COVERED)),
                "near": by_mode.sum(), "least": by_mode.min(), "most": by_mode.max(),
            })  # fmt: skip
    return pd.DataFrame(rows)


def main():
    given = shared.options(str(__doc__), full="10,000 steps at each bandwidth, as the paper has them")
    found = runs(given)
    frame = frame_of(found)
    report = shared.Report(given, "kernel_ring", "A network trained by kernels covers eight modes", str(__doc__))
    last = frame[frame["bandwidth"] == BANDWIDTHS[-1]]
    report.say(
        f"At the end {int(np.sum(last['covered'] == MODES))} of {len(last)} seeds cover all {MODES} components; "
        f"{100 * last['near'].min():.0f} to {100 * last['near'].max():.0f} % of the draws are points of a component."
    )
    by = frame.pivot(index="bandwidth", columns="seed", values="covered").sort_index(ascending=False)
    header = ["bandwidth", *(f"seed {seed}" for seed in by.columns)]
    report.table(
        header,
        [[f"{s:g}", *map(int, row)] for s, row in zip(by.index, by.to_numpy(), strict=True)],
        "Components covered",
    )
    rows = [
        [f"{s:g}", *(f"{100 * part[c].mean():.1f}" for c in ("near", "least", "most"))]
        for s, part in frame.groupby("bandwidth", sort=False)
    ]
    header = ["bandwidth", "points of some component", "of the rarest", "of the most frequent"]
    report.table(header, rows, "Share of the draws in percent, mean over seeds; 98.9 and 12.4 of the ring itself")
    drawn = [found[0].sample(1000, seed=1, stage=k) for k in range(len(BANDWIDTHS))]
    axes = plots.point_panels(ring(1000, 1), drawn, [f"bandwidth {s:g}" for s in BANDWIDTHS])
    report.figure(axes, "evolution", "Draws at the end of each bandwidth, seed 0, over the ring in grey.")
    report.keep(frame)
    report.write()


if __name__ == "__main__":
    main()
