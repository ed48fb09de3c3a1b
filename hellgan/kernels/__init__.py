"""Kernel density estimates and the discriminator that they give in closed form: section 9 of ``docs/theory.md``.

`shapes` says what a kernel is, `bandwidths` how wide, `sums` and `mesh` add it up over pairs of points, `plugin` makes
of the sums the value of the game.
"""

from hellgan.kernels.bandwidths import bandwidth
from hellgan.kernels.plugin import Plugin
from hellgan.kernels.shapes import Kernel

__all__ = ["Kernel", "Plugin", "bandwidth"]
