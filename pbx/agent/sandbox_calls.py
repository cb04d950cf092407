"""Calls for the sandbox: exactly the ones a test names, or a believable day of an office.

Generated calls follow from their seed alone.  Asking twice gives the same uuids, and the
second time the PBX knows them already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from .backend import CallRecord, Extension, Tenant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CallSpec:
    """A call to put on record.

    `number` is the extension's.  `destination` is what was called: a phone number for
    outbound, another extension for local, our own number for inbound.  `billsec` 0 means
    nobody answered.  The row arrives at `insert_date`, or as soon as the call has ended.
    """

    number: str
    destination: str
    started_at: datetime
    billsec: int = 60
    ring_s: int = 5
    direction: str = "outbound"
    hangup_cause: str = ""
    caller: str = ""
    leg: str = "a"
    uuid: UUID | None = None
    insert_date: datetime | None = None


def record_call(
    spec: CallSpec, *, tenant: Tenant | None, extension: Extension | None, now: datetime
) -> CallRecord:
    """The row FusionPBX would write.  No tenant makes it one nobody can be named for."""
    start = int(spec.started_at.timestamp())
    answer = start + spec.ring_s if spec.billsec else 0
    end = start + spec.ring_s + spec.billsec
    inbound = spec.direction == "inbound"
    return CallRecord(
        xml_cdr_uuid=spec.uuid or uuid4(),
        domain_uuid=tenant.tenant_id if tenant else None,
        domain_name=tenant.domain if tenant else None,
        extension_uuid=extension.extension_id if extension else None,
        direction=spec.direction,
        leg=spec.leg,
        caller_id_name=extension.name if extension and not inbound else "",
        caller_id_number=spec.caller or ("anonymous" if inbound else spec.number),
        caller_destination=spec.destination,
        destination_number=spec.number if inbound else spec.destination,
        start_epoch=start,
        answer_epoch=answer,
        end_epoch=end,
        billsec=spec.billsec,
        billmsec=spec.billsec * 1000,
        hangup_cause=spec.hangup_cause or ("NORMAL_CLEARING" if spec.billsec else "NO_ANSWER"),
        status="answered" if spec.billsec else "missed" if inbound else "no_answer",
        accountcode=tenant.domain if tenant else "",
        insert_date=spec.insert_date or max(now, EPOCH + timedelta(seconds=end + 1)),
    )


def generate(
    tenant: Tenant, *, count: int, seed: int, start: datetime, end: datetime
) -> list[CallSpec]:
    """`count` calls of a tenant's phones that begin in [start, end), in time order.

    Seven in ten go out, a fifth come in, the rest stay inside.  One in five is not
    answered; a few outbound ones lost a race of several gateways, or come with a second
    row for their other leg; one in a hundred goes where no tariff should reach.
    """
    rng = Random(f"{seed} {tenant.tenant_id} {start.isoformat()} {end.isoformat()} {count}")
    numbers = list(tenant.numbers)
    if not numbers or start >= end:
        return []
    seconds = int((end - start).total_seconds())
    moments = sorted(start + timedelta(seconds=rng.randrange(seconds)) for _ in range(count))
    return [_generated(rng, numbers, moment) for moment in moments]


def _generated(rng: Random, numbers: Sequence[str], moment: datetime) -> CallSpec:
    direction = rng.choices(("outbound", "inbound", "local"), (70, 20, 10))[0]
    number = rng.choice(numbers)
    billsec = 1 + min(int(rng.expovariate(1 / 150)), 5400) if rng.random() < 0.8 else 0
    cause = "" if billsec else rng.choice(("NO_ANSWER", "USER_BUSY", "ORIGINATOR_CANCEL"))
    leg = "a"
    if direction == "outbound" and (oddity := rng.random()) < 0.05:
        # Both look billable to whoever reads only direction and billsec.
        cause, leg = ("LOSE_RACE", "a") if oddity < 0.02 else (cause, "b")
    return CallSpec(
        number=number,
        destination=_destination(rng, direction, numbers),
        started_at=moment,
        billsec=billsec,
        ring_s=rng.randint(2, 25),
        direction=direction,
        hangup_cause=cause,
        caller=_phone_number(rng) if direction == "inbound" else "",
        leg=leg,
        uuid=UUID(int=rng.getrandbits(128), version=4),
    )


def _destination(rng: Random, direction: str, numbers: Sequence[str]) -> str:
    if direction == "local":
        return rng.choice([*numbers, "*97"])
    if direction == "inbound":
        return "+4940555000" + rng.choice(numbers)[-2:]
    if rng.random() < 0.01:
        return "68340" + _digits(rng, 2)
    return _phone_number(rng)


def _phone_number(rng: Random) -> str:
    prefix, digits = rng.choices(_REACHED, _SHARES)[0]
    return prefix + _digits(rng, digits)


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


# Where a small firm in Hamburg calls: prefix, further digits, share in a thousand.
_CALLED = [
    ("4940", 7, 300),
    ("4930", 7, 120),
    ("4989", 7, 80),
    ("49151", 8, 90),
    ("49171", 7, 80),
    ("49160", 7, 60),
    ("442079460", 3, 50),
    ("447700900", 3, 30),
    ("1212555", 4, 40),
    ("1415555", 4, 20),
    ("33199", 6, 30),
    ("33639", 6, 15),
    ("3120", 7, 20),
    ("316", 8, 10),
    ("431", 7, 15),
    ("43664", 7, 10),
    ("4144", 7, 10),
    ("4179", 7, 5),
    ("4822", 7, 10),
    ("9140", 8, 3),
    ("1876", 7, 2),
]
_REACHED = [(prefix, digits) for prefix, digits, _ in _CALLED]
_SHARES = [share for _, _, share in _CALLED]
