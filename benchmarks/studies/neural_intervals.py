"""Coverage of bootstrap intervals of functionals of a small trained generator, in one dimension.

    .venv/bin/python benchmarks/studies/neural_intervals.py [--out FOLDER] [--replications N] [--quick]

Samples of 200 from a normal law N(1, 1.5^2) and from a gamma law of shape 3; generator and discriminator are
perceptrons of one hidden layer of 16 units, the loss is `root`, batches are of 64, Adam's rate .003, and the
generator's arrays are averaged exponentially (.99). Each sample is trained on with its resamples as one program.
Intervals of level 95 %. Errors of coverage in brackets are those of the nominal level.
"""

import shared

shared.machine.pin(1)

import warnings  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy import stats  # noqa: E402

import hellgan as hg  # noqa: E402

N = 200
LAWS = {"normal": stats.norm(1, 1.5), "gamma": stats.gamma(3)}
FUNCTIONALS = {"mean": lambda x: x, "P(X > 2)": lambda x: 1.0 * (x > 2), "E abs(X - 1)": lambda x: np.abs(x - 1)}


def truths(law) -> dict[str, float]:
    return {
        "mean": float(law.mean()),
        "P(X > 2)": float(law.sf(2)),
        "E abs(X - 1)": float(law.expect(lambda x: abs(x - 1))),
    }


def one(law, r: int, given) -> pd.DataFrame:
    """Estimates and intervals of one sample."""
    x = law.rvs(N, random_state=np.random.default_rng([r, 77]))
    nets = hg.neural.MLPGenerator((16,), latent_dim=2), hg.neural.MLPDiscriminator((16,))
    steps, replications = (20, 4) if given.quick else (800, 30)
    found = hg.neural.bootstrap(
        x, *nets, FUNCTIONALS, "root", steps=steps, replications=replications, seed=1000 * r, rate=3e-3, average=0.99
    )
    parts = {"estimate": found.estimates, "bse": found.bse, "n_failed": found.n_failed}
    for kind in ("percentile", "normal"):
        interval = found.conf_int(kind=kind)
        parts |= {f"{kind}_lower": interval["lower"], f"{kind}_upper": interval["upper"]}
    parts["sample mean of f"] = pd.Series({name: float(np.mean(f(x))) for name, f in FUNCTIONALS.items()})
    return pd.DataFrame(parts).rename_axis("functional").reset_index().assign(replication=r)


def main():
    warnings.simplefilter("ignore", hg.FitWarning)
    given = shared.options(str(__doc__), 60)
    count = 2 if given.quick else given.replications
    frames: list[Any] = []
    rows = []
    for name, law in LAWS.items():
        frame: Any = pd.concat([one(law, r, given) for r in range(count)], ignore_index=True).assign(law=name)
        frames.append(frame)
        for functional, truth in truths(law).items():
            own: Any = frame[frame["functional"] == functional]
            error = own["estimate"] - truth
            plain = own["sample mean of f"] - truth
            cover = {
                kind: float(((own[f"{kind}_lower"] <= truth) & (truth <= own[f"{kind}_upper"])).mean())
                for kind in ("percentile", "normal")
            }
            mcse = np.sqrt(0.95 * 0.05 / count)
            rows.append(
                [
                    name, functional, f"{truth:.3f}", shared.entry(error.mean(), error.std() / np.sqrt(count)),
                    f"{error.std():.3f}", f"{own['bse'].mean():.3f}", f"{plain.std():.3f}",
                    shared.entry(cover["percentile"], mcse), shared.entry(cover["normal"], mcse),
                ]
            )  # fmt: skip
    report = shared.Report(given, "neural_intervals", "Bootstrap intervals of a trained generator", str(__doc__))
    kept: Any = pd.concat(frames, ignore_index=True)
    report.keep(kept)
    report.say(f"{count} samples of {N} a law, {4 if given.quick else 30} resamples each.")
    header = [
        "law", "functional", "truth", "bias", "sd", "mean bootstrap error", "sd of the sample mean of f",
        "coverage, percentile", "coverage, normal",
    ]  # fmt: skip
    report.table(header, rows, "Estimates and intervals")
    report.say(f"Models whose training failed: {int(kept.drop_duplicates(['law', 'replication'])['n_failed'].sum())}.")
    report.write()


if __name__ == "__main__":
    main()
