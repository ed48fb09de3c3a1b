"""Samples: data with labels and weights, their robust summaries, designs of regressions."""

from hellgan.samples.sample import Sample, read

__all__ = ["Sample", "read"]
