"""Kernel sums and the closed-form objective: numbers by hand, dense references, derivatives, no underflow."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from tolerance import EXACT

import hellgan as hg
from hellgan.execution import programs
from hellgan.kernels import Kernel, Plugin, bandwidth
from hellgan.kernels.compression import compressed
from hellgan.kernels.mesh import nodes_for
from hellgan.kernels.placement import Placement
from hellgan.kernels.sums import log_sums, sums

PARTS = programs.program(lambda plugin, *sample: plugin.parts(*sample))
VALUES = programs.program(lambda plugin, *sample: plugin.values(*sample))
MOVES = programs.program(lambda plugin, *sample: plugin.moves(*sample))
LOSSES = ("log", "hellinger", "root", "least_squares")

# Two samples: x = (0, 1), g = (.5, 2) with s = 1; and x = (-1, 0, .5, 2), g = (-.5, 1, 1.5) with s = .5.
SAMPLES = (([0.0, 1.0], [0.5, 2.0], 1.0), ([-1.0, 0.0, 0.5, 2.0], [-0.5, 1.0, 1.5], 0.5))
# Own weights of a real and of a simulated point: the paper's, the balancing one, both left out.
OWN = ((1.0, 1.0), (2**-1.5, 1.0), (0.0, 0.0))
# The values, in NumPy by loops over points: for each loss and phi the two samples with each pair of own weights.
BY_LOOPS = {
    ("log", 0.0): (-1.2191370130, -0.9982994888, -1.2750722654, -1.2714374628, -1.7426966052, -3.5537399640),
    ("log", 0.1): (-1.2669495256, -1.0906034865, -1.3102582521, -1.2587378469, -1.6130502112, -1.8620277023),
    ("hellinger", 0.0): (-1.8306833156, -1.6024309504, -1.8871145673, -1.8804689495, -2.3707755539, -6.1707858827),
    ("hellinger", 0.1): (-1.8799370155, -1.7002903169, -1.9234477738, -1.8694467315, -2.2308522886, -2.5061930777),
    ("root", 0.0): (1.5254521423, 1.6616119766, 1.4875174937, 1.4831769765, 1.2007621937, 0.9442955288),
    ("root", 0.1): (1.4961730130, 1.6108166001, 1.4662341047, 1.4953472902, 1.2665122197, 1.1525134854),
    ("least_squares", 0.0): (-0.4185077736, -0.3147447408, -0.4459938762, -0.4467150809, -0.6653262202, -0.9815991116),
    ("least_squares", 0.1): (-0.4410343759, -0.3559802243, -0.4624897489, -0.4390458128, -0.6094868484, -0.7117088681),
}


def even(rows):
    return np.full(len(rows), 1 / len(rows))


def of(x, g):
    x, g = (np.asarray(each, float).reshape(len(each), -1) for each in (x, g))
    return x, even(x), g, even(g)


def plugin(loss="root", s=0.5, phi=0.0, own=(1.0, 1.0), nodes=0, shape="gaussian", tile=2**17, d=1) -> Plugin:
    kernel = Kernel(np.broadcast_to(np.asarray(s, float).reshape(1, -1), (1, d)).copy(), shape)
    return Plugin(hg.losses.get(loss), kernel, phi, np.array(own), nodes, tile)


def test_by_hand_for_two_points_each():
    """p(0) = p(1) = (K(0) + K(1))/2 = .3204566; q(0) = (K(.5) + K(2))/2, q(1) = (K(.5) + K(1))/2, and so on."""

    def k(u):
        return np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)

    p, q = np.full(2, (k(0) + k(1)) / 2), np.array([k(0.5) + k(2), k(0.5) + k(1)]) / 2
    np.testing.assert_allclose([p[0], *q], [0.3204566, 0.2030281, 0.2970179], atol=1e-7)
    p_g, q_g = np.array([k(0.5) * 2, k(2) + k(1)]) / 2, np.full(2, (k(0) + k(1.5)) / 2)
    jsd_f, jsd_s = np.mean(np.log(p / (p + q))), np.mean(np.log(q_g / (p_g + q_g)))
    np.testing.assert_allclose(PARTS(plugin("log", 1.0), *of([0, 1], [0.5, 2])), [jsd_f, jsd_s], rtol=EXACT)
    np.testing.assert_allclose([jsd_f, jsd_s], [-0.5733262126, -0.6458108004], atol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_small_samples(loss):
    for phi in (0.0, 0.1):
        found = [sum(PARTS(plugin(loss, s, phi, own), *of(x, g))) for own in OWN for x, g, s in SAMPLES]
        np.testing.assert_allclose(found, BY_LOOPS[loss, phi], atol=2e-10)


def dense(x, g, s, own):
    """Log densities by scipy, everything in memory: of p and q at x, and at g."""

    def matrix(a, b):
        return -np.sum((a[:, None] - b[None]) ** 2, axis=2) / (2 * s**2) - x.shape[1] * np.log(s * np.sqrt(2 * np.pi))

    def with_itself(a, weight):
        share = np.ones((len(a), len(a))) - (1 - weight) * np.eye(len(a))
        return special.logsumexp(matrix(a, a), axis=1, b=share) - np.log(len(a) - 1 + weight)

    across = [special.logsumexp(matrix(a, b), axis=1) - np.log(len(b)) for a, b in ((x, g), (g, x))]
    return with_itself(x, own[0]), across[0], across[1], with_itself(g, own[1])


@pytest.mark.parametrize(("d", "tile"), [(1, 2**17), (2, 600), (10, 45), (10, 2**17), (20, 600)])
def test_tiles_against_everything_in_memory(d, tile):
    rng = np.random.default_rng(d)
    x, g = rng.normal(size=(37, d)), rng.normal(0.5, 1.2, size=(45, d))
    found = programs.program(lambda plugin, *sample: plugin.log_densities(*sample))(
        plugin(s=0.8, own=(0.3, 0.7), tile=tile, d=d), *of(x, g)
    )
    for one, other in zip(found, dense(x, g, 0.8, (0.3, 0.7)), strict=True):
        np.testing.assert_allclose(one, other, rtol=EXACT, atol=EXACT)


def test_gradient_against_differences(x64):
    rng = np.random.default_rng(1)
    x, w, g, u = of(rng.normal(size=(20, 2)), rng.normal(size=(30, 2)))
    for own in ((0.25, 1.0), (0.25, 0.25)):
        chosen = plugin("log", 0.6, 0.01, own, tile=100, d=2)
        value = jax.jit(lambda g, chosen=chosen: chosen.value(x, w, g, u))
        slope, way, step = jax.grad(value)(g), rng.normal(size=g.shape), 1e-5
        difference = (value(g + step * way) - value(g - step * way)) / (2 * step)
        np.testing.assert_allclose(jnp.sum(slope * way), difference, rtol=1e-8)


def test_nothing_underflows():
    """Bandwidth .025 and distance 50: the nearest pairs' squared distances over 2 s^2, 2 million, are the log ratio."""
    x, g = np.array([0.0, 0.1, -0.2]), np.array([50.0, 50.1])
    found = programs.program(lambda p, *s: p.log_ratios(p.log_densities(*s)))(plugin("log", 0.025), *of(x, g))
    apart = [(50.0 - each) ** 2 / (2 * 0.025**2) for each in x]
    np.testing.assert_allclose(found[0], apart, rtol=1e-4)
    np.testing.assert_allclose(found[1], -((g - 0.1) ** 2) / (2 * 0.025**2), rtol=1e-4)
    for loss in LOSSES:
        assert np.all(np.isfinite(PARTS(plugin(loss, 0.025), *of(x, g)))) or loss == "hellinger"
        slopes = VALUES(plugin(loss, 0.025), *of(x, g))
        assert np.all(np.isfinite(slopes[0])) or loss == "hellinger"


def test_equal_samples():
    """The value is that at equality, and with the loss log each part is -log 2."""
    x = np.random.default_rng(0).normal(size=40)
    np.testing.assert_allclose(PARTS(plugin("log"), *of(x, x)), -np.log(2), rtol=EXACT)
    for loss in LOSSES:
        at_equality = hg.losses.get(loss).value_at_equality
        np.testing.assert_allclose(sum(PARTS(plugin(loss, phi=0.1), *of(x, x))), at_equality, rtol=EXACT)


@pytest.mark.parametrize("loss", LOSSES)
def test_mesh_against_pairs(loss):
    """Relative to the rise above equality; nodes are an eighth of a bandwidth apart."""
    rng = np.random.default_rng(2)
    x, g = rng.normal(size=200), rng.normal(1, 1.5, size=256)
    nodes = nodes_for(np.array([[0.4]]), 15.0)
    for phi, own in ((0.0, (1.0, 1.0)), (0.01, (0.35, 0.35))):
        exact, mesh = (sum(PARTS(plugin(loss, 0.4, phi, own, n), *of(x, g))) for n in (0, nodes))
        rise = exact - hg.losses.get(loss).value_at_equality
        assert abs(mesh - exact) < 1e-6 * abs(rise) + 1e-9
    assert np.isnan(sum(PARTS(plugin(loss, 0.4, nodes=512), *of(x, 100 * g))))  # beyond the mesh: told, not wrapped


def test_a_mixture_of_bandwidths_is_the_mean_of_its_kernels():
    rng = np.random.default_rng(3)
    x, w, g, _ = of(rng.normal(size=(20, 2)), rng.normal(size=(30, 2)))
    widths = np.array([[0.3, 0.5], [0.6, 1.0]])
    add = programs.program(lambda kernel, *a: sums(kernel, *a))
    parts = [add(Kernel(each[None]), g, x, w) for each in widths]
    mixed = Kernel(widths)
    np.testing.assert_allclose(add(mixed, g, x, w), np.mean(parts, axis=0), rtol=EXACT)
    log = programs.program(lambda kernel, *a: log_sums(kernel, *a))
    np.testing.assert_allclose(np.exp(log(mixed, g, x, w)), np.mean(parts, axis=0), rtol=EXACT)


@pytest.mark.parametrize(
    "kernel", [Kernel(np.array([[0.5]])), Kernel(np.array([[0.3], [0.9]])), Kernel(np.array([[0.5]]), "epanechnikov")]
)
def test_constants_of_kernels(kernel):
    """Mass one, standard deviation s, the peak and the integral of the square, by quadrature; their own weight."""
    grid = np.linspace(-8, 8, 64001)
    add = programs.program(lambda kernel, *a: sums(kernel, *a))
    density, step = add(kernel, grid[:, None], np.zeros((1, 1)), np.ones(1)), grid[1] - grid[0]
    moments = [np.sum(density * grid**k) * step for k in (0, 2)]
    np.testing.assert_allclose(moments, [1, np.mean(np.square(kernel.bandwidths))], rtol=1e-6)
    np.testing.assert_allclose([density.max(), np.sum(density**2) * step], [kernel.peak, kernel.roughness], rtol=1e-6)
    assert kernel.balancing_weight == pytest.approx(kernel.roughness / (2 * kernel.peak))
    if len(kernel.bandwidths) == 1:
        assert kernel.balancing_weight == pytest.approx(2**-1.5 if kernel.is_smooth else 0.4, rel=1e-12)


@pytest.mark.parametrize("shape", ["gaussian", "epanechnikov"])
def test_contributions_and_moves(shape, x64):
    """Contributions have the value for their mean; others' are derivatives in the weights of rows of 0."""
    rng = np.random.default_rng(4)
    x, w, g, u = of(rng.normal(size=(25, 2)), rng.normal(size=(32, 2)))
    points = np.array([[0.3, 0.2], [1.5, -0.5]])
    for own, outer in (((0.25, 1.0), None), ((0.25, 0.25), None), ((0.25, 1.0), rng.normal(size=(32, 2)))):
        chosen = plugin("log", 0.8, 0.01, own, shape=shape, d=2)
        real, simulated = VALUES(chosen, x, w, g, u, outer)
        total = sum(PARTS(chosen, x, w, g, u, outer))
        np.testing.assert_allclose([w @ real, u @ simulated], total, rtol=EXACT)
        wider = np.concatenate([x, points]), np.concatenate([w, np.zeros(2)])
        np.testing.assert_allclose(
            MOVES(chosen, points, x, w, g, u, outer), VALUES(chosen, *wider, g, u, outer)[0][-2:], rtol=1e-11
        )


def test_rules_of_bandwidths():
    rows = np.random.default_rng(5).normal(size=(200, 1))
    sd, weights = rows.std(ddof=1), even(rows)
    mad = np.median(np.abs(rows - np.median(rows))) * 1.4826022185056018
    iqr = np.subtract(*np.quantile(rows, [0.75, 0.25]))
    n = 200**-0.2
    np.testing.assert_allclose(bandwidth("auto", rows, weights), 1.5 * mad * n, rtol=1e-9)
    np.testing.assert_allclose(bandwidth("scott", rows, weights), 1.06 * sd * n, rtol=1e-9)
    np.testing.assert_allclose(bandwidth("silverman", rows, weights), 0.9 * min(sd, iqr / 1.349) * n, rtol=1e-9)
    found = bandwidth("cross-validated", rows, weights)[0]
    grid = found * np.array([0.8, 0.9, 1.0, 1.1, 1.25])

    def likelihood(s):
        k = np.exp(-((rows - rows.T) ** 2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))
        p = (k.sum(axis=1) - np.diag(k)) / 199
        return np.mean(np.log(p + 1 / (s * np.sqrt(2 * np.pi)) / 20000))

    assert np.argmax([likelihood(s) for s in grid]) == 2
    assert bandwidth(0.7, rows, weights) == pytest.approx(0.7)


def test_placements():
    rows = np.random.default_rng(6).normal(size=(50, 1))
    cooled = Placement.read(0.5, "gaussian", "auto", None, 8.0, True, 1).placed(rows, even(rows))
    np.testing.assert_allclose(cooled[0][:, 0, 0], [4, 2, 1, 0.5])
    np.testing.assert_allclose(cooled[1], 1 / (50 * cooled[0][:, 0, 0] * np.sqrt(2 * np.pi)))
    stages = Placement.read([2, "scott"], (1.0, 2.0), 0.3, None, 1.0, False, 1)
    assert stages.placed(rows, even(rows))[0].shape == (2, 2, 1)
    assert Placement.read(**stages.arguments(), d=1) == stages
    assert dataclasses.replace(stages, stages=()) != stages
    assert stages.compression(rows, even(rows)).shape == (0,)
    asked = Placement.read(0.5, "gaussian", "auto", None, 1.0, True, 1)
    middle, unit = asked.compression(rows, even(rows))
    assert middle == np.median(rows)
    np.testing.assert_allclose(unit, 8 * 1.4826022185056018 * np.median(np.abs(rows - middle)))
    two = Placement.read(0.5, "gaussian", "auto", None, 1.0, True, 2)
    assert not two.compress
    np.testing.assert_allclose(
        compressed(middle + unit * np.sinh([-3.0, 0.0, 2.0]), np.array([middle, unit]), np),
        unit * np.array([-3, 0, 2]),
        atol=1e-12,
    )


def test_density_ratios_on_a_compressed_scale():
    """At every place the ratio of densities on the scale t(x), with kernels at t; and the same from both doors."""
    rng = np.random.default_rng(8)
    x, g, at = rng.standard_cauchy((30, 1)), rng.standard_cauchy((40, 1)), np.array([[-50.0], [0.3], [400.0]])
    w, u, (middle, unit), h = even(x), even(g), (0.2, 3.0), 0.4
    plugin = Plugin(hg.losses.log, Kernel(np.full((1, 1), h)), 0.01, np.ones(2), compression=np.array([middle, unit]))

    def density(points, rows):
        t, s = (unit * np.arcsinh((each - middle) / unit) for each in (points, rows))
        return stats.norm.pdf(t - s.T, scale=h).mean(axis=1) + 0.01

    found = programs.program(lambda of, *rows: of.log_ratio_at(*rows))(plugin, at, x, w, g, u)
    np.testing.assert_allclose(found, np.log(density(at, x) / density(at, g)), rtol=1e-10, atol=EXACT)
    own = programs.program(lambda of, *rows: of.log_ratios(of.log_densities(*rows))[1])(plugin, x, w, g, u)
    np.testing.assert_allclose(own, np.log(density(g, x) / density(g, g)), rtol=1e-10)
