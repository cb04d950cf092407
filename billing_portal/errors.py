"""Failures a person can act on.

Every anticipated failure inherits from `PortalError` and carries one sentence for
whoever must act.  The class itself is defined beside the function that raises it.
"""


class PortalError(Exception):
    """A failure with a sentence fit to show to the person who caused or must mend it."""
