"""How good a sample of images is: distances to real images, classes, diversity, outliers; each with its error.

`estimates` says what a metric is and resamples; `frechet` compares means and covariances of features, `classes` what a
classifier says, `neighbours` distances to the nearest (nearest training image, precision and recall, the birthday
test), `two_samples` kernel sums (maximum mean discrepancy, Jensen-Shannon), `contaminated` the share of outliers;
`summary` is a table of them.
"""

from hellgan.neural.metrics.classes import class_histogram, expected_entropy, inception_like_score
from hellgan.neural.metrics.contaminated import ContaminatedShare, contaminated_share
from hellgan.neural.metrics.estimates import Metric
from hellgan.neural.metrics.frechet import frechet_distance, gaussian_frechet
from hellgan.neural.metrics.neighbours import (
    BirthdayTest,
    PrecisionRecall,
    birthday_test,
    nearest_neighbour_distance,
    precision_recall,
)
from hellgan.neural.metrics.summary import summary
from hellgan.neural.metrics.two_samples import Discrepancy, JensenShannon, jensen_shannon, mmd

__all__ = [
    "BirthdayTest",
    "ContaminatedShare",
    "Discrepancy",
    "JensenShannon",
    "Metric",
    "PrecisionRecall",
    "birthday_test",
    "class_histogram",
    "contaminated_share",
    "expected_entropy",
    "frechet_distance",
    "gaussian_frechet",
    "inception_like_score",
    "jensen_shannon",
    "mmd",
    "nearest_neighbour_distance",
    "precision_recall",
    "summary",
]
