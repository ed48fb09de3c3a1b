"""Normal Q-Q plots of standardised estimates."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from hellgan.plots.canvas import (
    BLUE,
    GREY,
    RED,
    columns_for,
    label_outer,
    legend_outside,
    line_entry,
    panels,
    patch_entry,
)
from hellgan.plots.studies.frames import failures

# Weine, McPeek and Abney (2023): the constant of the local level for each level of the band.
_LOCAL = {0.9: 1.1, 0.95: 1.3, 0.99: 1.6}


def qq(
    standardised: Mapping | Sequence | np.ndarray,
    *,
    level: float = 0.95,
    band: str = "simultaneous",
    detrended: bool = False,
    limit: float | None = None,
    axes=None,
):
    """Draw normal Q-Q plots of (estimate - truth) / std_error, a panel for each method, with a band.

    The k-th of R uniform order statistics is Beta(k, R + 1 - k). A pointwise band holds each with probability
    ``level``; the simultaneous one all of them, by equal local levels, which see the tails: there the band of
    Dvoretzky, Kiefer and Wolfowitz is blind.

    Parameters
    ----------
    standardised : mapping of str to (R,) array, or (R,) array
        NaN where a replicate failed: left out, and counted in the title.
    level : float
        Of the band; 0.9, 0.95 or 0.99 where it is simultaneous.
    band : {"simultaneous", "pointwise"}
    detrended : bool
        Draw what is above the diagonal, for R so large that the band is a line.
    limit : float, optional
        Of the vertical axis, in standard errors; what is beyond is a mark at the edge, counted in the title. As far as
        the data of most methods and at most 6 unless given.
    axes : array of Axes, optional
        One a method.

    Returns
    -------
    (methods,) array of Axes

    References
    ----------
    Weine, McPeek and Abney (2023), Journal of Statistical Software 106(10): a local level that is asymptotic, checked
    to hold the level within 0.025 from R = 20 on.
    """
    if not isinstance(band, str) or band not in ("simultaneous", "pointwise"):
        raise ValueError(f"band: {band!r} is not known; give 'simultaneous' or 'pointwise'.")
    if band == "simultaneous" and level not in _LOCAL:
        raise ValueError(f"level: {level:g} has no simultaneous band; give one of 0.9, 0.95 and 0.99.")
    given = standardised if isinstance(standardised, Mapping) else {"": standardised}
    samples = {name: np.asarray(values, np.float64).ravel() for name, values in given.items()}
    if not samples or not any(np.isfinite(values).any() for values in samples.values()):
        raise ValueError("standardised: it holds no finite number; nothing can be drawn.")
    own = axes is None
    axes = panels(
        len(samples),
        axes,
        columns_for(len(samples)),
        (2.6, 3.0) if len(samples) > 1 else (4.5, 4.2),
        sharex=True,
        sharey=True,
    )
    drawn = {name: np.sort(values[np.isfinite(values)]) for name, values in samples.items()}
    laws = {name: order_statistics(len(values), level, band) for name, values in drawn.items()}
    bases = {name: law[0] if detrended else np.zeros(len(law[0])) for name, law in laws.items()}
    if limit is None:
        # The median: one method that is far off would shrink the others.
        largest = [np.abs([drawn[n], *laws[n][1:]] - bases[n]).max() for n in drawn if len(drawn[n])]
        limit = float(np.clip(1.06 * np.median(largest), 0.2 if detrended else 3.5, 6.0))
    across = 1.06 * max(3.0, *(law[0].max(initial=0) for law in laws.values())) if detrended else limit
    look = {"color": BLUE, "linestyle": "none", "marker": "o", "markersize": 2.5, "label": "estimates"}
    for ax, (name, values) in zip(axes, samples.items(), strict=True):
        expected, low, high = laws[name]
        above = drawn[name] - bases[name]
        ax.fill_between(expected, low - bases[name], high - bases[name], color=GREY, alpha=0.4, linewidth=0)
        ax.axline((0, 0), slope=0 if detrended else 1, color="black", linewidth=0.9)
        ax.plot(expected, above, **look)
        outside = np.abs(above) > limit
        ax.plot(expected[outside], np.sign(above[outside]) * 0.95 * limit, "d", color=RED, markersize=4)
        ax.set_xlim(-across, across)
        ax.set_ylim(-limit, limit)
        ax.set_box_aspect(1)
        notes = [failures(len(values) - len(above), len(values))]
        notes.append(f"{outside.sum():,} beyond {limit:.2g}" if outside.any() else "")
        ax.set_title("\n".join(filter(None, [str(name), ", ".join(filter(None, notes))])), fontsize="medium")
    what = "excess over the quantile" if detrended else "(estimate - truth) / std. error"
    label_outer(axes, "normal quantile", what, own)
    handles = [line_entry(**look), patch_entry(f"{100 * level:g} % {band} band", color=GREY, alpha=0.4)]
    legend_outside(axes, handles, own)
    return axes


def order_statistics(size: int, level: float, band: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give medians and bounds of the order statistics of ``size`` standard normals: (size,) each."""
    k = np.arange(1, size + 1)
    local = 1 - level
    if band == "simultaneous" and size > 2:
        loglog = np.log(np.log(max(size, 16)))
        local = -np.log(level) / (2 * loglog * np.log(max(size, 16))) * (1 - _LOCAL[level] * np.log(loglog) / loglog)
    at = [special.betaincinv(k, size + 1 - k, p) for p in (0.5, local / 2)]
    # By symmetry, since 1 - p loses the digits of the upper tail.
    low = special.ndtri(at[1])
    return special.ndtri(at[0]), low, -low[::-1]
