"""The package's warnings: classes of its own, which no other package's filters concern.

statsmodels puts filters for its own warnings in front of a user's when it is imported, which is when a fit is first
asked for; these are not among them.
"""


class FitWarning(UserWarning):
    """A fit, or what was computed of one, may not be what it seems; the base of all warnings of the package."""


class ConvergenceWarning(FitWarning):
    """A solution is not certified, or what was asked of it is not found: its numbers are NaN."""


class SimulationWarning(FitWarning):
    """What was simulated is not precise, or may be infinite."""


class FewClustersWarning(FitWarning):
    """Clusters are too few for a covariance of their sums."""


class StudyWarning(FitWarning):
    """A study goes on otherwise than asked."""


class TrainingWarning(FitWarning):
    """Training of networks went wrong: numbers are not finite, or a generator learns nothing or collapses."""
