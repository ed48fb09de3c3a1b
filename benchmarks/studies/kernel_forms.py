"""Two forms of the kernel objective at a fixed bandwidth: means over the points, or the divergence of smoothed laws.

    .venv/bin/python benchmarks/studies/kernel_forms.py [--out benchmarks/studies/results] [--quick]

Both put v = log p_s/q_s into the objective, p_s and q_s the densities smoothed by a Gaussian kernel of standard
deviation s. "At points" takes means over the two laws themselves, E_P real(v) + E_Q fake(v): what `KernelGAN`
estimates. "Smoothed" takes them over the smoothed laws, the integral of p_s real(v) + q_s fake(v), which is a
divergence of these and has to be integrated over a space of d dimensions. Without samples, by quadrature: the normal
law N(loc, scale^2) that minimises each, where the data are those of the first column. The part that is no contamination
has location 0 and scale 1; s = 0 is the ideal discriminator. The last table has the asymptotic efficiency of both
estimates where the model is right, relative to maximum likelihood; s in the law's own units.
"""

from collections.abc import Callable

import shared

# isort: split
import jax
import numpy as np
import pandas as pd
from scipy import optimize, stats

import hellgan as hg

LOSSES = ("root", "log", "hellinger")
BANDWIDTHS = (0.0, 0.1, 0.25, 0.5, 1.0)
FORMS = ("at points", "smoothed")
# Shares, locations and scales of the parts; the first is what is to be estimated.
DATA: dict[str, tuple[tuple[float, float, float], ...]] = {
    "a tenth at N(5, 1)": ((0.9, 0.0, 1.0), (0.1, 5.0, 1.0)),
    "a fifth at N(5, 1)": ((0.8, 0.0, 1.0), (0.2, 5.0, 1.0)),
    "a fifth at N(7, .3^2)": ((0.8, 0.0, 1.0), (0.2, 7.0, 0.3)),
}
LAWS = {"normal": stats.norm(), "logistic": stats.logistic(), "Student t, 3 df": stats.t(3), "Gumbel": stats.gumbel_r()}
GRID = np.linspace(-30, 30, 12001)  # further out all densities of the first tables vanish
STEP = GRID[1] - GRID[0]
FLOOR = 1e-300


def mixture(parts, s: float = 0.0) -> np.ndarray:
    """Density on the grid of a mixture of normal laws, smoothed."""
    return np.sum([share * stats.norm.pdf(GRID, loc, np.hypot(scale, s)) for share, loc, scale in parts], axis=0)


def sides(loss: str) -> tuple[Callable, Callable]:
    of = hg.losses.get(loss)
    with jax.enable_x64(True):
        real, fake = jax.jit(of.real), jax.jit(of.fake)

    def double(function):
        def at(v):
            with jax.enable_x64(True):
                return np.asarray(function(v))

        return at

    return double(real), double(fake)


def minimiser(parts, s: float, form: str, loss: str) -> tuple[float, float]:
    """Location and scale at which the form's value is least, from the truth."""
    real, fake = sides(loss)
    p, p_s = mixture(parts), mixture(parts, s)

    def value(free):
        own = ((1.0, free[0], np.exp(free[1])),)
        q, q_s = mixture(own), mixture(own, s)
        v = np.log(np.maximum(p_s, FLOOR)) - np.log(np.maximum(q_s, FLOOR))
        over = (p, q) if form == "at points" else (p_s, q_s)
        return STEP * np.sum(over[0] * real(v) + over[1] * fake(v))

    how = {"xatol": 1e-7, "fatol": 1e-14, "maxiter": 2000}
    found = optimize.minimize(value, np.zeros(2), method="Nelder-Mead", options=how)
    return float(found.x[0]), float(np.exp(found.x[1]))


def smoothed(values: np.ndarray, s: float) -> np.ndarray:
    """Convolve with the kernel, on the grid."""
    kernel = STEP * stats.norm.pdf(GRID, 0.0, s)
    return np.convolve(values, kernel, mode="same")


def efficiencies(law, s: float, form: str) -> np.ndarray:
    """Asymptotic efficiency of location and scale, estimated together, at the model; the same for every loss."""
    p, h = law.pdf(GRID), 1e-4
    slopes = [
        (law.pdf(GRID + h) - law.pdf(GRID - h)) / (-2 * h),
        (law.pdf(GRID / (1 + h)) / (1 + h) - law.pdf(GRID / (1 - h)) / (1 - h)) / (2 * h),
    ]
    p_s, floored = smoothed(p, s), np.maximum(p, FLOOR)
    score = np.array(slopes) / floored
    score_s = np.array([smoothed(slope, s) for slope in slopes]) / np.maximum(p_s, FLOOR)
    if form == "at points":
        moves = score_s + [smoothed(each, s) for each in p / np.maximum(p_s, FLOOR) * (score - score_s)]
        cross = (p * score) @ score_s.T
        bread = cross + cross.T - (p * score_s) @ score_s.T
    else:
        moves, bread = np.array([smoothed(each, s) for each in score_s]), (p_s * score_s) @ score_s.T
    moves = moves - STEP * (moves @ p)[:, None]
    inverse = np.linalg.inv(STEP * bread)
    covariance = inverse @ (STEP * (p * moves) @ moves.T) @ inverse.T
    return np.diag(np.linalg.inv(STEP * (p * score) @ score.T)) / np.diag(covariance)


def pairs(frame: pd.DataFrame) -> list[str]:
    return [f"{loc:.4f}, {scale:.4f}" for loc, scale in zip(frame["loc"], frame["scale"], strict=True)]


def main():
    given = shared.options(str(__doc__))
    report = shared.Report(given, "kernel_forms", "Two forms of the kernel objective", str(__doc__))
    losses, bandwidths = (LOSSES[:1], BANDWIDTHS[2:4]) if given.quick else (LOSSES, BANDWIDTHS)
    rows = []
    for data, parts in DATA.items():
        for loss in losses:
            for form in FORMS:
                for s in bandwidths:
                    loc, scale = minimiser(parts, s, form, loss)
                    rows.append({"data": data, "loss": loss, "form": form, "s": s, "loc": loc, "scale": scale})
    frame = pd.DataFrame(rows)
    report.keep(frame)
    report.heading("Least value")
    keys = frame[["data", "loss", "form"]].drop_duplicates().itertuples(index=False)
    body = []
    for data, loss, form in keys:
        own = shared.only(frame, data=data, loss=loss, form=form)
        body.append([data, loss, form, *pairs(own)])
    report.table(["data", "loss", "form", *(f"s = {s:g}" for s in bandwidths)], body, "Location and scale")
    rows = [
        {"law": name, "form": form, "s": s, **dict(zip(("loc", "scale"), efficiencies(law, s, form), strict=True))}
        for name, law in LAWS.items()
        for form in FORMS
        for s in bandwidths
        if s
    ]
    frame = pd.DataFrame(rows)
    report.keep(frame, "efficiency")
    report.heading("Efficiency at the model")
    body = []
    for law, form in frame[["law", "form"]].drop_duplicates().itertuples(index=False):
        own = shared.only(frame, law=law, form=form)
        body.append([law, form, *pairs(own)])
    report.table(["law", "form", *(f"s = {s:g}" for s in bandwidths if s)], body, "Location, scale")
    report.write()


if __name__ == "__main__":
    main()
