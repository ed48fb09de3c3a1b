"""Laws by routes of their own: what tests and benchmarks compare with."""

import numpy as np


def g_and_k_quantile(z, a, b, g, k, c=0.8):
    """Value at the normal quantile z, and its derivative in z; NumPy, elementwise."""
    bend, tail = c * np.tanh(g * z / 2), (1 + z * z) ** k
    value = a + b * (1 + bend) * tail * z
    slope = c * g / 2 / np.cosh(g * z / 2) ** 2 * z + (1 + bend) * (1 + 2 * k * z * z / (1 + z * z))
    return value, b * tail * slope


def g_and_k_normal_quantile(x, a, b, g, k, c=0.8):
    """Invert ``g_and_k_quantile`` for z, by bisection; x is an array, and b > 0, k >= 0."""
    low, high = np.full(np.shape(x), -40.0), np.full(np.shape(x), 40.0)
    for _ in range(64):
        middle = (low + high) / 2
        below = g_and_k_quantile(middle, a, b, g, k, c)[0] < x
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def g_and_k_log_density(x, a, b, g, k, c=0.8):
    """Log density of the g-and-k law at an array x, for maximum likelihood as a peer: phi(z) / Q'(z)."""
    z = g_and_k_normal_quantile(x, a, b, g, k, c)
    return -0.5 * (z * z + np.log(2 * np.pi)) - np.log(g_and_k_quantile(z, a, b, g, k, c)[1])
