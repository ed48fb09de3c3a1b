"""The value of the game when the discriminator is the ratio of two kernel density estimates, (25).

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import losses
from hellgan.kernels.compression import compressed
from hellgan.kernels.mesh import FLOOR, mesh_sums
from hellgan.kernels.shapes import Kernel
from hellgan.kernels.sums import TILE, log_sums, sums
from hellgan.losses import Loss


class Ratios(NamedTuple):
    """Log densities of the real (p) and of the simulated (q) sample at the points of both, phi left out."""

    p_real: jax.Array
    q_real: jax.Array
    p_simulated: jax.Array
    q_simulated: jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Plugin:
    """How the closed-form discriminator is computed.

    Attributes
    ----------
    loss : Loss
    kernel : Kernel
    phi : number
        What is added to both densities.
    own : (2,) array
        The weight of a real and of a simulated point in the density at itself: 1 as any other, 0 left out.
    nodes : int
        Of the mesh on which sums are computed; 0: pair by pair, in tiles.
    tile : int
        Pairs in memory at once.
    compression : (2,) or (0,) array
        On the line, of the scale on which densities are estimated; empty where that is the data's own.
    """

    loss: Loss
    kernel: Kernel
    phi: Any
    own: Any
    nodes: int = dataclasses.field(default=0, metadata={"static": True})
    tile: int = dataclasses.field(default=TILE, metadata={"static": True})
    compression: Any = dataclasses.field(default_factory=lambda: np.zeros(0))

    def log_densities(self, x, w, g, u, outer=None) -> Ratios:
        """Log densities at x (n, d) and at the simulated points, of samples with weights w (n,) and u (m,).

        ``outer`` (m, d) are the points at which the simulated mean is taken where they are others than those that give
        its density, g (m, d).
        """
        own_real, own_simulated = self.own[0], self.own[1]
        x, g, outer = self._seen(x), self._seen(g), None if outer is None else self._seen(outer)
        at = g if outer is None else outer
        rest_x, rest_g = jnp.sum(w) - (1 - own_real) * w, jnp.sum(u) - (1 - own_simulated) * u
        if outer is not None:
            rest_g = jnp.sum(u) * jnp.ones_like(u)
        if self.nodes:
            (p_real, p_simulated), (q_real, q_simulated) = mesh_sums(
                self.kernel.bandwidths, self.nodes, [(x[:, 0], w), (g[:, 0], u)], [x[:, 0], at[:, 0]]
            )
            peak = jnp.mean(jnp.exp(self.kernel.log_peaks()))
            p_real = p_real - (1 - own_real) * w * peak
            if outer is None:
                q_simulated = q_simulated - (1 - own_simulated) * u * peak
        else:
            add = log_sums if self.kernel.is_smooth else sums
            own_g = own_simulated if outer is None else None
            p_real = add(self.kernel, x, x, w, own_real, self.tile)
            q_real = add(self.kernel, x, g, u, None, self.tile)
            p_simulated = add(self.kernel, at, x, w, None, self.tile)
            q_simulated = add(self.kernel, at, g, u, own_g, self.tile)
        found = [p_real, q_real, p_simulated, q_simulated]
        if self.nodes or not self.kernel.is_smooth:
            floor = FLOOR * jnp.mean(jnp.exp(self.kernel.log_peaks()))
            found = [jnp.log(jnp.maximum(each, floor)) for each in found]
        rests = [rest_x, jnp.sum(u), jnp.sum(w), rest_g]
        return Ratios(*(each - jnp.log(rest) for each, rest in zip(found, rests, strict=True)))

    def _seen(self, points):
        return compressed(points, self.compression)

    def raised(self, log_density):
        """Logarithm of a density plus phi."""
        some = self.phi > 0
        log_phi = jnp.log(jnp.where(some, self.phi, 1.0)) * jnp.ones_like(log_density)
        return jnp.where(some, jnp.logaddexp(log_density, log_phi), log_density)

    def log_ratios(self, of: Ratios) -> tuple[jax.Array, jax.Array]:
        """The discriminator v at the real and at the simulated points."""
        p, q, p_simulated, q_simulated = (self.raised(each) for each in of)
        return p - q, p_simulated - q_simulated

    def parts(self, x, w, g, u, outer=None) -> tuple[jax.Array, jax.Array]:
        """The two parts of K_n, (25): the mean of real over x, and of fake over the simulated points."""
        v, v_simulated = self.log_ratios(self.log_densities(x, w, g, u, outer))
        real = w @ self.loss.real(v) / jnp.sum(w)
        return real, u @ self.loss.fake(v_simulated) / jnp.sum(u)

    def value(self, x, w, g, u, outer=None) -> jax.Array:
        """K_n, (25), times the sums of both samples' weights.

        As a function of either sample's weights it is homogeneous of degree one: its derivatives in them are what each
        point contributes, and their weighted mean is K_n itself.
        """
        real, fake = self.parts(x, w, g, u, outer)
        return jnp.sum(w) * jnp.sum(u) * (real + fake)

    def values(self, x, w, g, u, outer=None) -> tuple[jax.Array, jax.Array]:
        """What each real (n,) and each simulated point (m,) contributes to K_n, (27)."""
        return jax.grad(self.value, argnums=(1, 3))(x, w, g, u, outer)

    def log_ratio_at(self, points, x, w, g, u) -> jax.Array:
        """The discriminator v at other points (r, d), no observation and no draw lying there: (r,)."""
        add = log_sums if self.kernel.is_smooth else sums
        points, x, g = self._seen(points), self._seen(x), self._seen(g)
        found = [add(self.kernel, points, at, weights, None, self.tile) for at, weights in ((x, w), (g, u))]
        if not self.kernel.is_smooth:
            floor = FLOOR * jnp.mean(jnp.exp(self.kernel.log_peaks()))
            found = [jnp.log(jnp.maximum(each, floor)) for each in found]
        log_p, log_q = (each - jnp.log(jnp.sum(weights)) for each, weights in zip(found, (w, u), strict=True))
        return self.raised(log_p) - self.raised(log_q)

    def moves(self, points, x, w, g, u, outer=None) -> jax.Array:
        """What observations at other points (r, d) would contribute to K_n, (28): each alone, of little weight."""
        of = self.log_densities(x, w, g, u, outer)
        at = g if outer is None else outer
        (v, v_simulated), width = self.log_ratios(of), self.kernel
        one = jnp.ones_like
        slope_real = jax.jvp(self.loss.real, (v,), (one(v),))[1]
        slope_fake = jax.jvp(self.loss.fake, (v_simulated,), (one(v_simulated),))[1]
        rest = jnp.sum(w) - (1 - self.own[0]) * w
        # What a density's logarithm, phi added, gains by a mass of one at distance 0, over K(0).
        pull_real = w * slope_real * _inverse(self.raised(of.p_real)) / rest
        pull_simulated = u * slope_fake * _inverse(self.raised(of.p_simulated)) / jnp.sum(w)
        direct = self.loss.real(self.log_ratio_at(points, x, w, g, u))
        points, x, at = self._seen(points), self._seen(x), self._seen(at)
        drawn = sums(width, points, x, pull_real, None, self.tile)
        drawn = drawn + sums(width, points, at, pull_simulated, None, self.tile)
        lost = pull_real @ jnp.exp(of.p_real) + pull_simulated @ jnp.exp(of.p_simulated)
        return direct + drawn + (u @ self.loss.fake(v_simulated) / jnp.sum(u) - lost)


def _inverse(log_density):
    """One over a density; finite where there is none."""
    return jnp.exp(jnp.minimum(-log_density, 600.0))


def closed_form(loss) -> Loss:
    """Return a loss of which the discriminator has a closed form, or refuse it."""
    found = losses.checked(loss)
    if not found.is_zero_sum or not found.is_calibrated:
        why = (
            "its generator minimises something else than its discriminator maximises"
            if not found.is_zero_sum
            else "its optimum is not the log density ratio"
        )
        raise ValueError(
            f"loss: {found.name} has no closed form ({why}); give 'root', 'log', 'hellinger', 'least_squares' or "
            "'alpha(a)'."
        )
    return found
