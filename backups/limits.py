"""What a datastore may be set to, with a plain sentence for each thing that it may not.

The vendor's limits; a product narrows them.  Sizes are whole decimal GB (10**9 bytes).
Source: size constraints in the vendor's WHMCS module README.
"""

from decimal import Decimal

from provisioning.contract import RemoteRejected

SMALLEST_SIZE_GB = 500
LARGEST_SIZE_GB = 10_000
SIZE_STEP_GB = 100
GB_PER_PRICE = 1000
"""A price for storage buys this many GB for a whole period."""
SPEEDS_MBIT = (100, 250, 500)
DEFAULT_THRESHOLDS = (70, 80)


def check_size(
    size_gb: object, *, smallest_gb: int = SMALLEST_SIZE_GB, largest_gb: int = LARGEST_SIZE_GB
) -> int:
    """The size, if it is allowed: 500, 600 ... up to the largest.

    Raises RemoteRejected, as a sentence, for anything else: 499, 550, 600.0, True, bytes.
    """
    if type(size_gb) is not int:
        raise RemoteRejected(f"The size must be a whole number of GB, not {size_gb!r}.")
    if size_gb < smallest_gb:
        raise RemoteRejected(f"{size_gb} GB is too small: the smallest size is {smallest_gb} GB.")
    if size_gb > largest_gb:
        raise RemoteRejected(f"{size_gb} GB is too large: the largest size is {largest_gb} GB.")
    if size_gb % SIZE_STEP_GB:
        lower = size_gb - size_gb % SIZE_STEP_GB
        raise RemoteRejected(
            f"The size goes in steps of {SIZE_STEP_GB} GB:"
            f" {lower} or {lower + SIZE_STEP_GB} GB, not {size_gb} GB."
        )
    return size_gb


def smallest_size_for(used_bytes: int) -> int:
    """The smallest size in GB that holds the data: 700 for 612.3 GB in use."""
    steps = -(-used_bytes // (SIZE_STEP_GB * 10**9))
    return max(SMALLEST_SIZE_GB, steps * SIZE_STEP_GB)


def check_holds(size_gb: object, used_bytes: int | None) -> None:
    """Raise RemoteRejected, as a sentence, if a size does not hold what is in use.

    What is not known to be used is left to the vendor to refuse.
    """
    if used_bytes is None or not isinstance(size_gb, int) or size_gb * 10**9 >= used_bytes:
        return
    used_gb = Decimal(used_bytes) / 10**9
    raise RemoteRejected(
        f"{used_gb:.1f} GB are in use, which {size_gb} GB do not hold: the smallest size for"
        f" them is {smallest_size_for(used_bytes)} GB. Delete backups first, or keep fewer."
    )


def check_speed(speed_mbit: object) -> int:
    """The bandwidth in Mbit/s, if the vendor has it.  Raises RemoteRejected, as a sentence."""
    if type(speed_mbit) is not int or speed_mbit not in SPEEDS_MBIT:
        offered = ", ".join(map(str, SPEEDS_MBIT))
        raise RemoteRejected(f"The speed is one of {offered} Mbit/s, not {speed_mbit!r}.")
    return speed_mbit


def check_thresholds(lower_percent: object, upper_percent: object) -> None:
    """Raise RemoteRejected, as a sentence, unless both are 0 to 100 and lower is below upper."""
    for percent in (lower_percent, upper_percent):
        if type(percent) is not int or not 0 <= percent <= 100:
            raise RemoteRejected(f"A threshold is a whole number from 0 to 100, not {percent!r}.")
    if lower_percent >= upper_percent:  # type: ignore[operator]
        raise RemoteRejected(
            f"The lower threshold must be below the upper one: {lower_percent} is not"
            f" below {upper_percent}."
        )


def highest_steady_lower(size_gb: int | Decimal, upper_percent: int) -> int:
    """The highest lower threshold with which a step down from this size is not undone at once.

    One step down from 600 GB lets 66.6 % become 80 %: with an upper threshold of 80 a lower
    one above 66 may go up and down for ever.  Source: the vendor's page "Autoscaling", read
    the strictest way it allows (assumed).
    """
    return int(upper_percent * (size_gb - SIZE_STEP_GB) // size_gb) if size_gb else 0
