"""Figures of Monte Carlo studies: what is drawn is what the data say."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation
from scipy import stats
from tolerance import EXACT, assert_monte_carlo, mcse_proportion

from hellgan import plots
from hellgan.plots import influence, studies
from hellgan.plots.studies import frames, pairs, quantiles

Z = stats.norm.ppf(0.975)
METHODS = [f"method {k}" for k in range(10)]


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


def estimate_frame(methods=("a", "b"), count=400, seed=0, parameters=("loc",)):
    """Unbiased estimates of 1 for the first method, each next a standard error more; the last method fails thrice."""
    rng = np.random.default_rng(seed)
    parts = []
    for parameter in parameters:
        for k, method in enumerate(methods):
            estimate, error = 1 + 0.1 * (k + rng.normal(size=count)), 0.1 * rng.uniform(0.9, 1.1, size=count)
            converged = np.arange(count) >= (3 if k == len(methods) - 1 else 0)
            columns = {"method": method, "replicate": np.arange(count), "parameter": parameter, "estimate": estimate}
            ends = {"std_error": error, "lower": estimate - Z * error, "upper": estimate + Z * error}
            parts.append(pd.DataFrame({**columns, **ends, "truth": 1.0, "converged": converged}))
    return pd.concat(parts, ignore_index=True)


def performance_frame(
    methods=("a", "b"), measures=("bias", "rmse", "coverage"), parameters=("loc",), eps=(0.0, 0.1, 0.2)
):
    """Numbers that tell their row: units count methods, tenths measures, hundredths contaminations."""
    rows = [
        {
            "method": method, "place": place, "eps": share, "parameter": parameter, "measure": measure,
            "value": 1 + m + 0.1 * k + 0.01 * e + 0.001 * p + 10 * q, "mcse": 0.001 * (1 + m), "with_failures": 5.0 + m,
            "with_failures_mcse": 0.5, "n_failed": 12 if m == 1 else 0, "replications": 2000,
        }
        for m, method in enumerate(methods)
        for p, place in enumerate(("near", "far"))
        for e, share in enumerate(eps)
        for q, parameter in enumerate(parameters)
        for k, measure in enumerate(measures)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def cell(frame):
    return frame[(frame["place"] == "near") & (frame["eps"] == 0.1)]


def near(frame):
    return frame[frame["place"] == "near"]


def segments(ax, label):
    """Ends and heights of horizontal lines: (k, 2) and (k,)."""
    (found,) = [lines for lines in ax.collections if lines.get_label() == label]
    points = np.array(found.get_segments()).reshape(-1, 2, 2)
    return points[:, :, 0], points[:, 0, 1]


def legend_labels(axes):
    figure = np.ravel(axes)[0].figure
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def boxes_are_apart(axes):
    """Whether the legend of the figure is clear of all its Axes, and nothing is cut off."""
    figure = np.ravel(axes)[0].figure
    figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    whole = [ax.get_tightbbox() for ax in figure.axes]
    inside = all(
        b.x0 > -2 and b.y0 > -2 and b.x1 < figure.bbox.x1 + 2 and b.y1 < figure.bbox.y1 + 2 for b in [*whole, box]
    )
    return inside and not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)


# Zip plot.


def test_zip_plot_draws_every_interval_at_its_centile():
    frame = estimate_frame()
    axes = studies.zip_plot(frame, parameter="loc")
    for ax, (_, part) in zip(axes, frame[frame["converged"]].groupby("method", sort=False), strict=True):
        part = part.assign(z=abs((part["estimate"] - 1) / part["std_error"])).sort_values("z")
        centile = 100 * (np.arange(len(part)) + 0.5) / len(part)
        covers = ((part["lower"] <= 1) & (part["upper"] >= 1)).to_numpy()
        for which, label in ((covers, "covers"), (~covers, "misses")):
            ends, heights = segments(ax, label)
            np.testing.assert_array_equal(ends, part.loc[which, ["lower", "upper"]])
            np.testing.assert_allclose(heights, centile[which], rtol=EXACT)
        # Wald's intervals miss the truth where |z| > 1.96: all that do are above all others, from the coverage on.
        assert segments(ax, "covers")[1].max() < 100 * covers.mean() < segments(ax, "misses")[1].min()
        half = Z * np.sqrt(covers.mean() * (1 - covers.mean()) / len(covers))
        level = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() in ("--", ":")]
        np.testing.assert_allclose(level, [100 * (covers.mean() - half), 100 * (covers.mean() + half), 95], rtol=1e-9)
        assert f"{100 * covers.mean():.1f} % covered" in ax.get_title()
    assert "failed" not in axes[0].get_title()
    assert "3 of 400 failed" in axes[1].get_title()
    assert boxes_are_apart(axes)


def test_zip_plot_by_hand():
    """Three intervals: z = 0, -1, 3 are at 1/6, 1/2 and 5/6 of the height, and the third misses 0."""
    columns = {"method": "a", "replicate": [0, 1, 2], "parameter": "m", "estimate": [3.0, 0.0, -1.0], "std_error": 1.0}
    ends = {"lower": [1.0, -2.0, -3.0], "upper": [5.0, 2.0, 1.0]}
    (ax,) = studies.zip_plot(pd.DataFrame({**columns, **ends}), 0.0)
    ends, heights = segments(ax, "covers")
    np.testing.assert_array_equal(ends, [[-2, 2], [-3, 1]])
    np.testing.assert_allclose(heights, [100 / 6, 50], rtol=EXACT)
    ends, heights = segments(ax, "misses")
    np.testing.assert_array_equal(ends, [[1, 5]])
    np.testing.assert_allclose(heights, [500 / 6], rtol=EXACT)


def test_zip_plot_tells_failures_from_estimates_without_an_interval():
    columns = {"replicate": range(4), "parameter": "m", "estimate": [0.1, 0.2, 0.3, np.nan], "std_error": np.nan}
    ends = {"lower": [-1.0, np.nan, np.nan, np.nan], "upper": [1.0, np.nan, np.nan, np.nan]}
    some = pd.DataFrame({"method": "some", **columns, **ends, "converged": [True, True, True, False]})
    none = some.assign(method="none", lower=np.nan, upper=np.nan)
    titles = [ax.get_title() for ax in studies.zip_plot(pd.concat([some, none]), 0.0)]
    assert titles[0].endswith("1 of 4 failed, 2 without an interval")
    assert titles[1] == "none\n1 of 4 failed"


def test_zip_plot_zooms_and_takes_panels_of_a_factor():
    frame = pd.concat([estimate_frame(("a",)).assign(n=n) for n in (500, 200)])
    axes = studies.zip_plot(frame, panel="n", zoom=0.3)
    assert [ax.get_title().splitlines()[0] for ax in axes] == ["n = 200", "n = 500"]
    for ax in axes:
        assert ax.get_ylim() == pytest.approx((70, 100))
    with pytest.raises(ValueError, match="several rows have method = a, replicate = 0; choose a single level of n"):
        studies.zip_plot(frame)
    with pytest.raises(ValueError, match="zoom: 2 is no share"):
        studies.zip_plot(frame, panel="n", zoom=2.0)


def test_zip_plot_counts_what_is_far_away_and_keeps_the_others_wide():
    frame = estimate_frame(("a", "b", "c"))
    far = frame["method"] == "c"
    frame.loc[far, ["estimate", "lower", "upper"]] += 50
    frame.loc[0, ["lower", "upper"]] = [-np.inf, np.inf]
    axes = studies.zip_plot(frame)
    low, high = axes[0].get_xlim()
    assert 0.2 < low < high < 2
    assert "397 out of view" in axes[2].get_title()
    (arrows,) = [found for found in axes[2].collections if found.get_offsets().shape[0] == 397]
    assert np.all(arrows.get_offsets()[:, 0] > 0.9)
    # An interval without ends covers, and is drawn from edge to edge.
    assert np.any(np.all(segments(axes[0], "covers")[0] == segments(axes[0], "covers")[0], axis=1))
    ends = segments(axes[0], "covers")[0]
    assert np.sum((ends[:, 0] < low) & (ends[:, 1] > high)) == 1


def test_zip_plot_of_methods_without_intervals():
    frame = estimate_frame()
    frame.loc[frame["method"] == "b", ["std_error", "lower", "upper"]] = np.nan
    axes = studies.zip_plot(frame)
    assert axes[1].texts[0].get_text() == "no intervals\nin 400 replicates"
    # Intervals without standard errors are ordered by their own widths: for Wald's the same order.
    reference, given = estimate_frame(("a",)), estimate_frame(("a",)).assign(std_error=np.nan)
    one, other = (studies.zip_plot(each)[0] for each in (reference, given))
    np.testing.assert_array_equal(segments(one, "covers")[0], segments(other, "covers")[0])


# Lollipops.


def test_lollipop_draws_values_bars_and_targets():
    frame = cell(performance_frame())
    axes = studies.lollipop(frame, ["bias", "coverage"])
    assert axes.shape == (1, 2)
    for ax, measure, goal in zip(axes[0], ("bias", "coverage"), (0.0, 0.95), strict=True):
        assert ax.get_xlabel() == measure
        (target,) = [line for line in ax.lines if line.get_linestyle() == "--"]
        assert list(target.get_xdata()) == [goal, goal]
        for row, container in enumerate(ax.containers):
            source = frame.loc[(frame["measure"] == measure) & (frame["method"] == "ab"[row])].iloc[0]
            point, _, (bar,) = container.lines
            np.testing.assert_allclose(point.get_data(orig=False), [[source["value"]], [row]], rtol=EXACT)
            ends = bar.get_segments()[0][:, 0]
            np.testing.assert_allclose(ends, source["value"] + np.array([-1, 1]) * Z * source["mcse"], rtol=1e-9)
        sticks = [found.get_segments()[0] for found in ax.collections if len(found.get_segments()) == 1]
        assert all(np.any(stick[:, 0] == goal) for stick in sticks if np.ptp(stick[:, 0]) > 0.1)
    names = [text.get_text() for text in axes[0, 0].get_yticklabels()]
    assert names == ["a", "b\n12 of 2,000 failed"]
    assert axes[0, 0].get_ylim() == (1.5, -0.5)  # the first method is on top


def test_lollipop_has_rows_of_panels():
    frame = near(performance_frame(parameters=("loc", "scale")))
    axes = studies.lollipop(frame[frame["eps"] == 0.1], ["bias", "rmse"], by="parameter")
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["loc", "scale"]
    assert axes[1, 0].containers[0].lines[0].get_xdata() == pytest.approx([11.01])  # 1 + .01 + 10, method a, bias
    axes = studies.lollipop(frame, "bias", by="eps", parameter="loc")
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["eps = 0.0", "eps = 0.1", "eps = 0.2"]


def test_lollipop_of_a_method_far_away():
    """Where the others are within .01, a bias of .8 is an arrow at the edge with its number."""
    frame = cell(performance_frame(METHODS, ("bias",)))
    frame = frame.assign(value=np.linspace(0, 0.01, 10), mcse=0.001)
    frame.loc[frame.index[4], "value"] = 0.8
    frame.loc[frame.index[5], "value"] = np.nan
    ((ax,),) = studies.lollipop(frame, ["bias"])
    assert ax.get_xlim()[1] < 0.02
    assert [text.get_text() for text in ax.texts] == ["0.8", "none"]
    (arrow,) = [
        line for line in ax.lines if line.get_marker() == ">" and len(line.get_xdata()) and line.get_ydata() == 4
    ]
    assert arrow.get_xdata() == [0.985]
    assert len(ax.containers) == 8
    ((ax,),) = studies.lollipop(frame, ["bias"], limits={"bias": (-1, 1)})
    assert ax.get_xlim() == (-1, 1)
    assert len(ax.containers) == 9
    # A third of two standard errors away is not far away, however near the others are to each other.
    frame = frame.assign(value=[0.95] * 9 + [0.93], mcse=0.005)
    ((ax,),) = studies.lollipop(frame, ["bias"])
    assert len(ax.containers) == 10


def test_measures_with_failures():
    ((ax,),) = studies.lollipop(cell(performance_frame()), ["bias"], with_failures=True)
    assert [c.lines[0].get_xdata()[0] for c in ax.containers] == [5, 6]
    with pytest.raises(ValueError, match="no column 'with_failures'"):
        studies.lollipop(cell(performance_frame()).drop(columns="with_failures"), ["bias"], with_failures=True)


# Nested loops.


def steps(ax):
    return {line.get_label(): line for line in ax.lines if line.get_drawstyle() == "steps-post"}


def test_nested_loop_is_in_the_order_of_the_factors():
    frame = performance_frame(eps=(0.2, 0.0, 0.1)).sample(frac=1, random_state=0)
    frame["place"] = pd.Categorical(frame["place"], ["near", "far"])
    ax = studies.nested_loop(frame, "bias", ["place", "eps"])
    for m, label in enumerate(("a", "b (12 of 2,000 failed)")):
        x, y = steps(ax)[label].get_data()
        np.testing.assert_array_equal(x, np.arange(7))
        # by hand: eps = .2, 0, .1 were numbered 0, 1, 2; in order 0, .1, .2 these are 1, 2, 0
        wanted = 1 + m + np.array([0.01, 0.02, 0.0, 0.011, 0.021, 0.001])
        np.testing.assert_allclose(y, [*wanted, wanted[-1]], rtol=EXACT)
    below = ax.figure.axes[1]
    assert [text.get_text() for text in below.get_yticklabels()] == ["place", "eps"]
    place, eps = steps(below)["place"].get_ydata(), steps(below)["eps"].get_ydata()
    np.testing.assert_allclose(np.diff(place) > 0, [False, False, True, False, False, False])
    np.testing.assert_allclose(eps[:3], eps[3:6])
    np.testing.assert_allclose(np.diff(eps[:3]), 0.2)  # a band of .4 in two steps up
    assert [text.get_text() for text in below.texts] == ["near", "far", *["0", "0.1", "0.2"] * 2]
    assert boxes_are_apart(ax)


def test_nested_loop_of_a_partial_grid_and_of_a_missing_method():
    frame = performance_frame()
    frame = frame[~((frame["place"] == "near") & (frame["eps"] == 0.2))]
    frame = frame[~((frame["method"] == "b") & (frame["place"] == "far") & (frame["eps"] == 0.0))]
    ax = studies.nested_loop(frame, "rmse", ["place", "eps"])
    y = steps(ax)["b (12 of 2,000 failed)"].get_ydata()
    assert len(y) == 6
    np.testing.assert_array_equal(np.isnan(y), [False, False, True, False, False, False])


def test_a_method_looks_the_same_where_another_is_missing():
    frame = performance_frame(("a", "b", "c"))
    both = pd.concat([frame.assign(parameter="loc"), frame[frame["method"] != "a"].assign(parameter="scale")])
    colors = [
        {line.get_label(): line.get_color() for line in steps(ax).values()}
        for ax in (studies.nested_loop(both, "bias", ["place", "eps"], parameter=p) for p in ("loc", "scale"))
    ]
    assert len(colors[1]) == 2
    assert colors[1].items() <= colors[0].items()


def test_nested_loop_of_many_levels_lists_them_once():
    frame = performance_frame(METHODS, ("bias",), eps=tuple(np.round(np.linspace(0, 0.45, 10), 2)))
    frame = pd.concat([frame.assign(n=n) for n in (100, 200, 500)])
    ax = studies.nested_loop(frame, "bias", ["place", "n", "eps"])
    texts = [text.get_text() for text in ax.figure.axes[1].texts]
    assert texts[2:8] == ["100", "200", "500"] * 2
    assert texts[8:] == ["0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45"]
    assert boxes_are_apart(ax)


def test_nested_loop_in_the_users_axes():
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    assert studies.nested_loop(performance_frame(), "bias", ["place", "eps"], ax=left) is left
    assert plt.get_fignums() == [figure.number]
    assert not right.has_data()
    (below,) = left.child_axes
    figure.canvas.draw()
    box = below.get_window_extent()
    assert figure.bbox.y0 - 1 <= box.y0 < box.y1 < left.get_window_extent().y0  # below, and not cut off


# Along the contamination.


def test_contamination_curves_draw_values_and_bars():
    frame = near(performance_frame(("a", "b", "c"))).sample(frac=1, random_state=0)
    axes = studies.contamination_curves(frame, "eps", ("bias", "coverage"), methods=["a", "b", "c"])
    for k, ax in ((0, axes[0]), (2, axes[1])):
        for m, container in enumerate(ax.containers):
            line, _, (bars,) = container.lines
            x, y = line.get_data(orig=False)
            # side by side over .08 of the axis, which is .2 long: -.008, 0, .008
            np.testing.assert_allclose(x, np.array([0.0, 0.1, 0.2]) + 0.008 * (m - 1), rtol=0, atol=EXACT)
            wanted = 1 + m + 0.1 * k + 0.01 * np.arange(3)
            np.testing.assert_allclose(y, wanted, rtol=EXACT)
            heights = np.array(bars.get_segments())[:, :, 1]
            np.testing.assert_allclose(np.diff(heights)[:, 0], 2 * Z * 0.001 * (1 + m), rtol=1e-9)
    assert (axes[0].get_xlabel(), axes[0].get_ylabel(), axes[1].get_ylabel()) == ("eps", "bias", "coverage")
    assert legend_labels(axes) == ["a", "b (12 of 2,000 failed)", "c"]
    assert boxes_are_apart(axes)


@pytest.mark.parametrize(("places", "width"), [([0.0, 0.4], 0.032), ([0.0, 0.01, 0.5], 0.005), ([0.0, 40, 100], 8.0)])
def test_methods_stand_apart_by_a_share_of_the_axis(places, width):
    """Whatever the unit and the gaps; where places are close, by half their distance."""
    frame: Any = near(performance_frame(("a", "b")))
    frame = frame[frame["eps"] < 0.1 * (len(places) - 0.5)]
    frame = frame.assign(eps=np.array(places)[np.rint(10 * frame["eps"]).astype(int)])
    (ax,) = studies.contamination_curves(frame, "eps", ("bias",))
    left, right = (container.lines[0].get_xdata(orig=False) for container in ax.containers)
    np.testing.assert_allclose(right - left, width, rtol=1e-12)
    np.testing.assert_allclose((left + right) / 2, places, rtol=0, atol=1e-12)


def test_scales_of_contamination_curves():
    frame = near(performance_frame())
    frame = frame.assign(value=np.where(frame["measure"] == "bias", frame["value"] - 2, frame["value"]))
    axes = studies.contamination_curves(frame, "eps", ("bias", "rmse"), scale={"bias": "symlog", "rmse": "log"})
    assert [ax.get_yscale() for ax in axes] == ["symlog", "log"]
    with pytest.raises(ValueError, match="scale: bias is -1 somewhere, which has no logarithm; give 'symlog'"):
        studies.contamination_curves(frame, "eps", scale="log")
    with pytest.raises(ValueError, match="scale: 'cubic' is not known"):
        studies.contamination_curves(frame, "eps", scale="cubic")
    axes = studies.contamination_curves(frame, "eps", limits={"rmse": (0.5, 2)})
    assert axes[1].get_ylim() == (0.5, 2)
    with pytest.raises(ValueError, match="x: 'place' holds 'near', no numbers"):
        studies.contamination_curves(frame, "place")
    failed = performance_frame()
    failed = failed.assign(n_used=np.arange(len(failed)))  # found, not set: nothing to choose a level of
    with pytest.raises(
        ValueError, match=r"several rows have method = a, measure = bias, eps = 0\.0; .* level of place\.$"
    ):
        studies.contamination_curves(failed, "eps")


# Q-Q plots.


def test_qq_draws_order_statistics():
    values = np.random.default_rng(0).normal(size=60)
    values[[5, 7]] = np.nan
    axes = studies.qq({"a": values, "b": np.linspace(-1, 1, 11)})
    line = next(line for line in axes[0].lines if line.get_label() == "estimates")
    np.testing.assert_array_equal(line.get_ydata(), np.sort(values[np.isfinite(values)]))
    k = np.arange(1, 59)
    np.testing.assert_allclose(line.get_xdata(), stats.norm.ppf(stats.beta(k, 59 - k).ppf(0.5)), rtol=1e-9, atol=1e-9)
    assert axes[0].get_title() == "a\n2 of 60 failed"
    assert boxes_are_apart(axes)
    (ax,) = studies.qq(values, detrended=True)
    above = next(line for line in ax.lines if line.get_label() == "estimates").get_ydata()
    np.testing.assert_allclose(above, line.get_ydata() - line.get_xdata(), rtol=EXACT)


def test_pointwise_band_is_of_beta_laws():
    _, low, high = quantiles.order_statistics(30, 0.9, "pointwise")
    k = np.arange(1, 31)
    np.testing.assert_allclose(low, stats.norm.ppf(stats.beta(k, 31 - k).ppf(0.05)), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(high, stats.norm.ppf(stats.beta(k, 31 - k).ppf(0.95)), rtol=1e-8, atol=1e-12)


@pytest.mark.montecarlo
@pytest.mark.parametrize("size", [20, 50, 400])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_simultaneous_band_holds_its_level(size, level):
    """The constant of the local level is asymptotic: a fifth to a third of 1 - level is allowed for."""
    draws = np.sort(np.random.default_rng(1).normal(size=(5000, size)), axis=1)
    _, low, high = quantiles.order_statistics(size, level, "simultaneous")
    inside = np.mean(np.all((draws >= low) & (draws <= high), axis=1))
    assert_monte_carlo(
        inside, level, mcse_proportion(level, 5000), bias=0.03 * (1 - level) / 0.1 + 0.002, resolution=0.06
    )
    assert inside > np.mean(np.all((draws >= 0.9 * low) & (draws <= 0.9 * high), axis=1))


def test_qq_of_a_method_far_away():
    z = np.random.default_rng(0).normal(size=(3, 100))
    axes = studies.qq({"a": z[0], "b": z[1], "c": 30 + z[2]})
    assert axes[0].get_ylim()[1] < 5
    assert "100 beyond" in axes[2].get_title()
    assert "beyond" not in axes[0].get_title()
    with pytest.raises(ValueError, match="standardised: it holds no finite number"):
        studies.qq({"a": np.full(3, np.nan)})
    with pytest.raises(ValueError, match="band: 'kolmogorov' is not known"):
        studies.qq(z[0], band="kolmogorov")
    with pytest.raises(ValueError, match=r"level: 0\.8 has no simultaneous band"):
        studies.qq(z[0], level=0.8)


# Pairs.

COVARIANCE = np.array([[0.04, 0.018, 0.0], [0.018, 0.09, -0.06], [0.0, -0.06, 0.25]])
NAMES = ["loc", "scale", "alpha[0]"]


def draws(count=2000):
    return np.random.default_rng(3).multivariate_normal([1, 2, 3], COVARIANCE, count)


def test_ellipse_is_at_the_quantile_of_chi_square():
    x = draws()
    grid = studies.joint_pairs(x, NAMES, COVARIANCE, center=[1, 2, 3])
    z = (x - [1, 2, 3]) / np.sqrt(np.diag(COVARIANCE))
    for i, j in ((1, 0), (2, 0), (2, 1)):
        ax = grid[i, j]
        correlation = COVARIANCE[i, j] / np.sqrt(COVARIANCE[i, i] * COVARIANCE[j, j])
        for p, label in ((0.5, "50 %"), (0.95, "95 %")):
            (line,) = [line for line in ax.lines if line.get_label() == label]
            a, b = line.get_data()
            # by hand: the inverse of [[1, r], [r, 1]] is [[1, -r], [-r, 1]] / (1 - r^2)
            squared = (a**2 - 2 * correlation * a * b + b**2) / (1 - correlation**2)
            np.testing.assert_allclose(squared, stats.chi2.ppf(p, 2), rtol=1e-9)
            u, v = z[:, j], z[:, i]
            share = np.mean((u**2 - 2 * correlation * u * v + v**2) / (1 - correlation**2) <= stats.chi2.ppf(p, 2))
            assert f"{100 * share:.1f} % within {100 * p:g} %" in grid[j, i].texts[0].get_text()
            assert_monte_carlo(share, p, mcse_proportion(p, 2000), resolution=0.06)
        points = np.transpose(ax.lines[0].get_data())
        np.testing.assert_allclose(points, z[:, [j, i]], rtol=EXACT)
    heights = np.array([bar.get_height() * bar.get_width() for bar in grid[1, 1].patches])
    assert heights.sum() == pytest.approx(1, rel=1e-9)
    at, density = grid[1, 1].lines[0].get_data()
    np.testing.assert_allclose(density, stats.norm.pdf(at), rtol=EXACT)
    assert [grid[k, k].get_title() for k in range(3)] == NAMES
    assert boxes_are_apart(grid)


def test_pairs_choose_names_and_count_failures():
    x = draws(200)
    x[:12, 1] = np.nan
    x[50] = [1, 2, 3 + 0.5 * 40]
    grid = studies.joint_pairs(x, NAMES, COVARIANCE, center=[1, 2, 3], choose=["alpha[0]", "loc"])
    assert grid.shape == (2, 2)
    assert legend_labels(grid)[0] == "estimates (12 of 200 failed)"
    assert legend_labels(grid)[-1] == "beyond 5"
    scatter = grid[1, 0]
    assert (scatter.get_xlabel(), scatter.get_ylabel()) == ("alpha[0], standardised", "loc, standardised")
    assert len(scatter.lines[0].get_xdata()) == 187
    np.testing.assert_allclose(scatter.lines[1].get_data(), [[0.95 * 5], [0]], rtol=EXACT)
    # Without a center, the mean of what was found.
    (ax,) = studies.joint_pairs(x[:50], NAMES, COVARIANCE, choose=["loc"]).ravel()
    edges = np.array([[bar.get_x(), bar.get_width(), bar.get_height()] for bar in ax.patches])
    middle = np.sum((edges[:, 0] + edges[:, 1] / 2) * edges[:, 1] * edges[:, 2])
    assert abs(middle) < edges[0, 1] / 2
    assert pairs.ellipse(np.eye(2), 2.0) == pytest.approx(pairs.ellipse(np.eye(2), 1.0) * 2)


def test_pairs_refuse():
    x = draws(20)
    with pytest.raises(ValueError, match=r"shapes \(20, 3\) and \(3, 3\) do not fit 2 names"):
        studies.joint_pairs(x, NAMES[:2], COVARIANCE)
    with pytest.raises(ValueError, match="choose: 'df' is not there; name 1 to 6 of loc"):
        studies.joint_pairs(x, NAMES, COVARIANCE, choose=["df"])
    with pytest.raises(ValueError, match="choose: 7 of them; name 1 to 6"):
        studies.joint_pairs(np.zeros((5, 7)), list("abcdefg"), np.eye(7))
    with pytest.raises(ValueError, match="covariance: it is not positive definite"):
        studies.joint_pairs(x, NAMES, -COVARIANCE)
    with pytest.raises(ValueError, match="estimates: no row is finite"):
        studies.joint_pairs(np.full((4, 3), np.nan), NAMES, COVARIANCE)


# All of them.

DRAWN = {
    "zip_plot": lambda methods: studies.zip_plot(estimate_frame(methods, 40)),
    "lollipop": lambda methods: studies.lollipop(cell(performance_frame(methods)), ["bias", "rmse", "coverage"]),
    "nested_loop": lambda methods: studies.nested_loop(performance_frame(methods), "rmse", ["place", "eps"]),
    "contamination_curves": lambda methods: studies.contamination_curves(near(performance_frame(methods)), "eps"),
    "qq": lambda methods: studies.qq({m: np.random.default_rng(0).normal(size=50) for m in methods}),
}


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("name", DRAWN)
def test_one_method_and_ten(name, count):
    axes = np.ravel(DRAWN[name](METHODS[:count]))
    figure = axes[0].figure
    assert plt.get_fignums() == [figure.number]
    width, height = figure.get_size_inches()
    assert 4 < width < 15
    assert 1 < height < 12
    assert all(ax.get_xlabel() or ax.get_ylabel() or ax.get_title() for ax in axes)
    figure.canvas.draw()
    for ax in axes:
        titles = ax.title.get_window_extent()
        others = [other.get_window_extent() for other in axes if other is not ax]
        assert not any(titles.overlaps(other) for other in others)
    assert len({(look.color, look.linestyle) for look in frames.looks(METHODS).values()}) == 10
    assert len({look.marker for look in frames.looks(METHODS).values()}) == 10


@pytest.mark.parametrize("name", ["zip_plot", "qq", "contamination_curves"])
def test_draws_into_the_users_axes(name):
    figure, own = plt.subplots(1, 3, layout="constrained")
    frame = near(performance_frame())
    drawn = {
        "zip_plot": lambda axes: studies.zip_plot(estimate_frame(), axes=axes),
        "qq": lambda axes: studies.qq({"a": [1.0, 2.0], "b": [0.0, 1.0]}, axes=axes),
        "contamination_curves": lambda axes: studies.contamination_curves(frame, "eps", axes=axes),
    }[name]
    assert list(drawn(own[:2])) == list(own[:2])
    assert plt.get_fignums() == [figure.number]
    assert not figure.legends
    assert own[1].get_legend() is not None
    assert not own[2].has_data()
    with pytest.raises(ValueError, match="axes: 2 panels are drawn, 3 Axes are given; give 2"):
        drawn(own)


def test_frames_refuse_in_one_sentence():
    frame = cell(performance_frame(parameters=("loc", "scale")))
    with pytest.raises(ValueError, match="measure: 'skew' is not there; give some of bias, rmse, coverage"):
        studies.lollipop(frame, ["bias", "skew"], parameter="loc")
    with pytest.raises(ValueError, match="method: 'c' is not there; give some of a, b"):
        studies.lollipop(frame, ["bias"], parameter="loc", methods=["c"])
    with pytest.raises(ValueError, match="parameter: the frame has loc, scale; choose one"):
        studies.lollipop(frame, ["bias"])
    with pytest.raises(ValueError, match="parameter: 'df' is not there; give one of loc, scale"):
        studies.lollipop(frame, ["bias"], parameter="df")
    with pytest.raises(ValueError, match="frame: it has no rows"):
        studies.nested_loop(frame[:0], "bias", ["eps"])
    with pytest.raises(ValueError, match="frame: no column 'n'; its columns are method, place"):
        studies.nested_loop(frame, "bias", ["n"], parameter="loc")
    with pytest.raises(ValueError, match="factors: none is given"):
        studies.nested_loop(frame, "bias", [], parameter="loc")
    with pytest.raises(ValueError, match="frame: no column 'estimate'"):
        studies.zip_plot(frame, 1.0, parameter="loc")


def test_a_measure_of_no_parameter_stays():
    """The rate of convergence is of a method, not of a parameter."""
    frame = cell(performance_frame(parameters=("loc", "scale")))
    rate = frame.loc[frame["parameter"] == "loc"].iloc[[0, 3]].assign(measure="convergence", parameter=None, value=0.99)
    axes = studies.lollipop(pd.concat([frame, rate]), ["bias", "convergence"], parameter="loc")
    assert [c.lines[0].get_xdata()[0] for c in axes[0, 1].containers] == [0.99, 0.99]


# Far outliers in the figures of a fit, and labels that share a place.


def area(bars):
    return sum(bar.get_height() * bar.get_width() for bar in bars)


def test_far_outliers_are_arrows_and_the_bulk_keeps_its_room():
    x = np.append(np.random.default_rng(0).normal(size=197), [900.0, 1234.0, -1500.0])
    low, high = plots.bulk_view(x)
    assert -5 < low < x[:197].min() < x[:197].max() < high < 5
    grid = np.linspace(low, high, 101)
    ax = plots.histogram_fit(x, grid, stats.norm.pdf(grid), x, np.full(101, 0.5), np.array([198]))
    assert area(ax.patches) == pytest.approx(197 / 200, rel=1e-9)  # not 1: what is out of view is part of the data
    (right,) = [other for other in ax.figure.axes if other is not ax]
    assert {text.get_text(): text.get_color() for text in right.texts} == {
        "1 out of view": "black",
        "2 out of view": plots.RED,
    }
    ax = plots.influence_curves(grid, {"loc": grid}, x, {"loc": x}, np.array([198]))
    assert [text.get_text() for text in ax.texts] == ["1 out of view", "2 out of view"]


def test_view_of_ordinary_data_shows_all():
    x = np.append(np.random.default_rng(0).normal(size=100), 20.0)
    assert plots.bulk_view(x) == plots.view(x)
    assert plots.bulk_view(np.append(np.zeros(10), 1.0)) == plots.view(np.array([0.0, 1.0]))  # no quartiles apart


def test_labels_of_neighbours_are_one():
    values = np.zeros(100)
    values[[40, 41, 42, 70, 90]] = [1.0, 1.02, 0.98, -0.9, 0.5]
    groups = influence._label_groups(values, np.array([41, 40, 42, 70, 90]), [str(k) for k in range(100)])
    assert groups == [[41, 40, 42], [70], [90]]
    ax = plots.index_plot(values, "cooks_d", np.array([], int))
    labels = [text for text in ax.texts if isinstance(text, Annotation)]
    assert labels == list(ax.texts)
    assert {label.get_text(): label.xy[0] for label in labels} == {"40, 41, 42": 41, "70": 70, "90": 90}
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
