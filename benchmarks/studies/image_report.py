"""What the experiment on contaminated images says: tables, comparisons and sheets of draws, from the models kept."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from shared import entry, listed, only

from hellgan import plots

BASE = "log_ns"  # what others are compared with


def named(kind: str, share: float) -> str:
    return kind if not share else f"{100 * share:.0f} % {kind}"


def summarised(frame: pd.DataFrame, value: str, keys: list[str]) -> pd.DataFrame:
    """Mean over seeds with its standard error: over seeds, or of the one that there is."""
    rows = []
    groups: Any = frame.dropna(subset=[value]).groupby(keys, sort=False)
    for levels, part in groups:
        x, errors = part[value].to_numpy(float), part[f"{value}_error"].to_numpy(float)
        mcse = x.std(ddof=1) / np.sqrt(len(x)) if len(x) > 1 else errors[0]
        rows.append({**dict(zip(keys, levels, strict=True)), "value": x.mean(), "mcse": mcse, "seeds": len(x)})
    return pd.DataFrame(rows)


def tables(report, frame: pd.DataFrame, methods: list[str], kinds: list[str]) -> pd.DataFrame:
    """Fréchet distances and shares of outliers, a row a cell, a column a method; returns all numbers."""
    frame = frame.assign(cell=[named(*each) for each in frame[["kind", "share"]].itertuples(index=False)])
    distances = summarised(frame, "fd", ["cell", "method"])
    add(report, distances, methods, "FD of models of", "Fréchet distance from the clean test images")
    parts = [distances.assign(measure="fd")]
    for kind in kinds:
        own = only(frame, kind=["clean", kind]).copy()
        own["percent"], own["percent_error"] = 100 * own[kind], 100 * own[f"{kind}_error"]
        shares = summarised(own, "percent", ["cell", "method"])
        corner = f"% {kind} of models of"
        add(report, shares, methods, corner, f"Share of the draws, in percent, that are taken for {kind}")
        parts.append(shares.assign(measure=f"percent {kind}"))
    return pd.concat(parts, ignore_index=True)


def add(report, numbers: pd.DataFrame, methods: list[str], corner: str, title: str) -> None:
    of = {(r["cell"], r["method"]): r for r in numbers.to_dict("records")}
    rows = []
    for cell in numbers["cell"].unique():
        found = [of.get((cell, method)) for method in methods]
        seeds = sorted({r["seeds"] for r, method in zip(found, methods, strict=True) if r and method != methods[-1]})
        told = "-" if not seeds else str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        rows.append([cell, told, *(entry(r["value"], r["mcse"]) if r else "" for r in found)])
    report.table([corner, "seeds", *methods], rows, title)


def differences(frame: pd.DataFrame, value: str, one: str, other: str, **levels) -> tuple[float, float, int] | None:
    """Mean difference of two methods over the seeds and cells that both have, with its error; the number of pairs."""
    part, keys = only(frame, **levels), ["kind", "share", "seed"]
    pairs = only(part, method=one).merge(only(part, method=other), on=keys, suffixes=("", "_other"))
    pairs = pairs.dropna(subset=[value, f"{value}_other"])
    if pairs.empty:
        return None
    found = (pairs[value] - pairs[f"{value}_other"]).to_numpy(float)
    alone = np.hypot(*(pairs[f"{value}_error{suffix}"].to_numpy(float) for suffix in ("", "_other")))
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else alone[0]
    return float(found.mean()), float(error), len(found)


def said(difference: float, error: float, pairs: int) -> str:
    """Judge a difference, of which less is better, at 5 % by the t law; of one pair nothing is said."""
    if pairs == 1:
        return "one pair, whose training is not in the error"
    if abs(difference) <= stats.t.ppf(0.975, pairs - 1) * error:
        return "no different"
    return "better" if difference < 0 else "worse"


def verdicts(report, frame: pd.DataFrame, methods: list[str], kinds: list[str]) -> None:
    """Say what the figures say of the claim that robustness does not cost quality."""
    scaled = {name: 100 * frame[name] for kind in kinds for name in (kind, f"{kind}_error")}
    percent, rows = frame.assign(**scaled), []
    for method in methods:
        if method != BASE:
            found = [differences(percent, "fd", method, BASE, kind=where) for where in ("clean", *kinds)]
            found += [differences(percent, kind, method, BASE, kind=kind) for kind in kinds]
            rows.append([method, *("" if f is None else f"{entry(*f[:2])}: {said(*f)}" for f in found)])
    header = ["method", *(f"FD, {where}" for where in ("clean", *kinds)), *(f"outliers in percent, {k}" for k in kinds)]
    report.table(
        header,
        rows,
        f"Less those of `{BASE}`, mean over contaminations and seeds; judged at 5 % by the t law over these",
    )


def sheets(report, shown: dict[tuple[str, str], np.ndarray]) -> None:
    """Draw 64 draws of each model: keys are cell and method."""
    if shown:
        titles = [f"{method}, {cell}" for cell, method in shown]
        columns = len({method for _, method in shown})
        axes = plots.image_panels([255 - each.astype(float) for each in shown.values()], titles, columns=columns)
        report.figure(axes, "draws", f"The first 64 draws of models of seed 0: {listed(dict.fromkeys(titles))}.")
