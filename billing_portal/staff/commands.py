"""Module commands: which ones a service has now, what each will do, and doing it.

The buttons, the confirmation page and the deed read the same table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.services.models import Service
from billing_portal.services.states import ServiceStatus, SuspensionCause
from billing_portal.workflows import change_service, start_services
from provisioning import actions as provisioning
from provisioning import registry
from provisioning.contract import Capability, ProductModule
from provisioning.models import Job

ACTIVE, SUSPENDED, PENDING = (
    ServiceStatus.ACTIVE,
    ServiceStatus.SUSPENDED,
    ServiceStatus.PENDING,
)


@dataclass(frozen=True, slots=True)
class Command:
    """One thing staff can have done to a service.

    `consequence` is said before and `next_step` after.  `needs` is what the vendor must
    be able to do; a missing `Capability.SUSPEND` is no obstacle, see `commercial`.
    """

    key: str
    name: str
    icon: str
    states: tuple[ServiceStatus, ...]
    consequence: str
    next_step: str
    needs: Capability | None = None
    commercial: str = ""
    dangerous: bool = False


COMMANDS: Mapping[str, Command] = {
    command.key: command
    for command in (
        Command(
            "create",
            "Create",
            "add_circle",
            (PENDING,),
            "The service is set up at the vendor and becomes active.",
            "Set-up requested. It usually takes less than a minute.",
        ),
        Command(
            "refresh",
            "Refresh",
            "sync",
            (ACTIVE, SUSPENDED),
            "The vendor is asked how the service stands. Nothing is changed.",
            "Asking the vendor.",
        ),
        Command(
            "resize",
            "Resize",
            "open_in_full",
            (ACTIVE,),
            "The service is changed at the vendor. Usage is billed for what stood, to the hour.",
            "Change requested. It usually takes less than a minute.",
            needs=Capability.RESIZE,
        ),
        Command(
            "change_password",
            "Change password",
            "key",
            (ACTIVE,),
            "The service gets new credentials. Everything that uses the old ones stops working.",
            "New credentials requested. The client finds them on the service's page.",
            needs=Capability.CHANGE_PASSWORD,
        ),
        Command(
            "suspend",
            "Suspend",
            "pause_circle",
            (ACTIVE,),
            "The service is switched off at the vendor. Its data stays and it is still billed.",
            "Suspension requested.",
            commercial=(
                "The vendor cannot suspend, so this is a commercial suspension: the client can no "
                "longer change the service, but it keeps working and is still billed."
            ),
            dangerous=True,
        ),
        Command(
            "unsuspend",
            "Unsuspend",
            "play_circle",
            (SUSPENDED,),
            "The service is switched on again as it was.",
            "The service comes back.",
            commercial="The client can change the service again.",
        ),
        Command(
            "hold",
            "Keep suspended",
            "lock",
            (SUSPENDED,),
            "Paying the overdue invoice no longer brings the service back; staff do.",
            "The service stays suspended until staff unsuspend it.",
        ),
        Command(
            "terminate",
            "Terminate",
            "delete_forever",
            (ACTIVE, SUSPENDED),
            "The remote object and all data in it are deleted for good. What was used until then "
            "is billed; nothing new is billed in advance.",
            "Deletion requested.",
            dangerous=True,
        ),
    )
}


def commands_for(service: Service) -> list[Command]:
    """The commands that make sense now, given the service's state and its vendor."""
    module = _module(service)
    fitting = [c for c in COMMANDS.values() if service.status in c.states and _offers(module, c)]
    if service.suspension_cause != SuspensionCause.OVERDUE:
        fitting = [command for command in fitting if command.key != "hold"]
    if service.status == PENDING and _is_being_created(service):
        return [command for command in fitting if command.key != "create"]
    return fitting


def cannot(service: Service) -> list[str]:
    """What the vendor cannot do, in sentences for the page."""
    module = _module(service)
    if module is None:
        return ["No module delivers this service: staff do."]
    said = {
        Capability.SUSPEND: "cannot suspend. Suspending is commercial: the client's actions are "
        "blocked, the service itself runs on.",
        Capability.CHANGE_PASSWORD: "cannot change a password.",
        Capability.RESIZE: "cannot change a service's size.",
    }
    return [f"{module.name} {text}" for c, text in said.items() if c not in module.capabilities]


def consequence(service: Service, command: Command) -> str:
    """What will happen, in a sentence."""
    module = _module(service)
    suspends = module is not None and Capability.SUSPEND in module.capabilities
    return command.consequence if suspends or not command.commercial else command.commercial


def run(
    service: Service, command: Command, *, answers: Mapping[str, Any], at: datetime, actor: User
) -> None:
    """Have it done, once per `answers["key"]`, and note who asked for it.

    Raises PortalError with a sentence if the service or the vendor does not allow it.
    """
    key = str(answers["key"])
    with transaction.atomic():
        if Job.objects.filter(request_key=key).exists():
            return
        _DEEDS[command.key](service, dict(answers), key, at, actor)
        audit.record(
            f"service.{command.key}_requested",
            service,
            summary=f"{command.name} requested for {service}",
            at=at,
            actor=actor,
            client_id=service.client_id,
        )


def _create(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    if service.jobs.exists():
        # A first creation was resolved by hand; this is a new wish.
        provisioning.request_create(
            service.pk, request_key=key, at=at, requested_by=actor.get_full_name()
        )
    else:
        start_services.start(service, at=at, actor=actor)


def _refresh(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    _request(service, Job.Kind.REFRESH, key, at, actor)


def _change_password(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    _request(service, Job.Kind.CHANGE_PASSWORD, key, at, actor)


def _request(service: Service, kind: Job.Kind, key: str, at: datetime, actor: User) -> None:
    provisioning.request(
        service.pk, kind=kind, request_key=key, at=at, requested_by=actor.get_full_name()
    )


def _resize(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    change_service.request_change(
        service.pk, spec=answers["spec"], request_key=key, at=at, actor=actor
    )


def _suspend(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    change_service.suspend(
        service.pk, reason=answers["reason"], request_key=key, at=at, actor=actor
    )


def _unsuspend(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    change_service.unsuspend(service.pk, request_key=key, at=at, actor=actor)


def _hold(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    change_service.keep_suspended(service.pk, reason=answers["reason"], at=at, actor=actor)


def _terminate(service: Service, answers: Any, key: str, at: datetime, actor: User) -> None:
    change_service.terminate(service.pk, request_key=key, at=at, actor=actor)


_DEEDS: Mapping[str, Callable[[Service, Any, str, datetime, User], None]] = {
    "create": _create,
    "refresh": _refresh,
    "resize": _resize,
    "change_password": _change_password,
    "suspend": _suspend,
    "unsuspend": _unsuspend,
    "hold": _hold,
    "terminate": _terminate,
}


def _is_being_created(service: Service) -> bool:
    """Whether a creation waits, runs, or failed and waits for "retry"."""
    return service.jobs.exclude(status__in=(Job.Status.RESOLVED, Job.Status.DONE)).exists()


def _module(service: Service) -> type[ProductModule] | None:
    return registry.modules().get(service.product.module_key)


def _offers(module: type[ProductModule] | None, command: Command) -> bool:
    """Whether the vendor can; a service without one is only switched on and off."""
    if module is None:
        return command.key in ("create", "suspend", "unsuspend", "hold")
    return command.needs is None or command.needs in module.capabilities
