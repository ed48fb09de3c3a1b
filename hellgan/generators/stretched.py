"""A generator whose latent points lie more densely in the tails, each with a weight that makes up for it.

A kernel density estimate of heavy tails made of equally likely draws is a row of separate bumps there, whose slopes
say nothing of the law's. See section 9 of ``docs/theory.md``.
"""

from hellgan.generators.family import Generator


class Stretched(Generator):
    """A generator of one latent coordinate, on rows (z, weight) as ``latents.stretched`` gives them.

    Attributes
    ----------
    generator : Generator
    """

    generator: Generator

    @property
    def parameters(self):
        return self.generator.parameters

    @property
    def law(self):
        return self.generator.law

    @property
    def latent_dim(self):
        return 2

    @property
    def dim(self):
        return self.generator.dim

    @property
    def sobol_points(self):
        return self.generator.sobol_points

    @property
    def is_weighted(self):
        return True

    @property
    def weighs_ratios(self):
        return True

    def draw(self, z, /, **natural):
        return self.generator.draw(z[0], **natural)

    def weight_at(self, theta, z):
        return z[1]
