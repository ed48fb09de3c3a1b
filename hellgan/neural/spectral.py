"""Spectral normalisation: every weight matrix divided by its largest singular value (Miyato et al. 2018).

The singular value is followed by one power iteration a step, from the vectors of the step before. Works on the trained
arrays of any module: those of two or more axes are matrices, their last axis the columns.
"""

import jax
import jax.numpy as jnp

_TINY = 1e-12


def begun(weights, key: jax.Array):
    """Draw a unit vector for each matrix of a pytree; None for what is no matrix."""
    leaves, structure = jax.tree.flatten(weights)
    drawn = [
        _unit(jax.random.normal(jax.random.fold_in(key, k), leaf.shape[-1:], leaf.dtype)) if leaf.ndim > 1 else None
        for k, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, drawn)


def iterated(weights, vectors):
    """Do one power iteration for each matrix: the right singular vectors."""

    def of(weight, vector):
        if vector is None:
            return None
        matrix = jax.lax.stop_gradient(weight.reshape(-1, weight.shape[-1]))
        return _unit(_unit(matrix @ vector) @ matrix)

    return _mapped(of, weights, vectors)


def normalised(weights, vectors):
    """Divide each matrix by |W v|, v its right singular vector; derivatives are through W alone."""

    def of(weight, vector):
        if vector is None:
            return weight
        along = weight.reshape(-1, weight.shape[-1]) @ vector
        return weight / (jax.lax.stop_gradient(_unit(along)) @ along)

    return _mapped(of, weights, vectors)


def _mapped(function, weights, vectors):
    leaves, structure = jax.tree.flatten(weights)
    return jax.tree.unflatten(structure, list(map(function, leaves, structure.flatten_up_to(vectors))))


def _unit(vector):
    return vector / jnp.sqrt(vector @ vector + _TINY)
