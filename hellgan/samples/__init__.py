"""Samples: data with labels and weights, their robust summaries, designs of regressions."""

from hellgan.samples.reading import read, read_each
from hellgan.samples.sample import Sample

__all__ = ["Sample", "read", "read_each"]
