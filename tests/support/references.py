"""Laws by routes of their own: what tests and benchmarks compare with."""

import numpy as np


def g_and_k_quantile(z, a, b, g, k, c=0.8):
    """Value at the normal quantile z, and its derivative in z; NumPy, elementwise."""
    bend, tail = c * np.tanh(g * z / 2), (1 + z * z) ** k
    value = a + b * (1 + bend) * tail * z
    slope = c * g / 2 / np.cosh(g * z / 2) ** 2 * z + (1 + bend) * (1 + 2 * k * z * z / (1 + z * z))
    return value, b * tail * slope


def g_and_k_normal_quantile(x, a, b, g, k, c=0.8):
    """Invert ``g_and_k_quantile`` for z, by bisection and two Newton steps; x is an array, and b > 0, k >= 0."""
    low, high = np.full(np.shape(x), -10.0), np.full(np.shape(x), 10.0)
    for _ in range(26):
        middle = (low + high) / 2
        below = g_and_k_quantile(middle, a, b, g, k, c)[0] < x
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    z = (low + high) / 2
    for _ in range(2):
        value, slope = g_and_k_quantile(z, a, b, g, k, c)
        z = z - (value - x) / slope
    return z


def g_and_k_log_density(x, a, b, g, k, c=0.8):
    """Log density of the g-and-k law at an array x, for maximum likelihood as a peer: phi(z) / Q'(z)."""
    z = g_and_k_normal_quantile(x, a, b, g, k, c)
    return -0.5 * (z * z + np.log(2 * np.pi)) - np.log(g_and_k_quantile(z, a, b, g, k, c)[1])


def stable_information(alpha, beta, scale, loc, reach=400.0):
    """Fisher information of (alpha, beta, scale, loc) of a stable law in S1, by inverting its characteristic function.

    The density f and its four derivatives are integrals over t of the characteristic function and of its derivatives;
    the information is the integral of their products over f, on |x| <= reach.
    """
    top = 40.0 ** (1 / alpha)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    edges = np.linspace(0.0, top, int(top * reach / 20) + 2)
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half + half * nodes).ravel()
    dt = (half * weights).ravel()
    power, tan = t**alpha, np.tan(np.pi * alpha / 2)
    phi = np.exp(-power * (1 - 1j * beta * tan))
    d_alpha = -power * (np.log(t) * (1 - 1j * beta * tan) - 1j * beta * np.pi / 2 * (1 + tan**2)) * phi
    d_beta = 1j * power * tan * phi
    u = np.linspace(-1, 1, 2401)
    x = np.sinh(np.arcsinh(reach) * u)
    dx = np.arcsinh(reach) * np.sqrt(1 + x**2) * (u[1] - u[0])
    rows = np.empty((4, x.size))
    for k, at in enumerate(x):
        wave = np.exp(-1j * t * at) * dt / np.pi
        rows[:, k] = [(wave @ part).real for part in (phi, d_alpha, d_beta, -1j * t * phi)]
    f, f_alpha, f_beta, slope = rows
    derivatives = np.stack([f_alpha, f_beta, -(f + x * slope) / scale, -slope / scale])
    del loc  # a shift changes nothing
    return np.einsum("ik,jk,k->ij", derivatives, derivatives, dx / f)
