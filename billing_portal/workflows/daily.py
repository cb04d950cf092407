"""The day's work: reminders, unsuspensions, suspensions, terminations and the digest.

A tick every five minutes opens the runs of each business day nobody has begun and works
them off in order: Monday's reminders, Monday's suspensions ..., Tuesday's reminders.  Each
unit (an invoice, a service) is a transaction of its own, does nothing the second time,
and stops no other when it fails.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db import transaction

from billing_portal.automation import actions as runs
from billing_portal.automation import queries
from billing_portal.automation.actions import Claim, Deed, LeaseLost
from billing_portal.automation.models import Task, TaskItem, TaskRun
from billing_portal.automation.queries import BusinessDay
from billing_portal.calc.periods import local_date
from billing_portal.errors import PortalError
from billing_portal.workflows import (
    addon_orders,
    apply_change,
    cancellations,
    captures,
    card_expiry,
    digest,
    dunning,
    ending_overdue,
    exchange_rates,
    late_fees,
    overdue_services,
    stale_orders,
    tax_ids,
    terms,
    unpaid_changes,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DailyTask:
    """`units` names what may need work, `act` does it to one, in a transaction, or does nothing.

    `noun` is what a unit is: the column of `TaskItem` that points to it, if there is one.
    """

    units: Callable[[BusinessDay], list[int]]
    act: Callable[[int, BusinessDay], Deed | None]
    noun: str


TASKS: Mapping[Task, DailyTask] = {
    Task.RATES: DailyTask(exchange_rates.feeds_to_ask, exchange_rates.ask, "feed"),
    Task.TAX_IDS: DailyTask(tax_ids.clients_to_ask, tax_ids.ask, "client"),
    Task.CAPTURES: DailyTask(captures.invoices_to_capture, captures.capture_due, "invoice"),
    Task.CHANGES: DailyTask(unpaid_changes.changes_to_withdraw, unpaid_changes.withdraw, "change"),
    Task.CANCELLATIONS: DailyTask(
        cancellations.services_to_work_off, cancellations.work_off, "service"
    ),
    Task.TERMS: DailyTask(terms.services_to_end, terms.end, "service"),
    Task.ADDONS: DailyTask(addon_orders.addons_to_end, addon_orders.end_due, "add-on"),
    Task.CARD_EXPIRY: DailyTask(card_expiry.methods_to_tell, card_expiry.tell, "method"),
    Task.REMINDERS: DailyTask(dunning.invoices_to_remind, dunning.remind, "invoice"),
    Task.UNSUSPENSIONS: DailyTask(
        overdue_services.services_to_unsuspend, overdue_services.unsuspend, "service"
    ),
    Task.SUSPENSIONS: DailyTask(
        overdue_services.services_to_suspend, overdue_services.suspend, "service"
    ),
    Task.TERMINATIONS: DailyTask(ending_overdue.services_to_end, ending_overdue.end, "service"),
    Task.LATE_FEES: DailyTask(late_fees.invoices_to_charge, late_fees.charge, "invoice"),
    Task.ORDERS: DailyTask(stale_orders.orders_to_cancel, stale_orders.cancel, "order"),
    Task.DIGEST: DailyTask(digest.staff_to_tell, digest.tell, "user"),
}


def tick(at: datetime) -> list[TaskRun]:
    """Do the work of every business day that is due by `at`; the runs this call finished.

    Ticks at once, or a tick again, do nothing more.
    """
    runs.note_tick(at=at)
    rules = queries.rules()
    runs.open_days(queries.days_due(at, daily_hour=rules.daily_hour), rules)
    finished = _work_off(at)
    if rules.unsuspend_on_payment:
        overdue_services.lift_all(BusinessDay(_today(at), at, rules))
    apply_change.go_on_all(at)
    return finished


def run_day(day: date, at: datetime) -> list[TaskRun]:
    """Do the work of `day` now, also if it was done before, after that of the days missed.

    `day` is at most today.
    """
    rules = queries.rules()
    runs.open_days([d for d in queries.days_due(at, daily_hour=0) if d < day] + [day], rules)
    runs.repeat_day(day, rules)
    return _work_off(at)


def rehearse(day: date, at: datetime) -> dict[Task, list[Deed]]:
    """What the work of `day` would be, as things stand: its own steps, each taken back.

    A day in the future is rehearsed as if nobody paid until then.
    """
    rules = queries.rules()
    on = BusinessDay(day, at, rules)
    return {
        key: [deed for unit in task.units(on) if (deed := _try(task, unit, on))]
        for key, task in TASKS.items()
        if rules.wants(key)
    }


def _work_off(at: datetime) -> list[TaskRun]:
    """Claim and do one run after the other, until none is left or another worker has it."""
    finished = []
    while claim := runs.claim_next(at=at):
        try:
            finished.append(_run(claim, at=at))
        except LeaseLost:
            logger.warning("%s outlived its lease", claim.run)
            break
    return finished


def _run(claim: Claim, *, at: datetime) -> TaskRun:
    task = TASKS[Task(claim.run.task)]
    on = BusinessDay(claim.run.business_day, at, queries.rules())
    try:
        for unit in task.units(on):
            runs.hold(claim)
            _do(claim.run, task, unit, on)
    except LeaseLost:
        raise
    except Exception as error:
        logger.exception("%s failed", claim.run)
        return runs.finish(claim, at=at, error=_sentence(error))
    return runs.finish(claim, at=at)


def _do(run: TaskRun, task: DailyTask, unit: int, on: BusinessDay) -> None:
    """One unit, with what came of it noted on the run."""
    try:
        with transaction.atomic():
            if deed := task.act(unit, on):
                runs.note(run, deed, at=on.at)
    except Exception as error:
        _log(error, f"{run}: {task.noun} {unit}")
        runs.note(run, _failure(task, unit, error), at=on.at)


def _try(task: DailyTask, unit: int, on: BusinessDay) -> Deed | None:
    """One unit, taken back."""
    try:
        with transaction.atomic():
            deed = task.act(unit, on)
            transaction.set_rollback(True)
    except Exception as error:
        _log(error, f"rehearsal: {task.noun} {unit}")
        return _failure(task, unit, error)
    return deed


def _failure(task: DailyTask, unit: int, error: Exception) -> Deed:
    summary = f"{task.noun.capitalize()} {unit}: {_sentence(error)}"
    failed = TaskItem.Outcome.FAILED
    if task.noun == "invoice":
        return Deed(summary, failed, invoice_id=unit)
    if task.noun == "service":
        return Deed(summary, failed, service_id=unit)
    return Deed(summary, failed)


def _log(error: Exception, what: str) -> None:
    """With a traceback only for what nobody expected."""
    expected = isinstance(error, PortalError)
    logger.warning("%s failed: %s", what, error, exc_info=None if expected else error)


def _today(at: datetime) -> date:
    return local_date(at, settings.SELLER_TIMEZONE)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, PortalError) else f"our bug: {error!r}"
