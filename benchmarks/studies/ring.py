"""What covers a ring of eight normal laws: losses, with or without instance noise, and mixtures of generators.

    .venv/bin/python benchmarks/studies/ring.py [--out FOLDER] [--quick]

Eight normal laws of standard deviation .02 lie on a circle of radius 2; generator and discriminator are perceptrons of
two hidden layers of 64 units, latent draws have 8 coordinates, Adam's rate is .001 (beta_1 = .5), batches are of 64.
Noise is added to both samples, its standard deviation falling linearly from .5 to 0 over the first half of the steps.
All losses and seeds are trained as one program. A mode counts as covered where at least 1 % of 4,000 simulated
observations are nearer than .2 to its centre; "near" is their share within three standard deviations, .06, of a centre.
"""

import shared

shared.machine.pin(1)

from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

import hellgan as hg  # noqa: E402
from hellgan.cautions import TrainingWarning  # noqa: E402

LOSSES = ("log", "log_ns", "hellinger", "root", "root_ns", "least_squares", "lsgan", "hinge")
MIXED = ("log_ns", "root")
MODES, RADIUS, SD, DRAWN = 8, 2.0, 0.02, 4000
CENTRES = RADIUS * np.column_stack([f(2 * np.pi * np.arange(MODES) / MODES) for f in (np.cos, np.sin)])


def ring(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return CENTRES[rng.integers(MODES, size=n)] + SD * rng.normal(size=(n, 2))


def judged(run: hg.neural.Run) -> dict:
    """Modes that are covered, the share of the sample near a centre, and that of the rarest mode."""
    rows = run.sample(DRAWN, seed=1)
    distance = np.linalg.norm(rows[:, None] - CENTRES[None], axis=2)
    shares = (distance < 10 * SD).mean(axis=0)
    return {
        "modes": int(np.sum(shares >= 0.01)),
        "near": float(np.mean(distance.min(axis=1) < 3 * SD)),
        "rarest": float(shares.min()),
        "near_duplicates": run.near_duplicates(),
    }


def trained(losses, noise: float, mixture, given) -> tuple[hg.neural.Run, pd.DataFrame]:
    nets = hg.neural.MLPGenerator((64, 64), latent_dim=8), hg.neural.MLPDiscriminator((64, 64))
    steps, seeds = (60, range(2)) if given.quick else (8000, range(5))
    run = hg.neural.train(
        ring(20_000, 0), *nets, loss=list(losses), seed=seeds, steps=steps, rate=1e-3, noise=noise, mixture=mixture
    )
    kind = "one generator" if mixture is None else f"{mixture.generators} against {mixture.discriminators}"
    rows = [
        {"players": kind, "noise": noise, **label, **judged(run[k])}
        for k, label in enumerate(run.models.to_dict("records"))
    ]
    return run, pd.DataFrame(rows)


def table(report, frame: Any, title: str) -> None:
    rows = []
    for (loss, noise), own in frame.groupby(["loss", "noise"], sort=False):
        rows.append(
            [
                f"`{loss}`", f"{noise:g}", f"{own['modes'].mean():.1f}", ", ".join(map(str, own["modes"])),
                f"{(own['modes'] == MODES).sum()} of {len(own)}", f"{own['near'].mean():.2f}",
                f"{own['rarest'].mean():.3f}",
            ]
        )  # fmt: skip
    header = ["loss", "noise", "modes, mean", "by seed", "all 8", "near", "share of the rarest mode"]
    report.table(header, rows, title)


def main():
    import warnings

    warnings.simplefilter("ignore", TrainingWarning)  # collapse is what the study counts
    given = shared.options(str(__doc__))
    losses = LOSSES[:2] if given.quick else LOSSES
    frames, shown = [], {}
    for noise in (0.0, 0.5):
        for players, mixture in ((losses, None), (MIXED, hg.neural.Mixture(3, 3, 0.1))):
            run, frame = trained(players, noise, mixture, given)
            frames.append(frame)
            shown[noise, mixture is None] = run[len(frame) - 1 if mixture is None else 0]
    frame = pd.concat(frames, ignore_index=True)
    report = shared.Report(given, "ring", "A ring of eight normal laws", str(__doc__))
    report.keep(frame)
    table(report, shared.only(frame, players="one generator"), "One generator against one discriminator")
    table(report, shared.only(frame, players="3 against 3"), "Three generators against three discriminators")
    mix = shown[0.5, False]
    report.say(
        f"The mixture of `{mix.models['loss'][0]}` with noise, seed 0: weights of the generators "
        f"{', '.join(f'{w:.2f}' for w in mix.weights[0])}; of the discriminators "
        f"{', '.join(f'{w:.2f}' for w in mix.weights[1])}."
    )
    axes = hg.plots.canvas.panels(3, columns=3)
    titles = ("one generator, hinge, no noise", "one generator, hinge, noise", "3 against 3, log_ns, noise")
    runs = (shown[0.0, True], shown[0.5, True], mix)
    for ax, run, title in zip(axes, runs, titles, strict=True):
        run.plot(ax, 2000)
        ax.set(title=title, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
        ax.title.set_fontsize(9)
        ax.get_legend().remove()
    report.figure(
        axes, "samples", "Simulated observations (blue) on the data (grey), the last or the first seed of each."
    )
    report.write()


if __name__ == "__main__":
    main()
