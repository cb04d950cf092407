"""FusionPBX's tables as its versions make them, and rows as they are written there."""

import csv
from collections import defaultdict
from datetime import UTC, datetime
from uuid import UUID

from psycopg import sql

from pbx.agent.backend import CallRecord
from tests.settings import ROOT

ACME = UUID("11111111-1111-4111-8111-111111111111")
FIRST = UUID("33333333-3333-4333-8333-333333333333")
LONG_AGO = datetime(2026, 3, 10, 12, tzinfo=UTC)


def tables_of(version):
    """Column types by table, as that version's installer makes them."""
    tables = defaultdict(dict)
    with (ROOT / "tests" / "pbx" / "fusionpbx_columns.csv").open() as file:
        for row in csv.DictReader(file):
            if row[version]:
                tables[row["table"]][row["column"]] = row[version]
    return tables


class Rows:
    """Writes rows as FusionPBX of this version does: flags as text or as booleans."""

    def __init__(self, connection, tables):
        self.connection = connection
        self.tables = tables

    def add(self, table, **values):
        kept = {name: value for name, value in values.items() if name in self.tables[table]}
        for name, value in kept.items():
            if isinstance(value, bool) and self.tables[table][name] == "text":
                kept[name] = "true" if value else "false"
        columns = sql.SQL(", ").join(map(sql.Identifier, kept))
        marks = sql.SQL(", ").join(sql.Placeholder() * len(kept))
        insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        query = insert.format(sql.Identifier(table), columns, marks)
        self.connection.execute(query, list(kept.values()))

    def add_call(self, uuid, *, insert_date=LONG_AGO, **more):
        self.add(
            "v_xml_cdr",
            **{
                "xml_cdr_uuid": uuid,
                "domain_uuid": ACME,
                "domain_name": "acme.example",
                "extension_uuid": FIRST,
                "direction": "outbound",
                "leg": "a",
                "caller_id_name": "Front desk",
                "caller_id_number": "1001",
                "caller_destination": "4940123456",
                "destination_number": "4940123456",
                "start_epoch": 1773144000,
                "answer_epoch": 1773144005,
                "end_epoch": 1773144065,
                "billsec": 60,
                "billmsec": 60013,
                "hangup_cause": "NORMAL_CLEARING",
                "status": "answered",
                "accountcode": "acme.example",
                "insert_date": insert_date,
                **more,
            },
        )


def call_record(uuid, **more):
    return CallRecord(
        **{
            "xml_cdr_uuid": uuid,
            "domain_uuid": ACME,
            "domain_name": "acme.example",
            "extension_uuid": FIRST,
            "direction": "outbound",
            "leg": "a",
            "caller_id_name": "Front desk",
            "caller_id_number": "1001",
            "caller_destination": "4940123456",
            "destination_number": "4940123456",
            "start_epoch": 1773144000,
            "answer_epoch": 1773144005,
            "end_epoch": 1773144065,
            "billsec": 60,
            "billmsec": 60013,
            "hangup_cause": "NORMAL_CLEARING",
            "status": "answered",
            "accountcode": "acme.example",
            "insert_date": LONG_AGO,
            **more,
        }
    )
