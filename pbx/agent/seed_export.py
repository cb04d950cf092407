"""The seed's call export: everything of some days, in one reply.

It is for people and for callers that know nothing better.  The portal collects calls by
cursor, because rows arrive long after the call they record.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from . import inputs, outputs
from .backend import BackEnd
from .wire import Problem, Reply, Request

MAX_RECORDS = 50_000
FORMATS = ("JSON", "CSV", "XML")

_DAY = re.compile(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}")


def export_calls(back_end: BackEnd, request: Request) -> Reply:
    """The calls that began on `date_start` to `date_end`, both days included, in UTC.

    JSON has them as `records`, CSV as lines, XML as elements.
    """
    wish = inputs.read_known_fields(
        request.form(), {"date_start": _day, "date_end": _day, "format": _format}
    )
    first, last = wish["date_start"], wish["date_end"]
    if last < first:
        raise Problem(400, "invalid", "date_end is before date_start.")
    start, end = _midnight(first), _midnight(last) + timedelta(days=1)
    calls = back_end.list_calls_begun(start=start, end=end, limit=MAX_RECORDS + 1)
    if len(calls) > MAX_RECORDS:
        message = f"More than {MAX_RECORDS} calls: ask for fewer days."
        raise Problem(400, "too_many", message)
    facts = {
        "total_records": len(calls),
        "date_range": f"{first} to {last}",
        "export_format": wish["format"],
    }
    if wish["format"] == "CSV":
        return Reply(200, outputs.csv_of_calls(calls), content_type="text/csv; charset=utf-8")
    facts = {"status": "success", "message": f"Calls: {len(calls)}.", **facts}
    if wish["format"] == "XML":
        return Reply(200, outputs.xml_of_calls(calls, facts), content_type="application/xml")
    return Reply(200, {**facts, "records": [outputs.plain(call) for call in calls]})


def _day(value: Any) -> date:
    if value is None:
        raise ValueError("is missing")
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("must be a day such as 2026-01-31")


def _format(value: Any) -> str:
    name = "JSON" if value is None else str(value).upper()
    if name not in FORMATS:
        raise ValueError(f"must be one of {', '.join(FORMATS)}")
    return name


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
