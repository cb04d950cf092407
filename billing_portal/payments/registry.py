"""Which gateways this portal offers, in the order of the setting PAYMENT_GATEWAYS."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from billing_portal.errors import PortalError
from billing_portal.payments.contract import CapturingGateway, Gateway


class UnknownGateway(PortalError):
    """No such way to pay is offered."""


@cache
def gateways() -> tuple[Gateway, ...]:
    return tuple(import_string(path)() for path in settings.PAYMENT_GATEWAYS)


def capturing_gateways() -> list[CapturingGateway]:
    """Those with which clients can leave a card or mandate."""
    offered: tuple[object, ...] = gateways()
    return [one for one in offered if isinstance(one, CapturingGateway)]


def gateway(key: str) -> Gateway:
    """The gateway with this key.  Raises UnknownGateway."""
    for candidate in gateways():
        if candidate.key == key:
            return candidate
    raise UnknownGateway(f"There is no way to pay called {key!r}.")
