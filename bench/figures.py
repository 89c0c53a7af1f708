"""Medians, percentiles and ratios of what was measured. Pure."""

from statistics import median


def percentile(values, share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed. Raises `ValueError` where there is none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is nothing to take a percentile of")
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def ratio(ours, theirs) -> float:
    """The median of ours by the median of theirs."""
    return median(ours) / median(theirs)

