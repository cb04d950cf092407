"""Changing tax rules, asking about tax ids, and keeping what shows where a client is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from billing_portal.accounts.models import User
from billing_portal.audit import actions as audit
from billing_portal.clients.models import Client
from billing_portal.errors import PortalError
from billing_portal.taxes import queries, vies
from billing_portal.taxes.ids import VatId, read_vat_id
from billing_portal.taxes.models import TaxIdCheck, TaxRule, TaxSettings
from billing_portal.taxes.rates import Preset, Rate
from billing_portal.taxes.vies import Reply

Answer = TaxIdCheck.Answer
ASK_AGAIN = {Answer.UNAVAILABLE: timedelta(hours=1), Answer.VALID: timedelta(days=30)}
"""How long an answer is left alone; the first daily run after that asks again.  An id that is
not valid is asked about once it changes."""


class RuleRefused(PortalError):
    """A tax rule contradicts itself or another one."""


class NoVatId(PortalError):
    """There is no VAT id of the client that could be looked up."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading published rates; `kept` are places that have a rule already."""

    added: list[TaxRule]
    kept: list[Rate]


def save_rule(rule: TaxRule, *, actor: User | None, at: datetime) -> TaxRule:
    """Store a new or changed rule.

    Raises RuleRefused if another rule of the level and place shares a day with it, or if it
    contradicts itself.
    """
    verb = "changed" if rule.pk else "added"
    with transaction.atomic():
        _lock_rules()
        try:
            rule.full_clean()
        except ValidationError as error:
            raise RuleRefused(" ".join(error.messages)) from error
        rule.save()
        audit.record(
            f"tax_rule.{verb}", rule, summary=f"Tax rule {rule} {verb}", at=at, actor=actor
        )
    return rule


def remove_rule(rule: TaxRule, *, actor: User, at: datetime) -> None:
    """Delete a rule.  Issued invoices keep what they say."""
    with transaction.atomic():
        audit.record(
            "tax_rule.removed", rule, summary=f"Tax rule {rule} removed", at=at, actor=actor
        )
        rule.delete()


def load_rates(preset: Preset, *, actor: User | None, at: datetime) -> Loaded:
    """Add the rates of a preset; a place that has a rule of that level keeps its own.

    Loading twice adds nothing the second time.
    """
    added, kept = [], []
    with transaction.atomic():
        for rate in preset.rates:
            rule = TaxRule(
                level=rate.level,
                name=rate.name,
                country=rate.country,
                state=rate.state,
                percent=rate.percent,
            )
            try:
                added.append(save_rule(rule, actor=actor, at=at))
            except RuleRefused:
                kept.append(rate)
    return Loaded(added, kept)


def ask_register(client_id: int, *, at: datetime, again: bool = False) -> TaxIdCheck | None:
    """Look the client's VAT id up and keep the answer; None if there is nothing to ask.

    An answer that still holds is returned instead, unless it is asked `again`.  The register
    is asked outside a transaction; asking twice at once keeps one answer.
    """
    client = Client.objects.get(pk=client_id)
    vat_id = _id_to_ask(client)
    if vat_id is None:
        return None
    known = queries.latest_check(client)
    if known and not again and not (known.next_check_at and known.next_check_at <= at):
        return known
    reply = vies.ask(vat_id, requester=_seller_id())
    return _keep(client_id, vat_id, reply, known=known, actor=None, at=at)


def record_answer(
    client: Client, *, answer: TaxIdCheck.Answer, consultation: str, actor: User, at: datetime
) -> TaxIdCheck:
    """Keep what a person found out about the client's VAT id elsewhere.

    Raises NoVatId unless the client has a well-formed one.
    """
    vat_id = read_vat_id(client.tax_id, str(client.country))
    if vat_id is None:
        raise NoVatId(f"“{client.tax_id}” is not a VAT id of {client.country}.")
    reply = Reply(answer, consultation=consultation)
    known = queries.latest_check(client)
    kept = _keep(client.pk, vat_id, reply, known=known, actor=actor, at=at)
    if kept is None:
        raise NoVatId("The tax id was changed meanwhile; nothing was recorded.")
    return kept


def _keep(
    client_id: int,
    vat_id: VatId,
    reply: Reply,
    *,
    known: TaxIdCheck | None,
    actor: User | None,
    at: datetime,
) -> TaxIdCheck | None:
    """The answer as a row, unless the id is another by now or somebody was quicker."""
    with transaction.atomic():
        client = Client.objects.select_for_update(no_key=True).get(pk=client_id)
        if read_vat_id(client.tax_id, str(client.country)) != vat_id:
            return None
        latest = queries.latest_check(client)
        if latest != known:
            return latest
        wait = ASK_AGAIN.get(reply.answer)
        check = TaxIdCheck.objects.create(
            client=client,
            tax_id=str(vat_id),
            answer=reply.answer,
            name=reply.name[:200],
            address=reply.address,
            consultation=reply.consultation[:60],
            checked_at=at,
            next_check_at=at + wait if wait else None,
        )
        audit.record(
            "client.tax_id_checked",
            client,
            summary=f"VAT id {check}",
            at=at,
            actor=actor,
            client_id=client.pk,
            details={"answer": reply.answer, "consultation": reply.consultation},
        )
    return check


def _id_to_ask(client: Client) -> VatId | None:
    """None if no register is set up, or if its answer would change nothing."""
    country = str(client.country)
    if not settings.VIES_URL or not queries.asks_register_about(country):
        return None
    return read_vat_id(client.tax_id, country)


def _seller_id() -> VatId | None:
    seller = str(queries.tax_settings().seller_country)
    return read_vat_id(settings.SELLER_TAX_ID, seller)


def _lock_rules() -> None:
    """Whoever changes rules waits here, so that no two at once make them overlap."""
    TaxSettings.objects.get_or_create(pk=1)
    TaxSettings.objects.select_for_update(no_key=True).get(pk=1)
