"""Numbers as people read them."""

import math


def with_error(mean: float, error: float | None) -> str:
    """A mean with its standard error, both cut where the error has two digits: "130.2 ± 4.1", "0.0312 ± 0.0042".

    Without an error, or with an error of 0, the mean has four digits.
    """
    if error is None:
        return plain(mean)
    if not (math.isfinite(error) and error > 0):
        return f"{plain(mean)} ± {plain(error)}"
    decimals = min(max(1 - math.floor(math.log10(error)), 0), 6)
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"


def plain(value: float) -> str:
    """Four digits, more where the whole part has more: 1312, 23.53, 0.03124."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    decimals = min(max(3 - math.floor(math.log10(abs(value))), 0), 6)
    return f"{value:.{decimals}f}"


def amount(value: float) -> str:
    """Three digits and a unit: 950, 12.3k, 4.56M, 7.89G."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{unit}" if value < 999.5 * size else f"{value / size:.0f}{unit}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """Such as 4.2 s, 92 s, 15 min, 3.2 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
