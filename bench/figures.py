"""Percentiles of what was measured. Pure."""


def percentile(values, share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed. Raises `ValueError` where there is none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is nothing to take a percentile of")
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
