"""Which jobs fit which state of a service, and where they lead.  These tables are all of it."""

from billing_portal.services.states import ENDED, ServiceStatus
from provisioning.contract import Capability
from provisioning.models import Job

ALLOWED: dict[Job.Kind, tuple[ServiceStatus, ...]] = {
    Job.Kind.CREATE: (ServiceStatus.PENDING,),
    Job.Kind.RESIZE: (ServiceStatus.ACTIVE,),
    # Cancelled ones are switched off while their data is kept, and deleted after that.
    Job.Kind.SUSPEND: (ServiceStatus.ACTIVE, ServiceStatus.CANCELLED),
    Job.Kind.UNSUSPEND: (ServiceStatus.SUSPENDED,),
    Job.Kind.CHANGE_PASSWORD: (ServiceStatus.ACTIVE,),
    Job.Kind.TERMINATE: (
        ServiceStatus.ACTIVE,
        ServiceStatus.SUSPENDED,
        ServiceStatus.COMPLETED,
        ServiceStatus.CANCELLED,
    ),
    Job.Kind.REFRESH: (ServiceStatus.ACTIVE, ServiceStatus.SUSPENDED),
    Job.Kind.CONFIGURE: (ServiceStatus.ACTIVE,),
}
"""In which states a job may be wished, or wished again."""

NEEDS: dict[Job.Kind, Capability] = {
    Job.Kind.RESIZE: Capability.RESIZE,
    Job.Kind.SUSPEND: Capability.SUSPEND,
    Job.Kind.UNSUSPEND: Capability.SUSPEND,
    Job.Kind.CHANGE_PASSWORD: Capability.CHANGE_PASSWORD,
    Job.Kind.CONFIGURE: Capability.CONFIGURE,
}
"""What the vendor must be able to do."""

BECOMES: dict[Job.Kind, ServiceStatus] = {
    Job.Kind.CREATE: ServiceStatus.ACTIVE,
    Job.Kind.UNSUSPEND: ServiceStatus.ACTIVE,
    Job.Kind.SUSPEND: ServiceStatus.SUSPENDED,
    Job.Kind.TERMINATE: ServiceStatus.TERMINATED,
}
"""What the service is once the job is done; other jobs leave the state alone.

So do all jobs of a cancelled service, whose life is over whatever stands at the vendor.
"""


def is_overtaken(kind: Job.Kind, status: ServiceStatus) -> bool:
    """Whether the service ended while the job waited, so that nothing may be touched any more."""
    return kind != Job.Kind.TERMINATE and status in ENDED and status not in ALLOWED[kind]
