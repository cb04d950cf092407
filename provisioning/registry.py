"""Finding the module behind a key, and connecting it to a server.

`PORTAL_MODULES` names the built-in ones; an installed package adds its own through the
entry-point group `billing_portal.modules`.  Nothing here imports a module by name.
"""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string

from billing_portal.clock.reading import now
from billing_portal.errors import PortalError
from provisioning.contract import Exchange, Filled, ProductModule, ServerAccess, UsageSource
from provisioning.masking import mask
from provisioning.models import ModuleLog, Server


class UnknownModule(PortalError):
    """No installed module has this key."""


@cache
def modules() -> dict[str, type[ProductModule]]:
    """Every installed module class by its key."""
    found: dict[str, Any] = {
        key: import_string(path) for key, path in settings.PORTAL_MODULES.items()
    }
    for entry in entry_points(group="billing_portal.modules"):
        found.setdefault(entry.name, entry.load())
    return found


def module_class(key: str) -> type[ProductModule]:
    """The module with this key.  Raises UnknownModule."""
    try:
        return modules()[key]
    except KeyError:
        raise UnknownModule(f"There is no module called {key!r}.") from None


def usage_source(key: str) -> type[UsageSource] | None:
    """The module's meter, or None for a module that bills no usage."""
    module = modules().get(key)
    if module is None or not module.metrics:
        return None
    return cast("type[UsageSource]", module)


def filled(key: str) -> type[Filled] | None:
    """The module's knowledge of what is in use, or None for a module that has none."""
    module = modules().get(key)
    return cast("type[Filled]", module) if hasattr(module, "check_change") else None


def module_choices() -> list[tuple[str, str]]:
    """Keys and names for a form field, in order of name."""
    return sorted(((key, cls.name) for key, cls in modules().items()), key=lambda pair: pair[1])


def connect(
    server: Server,
    *,
    job_id: int | None = None,
    service_id: int | None = None,
    after_exchange: Callable[[], None] = lambda: None,
) -> ProductModule:
    """The server's module, ready to call; every exchange goes to the module log.

    `after_exchange` is called after each and may raise to stop the module.
    """

    def record(exchange: Exchange) -> None:
        _log(exchange, server_id=server.pk, job_id=job_id, service_id=service_id)
        after_exchange()

    return module_class(server.module_key)(
        ServerAccess(server.pk, server.base_url, dict(server.credentials), record)
    )


def _log(exchange: Exchange, *, server_id: int, job_id: int | None, service_id: int | None) -> None:
    ModuleLog.objects.create(
        at=now(),
        server_id=server_id,
        job_id=job_id,
        service_id=service_id,
        action=exchange.action[:200],
        request=mask(exchange.request),
        response=mask(exchange.response),
        status=exchange.status,
        duration_ms=exchange.duration_ms,
    )
