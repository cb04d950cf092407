"""Which sizes a datastore may have, with a plain sentence for each that it may not.

The vendor's limits; a product narrows them.  Sizes are whole decimal GB (10**9 bytes).
Source: size constraints in the vendor's WHMCS module README.
"""

from provisioning.contract import RemoteRejected

SMALLEST_SIZE_GB = 500
LARGEST_SIZE_GB = 10_000
SIZE_STEP_GB = 100


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
