"""Networks on contaminated Fashion-MNIST: what is robust, and what it costs.

    .venv/bin/python benchmarks/studies/images.py [--mnist ARCHIVE] [--out benchmarks/studies/results] [--quick]

Training samples are the 60,000 images of Fashion-MNIST's training part, clean, or with 5, 10 or 20 % of them replaced:
by inverted ones (255 less each pixel) or by digits of MNIST. One network, one budget: multilayer perceptrons
64-256-256-784 against 784-256-256-1 with spectral normalisation, Adam with rate 2e-4, 10,000 steps of 64 images,
samples from an exponential average of the generator's weights (.999). The losses are the package's; `trimmed` is what
follows. Every model is judged on 10,000 draws: the Fréchet distance of the package's LeNet features from the 10,000
clean test images, and the share of the draws that a logistic classifier of these features takes for contaminated, its
errors taken out. Numbers in brackets are standard errors over seeds, or bootstrap errors where there is one seed.

{TRIMMED}

Models are kept one by one in a folder of `--work`; what is there is not trained again, so that a killed run goes on.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import shared
from shared import entry

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import plots
from hellgan.neural import metrics

LOSSES = ("log_ns", "root", "root_ns", "hellinger", "least_squares")
TRIMMED = "trimmed"
KINDS, SHARES = ("inverted", "digits"), (0.05, 0.1, 0.2)
CLEAN = ("clean", 0.0)
CELLS = (CLEAN, *((kind, share) for share in (0.1, 0.2, 0.05) for kind in KINDS))  # in the order in which they are run
SEEDS, JUDGED = 3, 10_000
SHOWN = 64  # images of a model that are kept


@dataclasses.dataclass(frozen=True)
class Size:
    """Budget of every model: networks, steps, batch."""

    name: str
    steps: int
    batch: int
    width: int
    is_convolutional: bool = False
    images: int = 60_000
    judged: int = JUDGED

    def networks(self):
        if self.is_convolutional:
            return hg.neural.ConvGenerator(self.width), hg.neural.ConvDiscriminator(self.width)
        widths = (self.width, self.width)
        return hg.neural.MLPGenerator(widths, latent_dim=64), hg.neural.MLPDiscriminator(widths)


TWO_CORES = Size("two-cores", 10_000, 64, 256)
QUICK = Size("quick", 60, 32, 32, images=2000, judged=600)
FULL = Size("full", 12_000, 128, 64, is_convolutional=True)  # of an accelerator


# -- samples --------------------------------------------------------------------------------------------------------


def contaminant(kind: str, images: np.ndarray, digits: np.ndarray | None, count: int, rng) -> np.ndarray:
    """Draw so many images of a kind: inverted garments or digits; bytes."""
    if kind == "inverted":
        return 255 - images[rng.choice(len(images), count, replace=False)]
    assert digits is not None
    return digits[rng.choice(len(digits), count, replace=False)]


def contaminated(kind: str, share: float, images: np.ndarray, digits, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A training sample, bytes, of which a share was replaced, and which of it were: (n, 28, 28) and (n,)."""
    x, replaced = images.copy(), np.zeros(len(images), bool)
    count = round(share * len(x))
    if count:
        rng = np.random.default_rng([seed, 1])
        at = rng.choice(len(x), count, replace=False)
        replaced[at] = True
        x[at] = contaminant(kind, images[at], digits, count, rng)
    return x, replaced


# -- training -------------------------------------------------------------------------------------------------------


def trained(x: np.ndarray, loss, size: Size, seed: int) -> tuple[np.ndarray, dict]:
    """Train on images from 0 to 1; draws, and what is told besides."""
    how = {"steps": size.steps, "batch": size.batch, "seed": seed, "progress": False}
    more = {} if size.is_convolutional else {"spectral_norm": True, "average": 0.999}
    run = hg.neural.train(x, *size.networks(), loss, **how, **more)
    return run.sample(size.judged, seed=1), {"troubles": run.troubles}
