"""Figures: what is drawn, where, and what is left behind."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Polygon

import hellgan as hg
from hellgan import inference, plots
from hellgan.plots import fits

NEWCOMB, STARS = hg.datasets.load_newcomb(), hg.datasets.load_stars_cyg()


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def newcomb():
    return hg.GAN(NEWCOMB, hg.generators.Normal()).fit()


@pytest.fixture(scope="module")
def stars():
    return hg.GAN(STARS, hg.generators.MultivariateNormal(2)).fit()


def simulated_only(z, loc, scale):
    return loc + scale * z


@pytest.fixture(scope="module")
def without_density(newcomb):
    """Give Newcomb's fit to a generator of the same law that has no density: nothing needs to be solved again."""
    model = hg.GAN(NEWCOMB, hg.generator(loc=hg.real(), scale=hg.positive())(simulated_only))
    return hg.GANResults(
        model, newcomb.saddle, inference.JointLaw(newcomb.sandwich, newcomb.params, newcomb.law.natural_slope, "")
    )


def right_of(ax):
    (right,) = [other for other in ax.figure.axes if other is not ax]
    return right


def legend(ax):
    """List the entries of the only legend of the figure."""
    found = [other.get_legend() for other in ax.figure.axes if other.get_legend() is not None]
    assert len(found) == 1
    return [text.get_text() for text in found[0].get_texts()]


def line(ax, label):
    (found,) = [line for line in ax.get_lines() if line.get_label() == label]
    return found


def heights(ax, count):
    """Areas and edges of the first `count` bars."""
    bars = ax.patches[:count]
    return np.array([b.get_height() for b in bars]), np.array([b.get_width() for b in bars])


def test_one_dimension(newcomb):
    ax = newcomb.plot_fit()
    assert isinstance(ax, Axes)
    assert [plt.figure(number) for number in plt.get_fignums()] == [ax.figure]
    assert (ax.get_xlabel(), ax.get_ylabel(), right_of(ax).get_ylabel()) == ("x", "density", "P(real)")
    assert legend(ax) == ["data", "fitted density", "discriminator: P(real)", "flagged"]
    low, high = ax.get_xlim()
    assert low < NEWCOMB.min() <= NEWCOMB.max() < high

    grid, density = np.transpose(line(ax, "fitted density").get_xydata())
    loc, scale = newcomb.params
    by_hand = np.exp(-0.5 * ((grid - loc) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(density, by_hand, rtol=1e-10)
    points, probabilities = line(right_of(ax), "discriminator: P(real)").get_data()
    np.testing.assert_array_equal(probabilities, newcomb.prob_real(points))

    marks = line(right_of(ax), "flagged")
    assert sorted(np.asarray(marks.get_xdata())) == [-44.0, -2.0]
    assert np.shape(marks.get_ydata()) == (2,)
    (rug,) = [found for found in ax.get_lines() if found.get_marker() == "|"]
    np.testing.assert_array_equal(rug.get_xdata(), NEWCOMB)

    height, width = heights(ax, len(ax.patches))
    assert np.sum(height * width) == pytest.approx(1.0, rel=1e-9)


def test_one_dimension_without_density(without_density):
    ax = without_density.plot_fit()
    assert legend(ax) == ["data", "fitted generator", "discriminator: P(real)", "flagged"]
    (outline,) = [p for p in ax.patches if not p.get_fill()]
    assert isinstance(outline, Polygon)
    x, y = outline.get_xy().T
    edges = np.unique(np.round(x, 9))
    step = np.unique(np.round(edges[1:] - edges[:-1], 6))
    assert len(step) == 1  # the bins of the data
    # the histogram stands for the density: its area is the share of draws within the view
    loc, scale = without_density.params
    draws = without_density.sample(4096, seed=1)
    low, high = ax.get_xlim()
    share = np.mean((draws >= low) & (draws <= high))
    assert np.sum(y[1:-1:2] * step[0]) == pytest.approx(share, rel=1e-6)
    assert abs(x[np.argmax(y)] - loc) < 2 * scale


def test_outside_the_view_counts_in_the_share():
    """Half of the draws lie beyond the data: the outline's area is then a half, not one."""
    x, grid = np.linspace(0, 1, 50), np.linspace(0, 1, 11)
    simulated = np.r_[np.full(50, 0.55), np.full(40, 7.0), np.full(5, np.nan), np.full(5, np.inf)]
    ax = plots.histogram_fit(x, grid, None, simulated, np.full(11, 0.5), np.array([], int))
    (outline,) = [p for p in ax.patches if not p.get_fill()]
    assert isinstance(outline, Polygon)
    _, y = outline.get_xy().T
    bins = len([p for p in ax.patches if p.get_fill()])
    assert y.max() / bins == pytest.approx(0.5, rel=1e-9)
    assert legend(ax) == ["data", "fitted generator", "discriminator: P(real)"]  # nothing is flagged


def test_two_dimensions(stars):
    ax = stars.plot_fit()
    assert isinstance(ax, Axes)
    assert ax.figure.axes == [ax]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("log_te", "log_light")
    assert legend(ax) == ["fitted generator", "data", "flagged"]
    np.testing.assert_array_equal(line(ax, "data").get_xydata(), STARS)
    marks, flagged = np.asarray(line(ax, "flagged").get_xydata()), STARS.to_numpy()[[6, 8, 10, 13, 19, 29, 33]]
    np.testing.assert_array_equal(marks[np.lexsort(marks.T)], flagged[np.lexsort(flagged.T)])
    drawn = line(ax, "fitted generator").get_xydata()
    np.testing.assert_array_equal(drawn, stars.sample(4096, seed=1))
    for k, (low, high) in enumerate((ax.get_xlim(), ax.get_ylim())):
        assert low < STARS.iloc[:, k].min()
        assert high > STARS.iloc[:, k].max()


def test_columns_without_names_and_heavy_tails():
    """A few draws far away, or not finite, do not shrink the data to a dot."""
    x = np.random.default_rng(0).normal(size=(100, 2))
    simulated = np.r_[x, x, x, [[1e9, -1e9], [np.inf, 0.0], [np.nan, 1.0]]]
    ax = plots.scatter_fit(x, simulated, np.array([3]), ["x1", "x2"])
    assert ax.get_xlim()[1] < 10
    assert ax.get_ylim()[0] > -10
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x1", "x2")


@pytest.mark.parametrize("name", ["newcomb", "without_density"])
def test_the_legend_hides_nothing(name, request):
    ax = request.getfixturevalue(name).plot_fit()
    ax.figure.canvas.draw()
    box = right_of(ax).get_legend().get_window_extent()
    inside = ax.get_window_extent()
    assert box.y0 >= inside.y1 - 1 or box.y1 <= inside.y0 + 1  # above or below the Axes,
    labels = [other.xaxis.label.get_window_extent() for other in ax.figure.axes if other.get_xlabel()]
    assert not any(box.overlaps(label) for label in labels)
    assert ax.figure.bbox.x0 - 1 <= box.x0 < box.x1 <= ax.figure.bbox.x1 + 1  # and not cut off
    assert ax.figure.bbox.y0 - 1 <= box.y0 < box.y1 <= ax.figure.bbox.y1 + 1


@pytest.mark.parametrize("name", ["newcomb", "without_density", "stars"])
def test_draws_into_the_users_axes(name, request):
    result = request.getfixturevalue(name)
    figure, (left, right) = plt.subplots(1, 2)
    assert result.plot_fit(ax=right) is right
    assert plt.get_fignums() == [figure.number]  # no figure of its own
    assert not left.has_data()
    assert right.has_data()


def test_the_global_state_of_matplotlib_is_left_alone(newcomb):
    before = dict(plt.rcParams)
    newcomb.plot_fit()
    assert dict(plt.rcParams) == before


def test_colours_differ():
    colours = [plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY]
    assert len({to_hex(c) for c in colours}) == 5


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_saves_and_closes(newcomb, tmp_path, suffix):
    ax = newcomb.plot_fit()
    plots.save(ax, tmp_path / f"fit.{suffix}")
    assert (tmp_path / f"fit.{suffix}").stat().st_size > 1000
    plots.close(ax)
    assert plt.get_fignums() == []


def test_view_has_a_margin():
    assert plots.view(np.array([0.0, 10.0, 5.0])) == pytest.approx((-0.6, 10.6))


def test_number_of_bins_is_bounded():
    """Freedman and Diaconis ask for thousands where one point is far away, and for none where the quartiles agree."""
    far = np.r_[np.random.default_rng(0).normal(size=500), 1e4]
    assert len(fits._edges(far, np.array(plots.view(far)))) == 121
    equal = np.r_[np.zeros(50), 1.0]
    assert len(fits._edges(equal, np.array(plots.view(equal)))) == 31
    few = np.arange(4.0)
    assert len(fits._edges(few, np.array(plots.view(few)))) == 11


def test_without_matplotlib(newcomb, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'hellgan\[plot\]'\."):
        newcomb.plot_fit()
