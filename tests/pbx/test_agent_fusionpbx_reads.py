"""The agent's SQL on PostgreSQL, against tables with the column types of five versions."""

import os
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pbx.agent.backend import Cursor, Extension, Gateway, NotThere, Tenant, Unavailable
from pbx.agent.fusionpbx_database import Database
from pbx.agent.fusionpbx_reads import FusionPbxReads
from tests.pbx.fusionpbx_rows import ACME, FIRST, LONG_AGO, Rows, call_record, tables_of
from tests.settings import ROOT

pytestmark = pytest.mark.postgres

VERSIONS = ("5.1.0", "5.3.0", "5.4.4", "5.5.7", "5.6.4-dev")
SCHEMA = "a_fusionpbx"
BETA = UUID("22222222-2222-4222-8222-222222222222")
SECOND = UUID("44444444-4444-4444-8444-444444444444")
THIRD = UUID("55555555-5555-4555-8555-555555555555")
CALLS = [UUID(int=number) for number in range(1, 6)]


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def rows(version):
    """The version's tables, in a schema of their own."""
    tables = tables_of(version)
    with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(f"SET search_path = {SCHEMA}")
        for table, columns in tables.items():
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"CREATE TABLE {table} ({listed})")
        yield Rows(connection, tables)
        connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


@pytest.fixture
def dsn():
    url = os.environ["TEST_DATABASE_URL"]
    return make_conninfo(url, options=f"-c search_path={SCHEMA}")


@pytest.fixture
def database(rows, dsn):
    opened = Database(dsn)
    yield opened
    opened.close()


@pytest.fixture
def reads(database):
    return FusionPbxReads(database.run)


def page(reads, **wish):
    calls, _ = reads.list_calls(**{"since": None, "after": None, "limit": 100, **wish})
    return [call.xml_cdr_uuid for call in calls]


# --- Tenants and extensions ---


def test_tenants_are_read_with_their_numbers_and_flags(rows, reads):
    domain = {"domain_description": "Acme", "insert_date": LONG_AGO}
    rows.add("v_domains", domain_uuid=BETA, domain_name="Beta.example", domain_enabled=False)
    rows.add(
        "v_domains", domain_uuid=ACME, domain_name="acme.example", domain_enabled=True, **domain
    )
    for uuid, number in ((FIRST, "1001"), (SECOND, "999"), (THIRD, None)):
        rows.add("v_extensions", extension_uuid=uuid, domain_uuid=ACME, extension=number)

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    acme = Tenant(ACME, "acme.example", "Acme", False, ("999", "1001"), LONG_AGO)
    beta = Tenant(BETA, "Beta.example", "", True, (), epoch)
    assert reads.list_tenants() == [acme, beta]
    assert reads.get_tenant(ACME) == acme
    assert reads.find_tenant("BETA.example") == beta


def test_a_tenant_that_is_not_there_is_said_so(rows, reads):
    for ask in (
        lambda: reads.get_tenant(ACME),
        lambda: reads.find_tenant("acme.example"),
        lambda: reads.list_extensions(ACME),
    ):
        with pytest.raises(NotThere):
            ask()

    assert reads.list_tenants() == []


def test_extensions_are_enabled_only_if_their_flag_says_true(rows, reads):
    rows.add("v_domains", domain_uuid=ACME, domain_name="acme.example", domain_enabled=True)
    for uuid, number, enabled in (
        (SECOND, "1002", False),
        (FIRST, "1001", True),
        (THIRD, "9", None),
    ):
        rows.add(
            "v_extensions",
            extension_uuid=uuid,
            domain_uuid=ACME,
            extension=number,
            effective_caller_id_name="Front desk" if enabled else None,
            password="s3cret" if enabled else None,
            enabled=enabled,
        )

    assert reads.list_extensions(ACME) == [
        Extension(THIRD, ACME, "9", "", "", False),
        Extension(FIRST, ACME, "1001", "Front desk", "s3cret", True),
        Extension(SECOND, ACME, "1002", "", "", False),
    ]


# --- Gateways ---


def test_gateways_are_read_with_freeswitchs_states(rows, reads):
    trunks = [
        (FIRST, "trunk_b", "sip.b.example", "", True),
        (SECOND, "trunk_a", "", "sip.a.example", True),
        (THIRD, "trunk_c", None, None, False),
    ]
    for uuid, name, proxy, realm, enabled in trunks:
        rows.add(
            "v_gateways",
            gateway_uuid=uuid,
            gateway=name,
            proxy=proxy,
            realm=realm,
            username="acme",
            enabled=enabled,
        )

    assert reads.list_gateways({str(FIRST): "FAIL_WAIT", str(SECOND): "REGED"}) == [
        Gateway(SECOND, "trunk_a", "sip.a.example", "acme", True, "REGED", True),
        Gateway(FIRST, "trunk_b", "sip.b.example", "acme", True, "FAIL_WAIT", False),
        Gateway(THIRD, "trunk_c", "", "acme", False, "DOWN", False),
    ]


# --- Calls ---


def test_a_call_is_read_by_its_columns(rows, reads, version):
    rows.add_call(CALLS[0])

    calls, now = reads.list_calls(since=None, after=None, limit=10)

    # 5.1 has no column for the status.
    assert calls == [call_record(CALLS[0], status="" if version == "5.1.0" else "answered")]
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_call_of_nobody_with_nothing_in_it_is_read_too(rows, reads):
    empty = dict.fromkeys(call_record(CALLS[0]).__slots__)
    rows.add("v_xml_cdr", **{**empty, "xml_cdr_uuid": CALLS[0], "insert_date": LONG_AGO})

    calls, _ = reads.list_calls(since=None, after=None, limit=10)

    nobody = {"domain_uuid": None, "domain_name": None, "extension_uuid": None, "direction": None}
    texts = dict.fromkeys(
        [
            *("leg", "caller_id_name", "caller_id_number", "caller_destination"),
            *("destination_number", "hangup_cause", "status", "accountcode"),
        ],
        "",
    )
    numbers = dict.fromkeys(["start_epoch", "answer_epoch", "end_epoch", "billsec", "billmsec"], 0)
    assert calls == [call_record(CALLS[0], **nobody, **texts, **numbers)]


def test_pages_follow_the_order_of_arrival_and_break_ties_by_uuid(rows, reads):
    later = LONG_AGO + timedelta(microseconds=1)
    for uuid, at in zip(
        [CALLS[3], CALLS[1], CALLS[0], CALLS[2]], [LONG_AGO, later, later, LONG_AGO], strict=True
    ):
        rows.add_call(uuid, insert_date=at)

    first = page(reads, limit=3)
    rest = page(reads, after=Cursor(later, CALLS[0]))

    assert first == [CALLS[2], CALLS[3], CALLS[0]]
    assert rest == [CALLS[1]]
    assert page(reads, after=Cursor(later, CALLS[1])) == []


def test_a_late_row_with_an_old_call_is_found_after_the_cursor(rows, reads):
    rows.add_call(CALLS[4])
    seen = Cursor(LONG_AGO, CALLS[4])

    rows.add_call(CALLS[0], start_epoch=1, insert_date=LONG_AGO + timedelta(days=3))

    assert page(reads, after=seen) == [CALLS[0]]


def test_since_includes_its_own_moment(rows, reads):
    for uuid, minutes in zip(CALLS, (0, 1, 2), strict=False):
        rows.add_call(uuid, insert_date=LONG_AGO + timedelta(minutes=minutes))

    assert page(reads, since=LONG_AGO + timedelta(minutes=1)) == CALLS[1:3]


def test_fresh_rows_are_held_back_for_a_minute_and_undated_ones_for_good(rows, reads):
    now = datetime.now(UTC)
    rows.add_call(CALLS[0], insert_date=now - timedelta(seconds=30))
    rows.add_call(CALLS[1], insert_date=now - timedelta(seconds=90))
    rows.add_call(CALLS[2], insert_date=None)

    assert page(reads) == [CALLS[1]]


def test_nothing_new_costs_one_query_and_still_tells_the_time(rows, database):
    queries = []

    def run(query, parameters):
        queries.append(query)
        return database.run(query, parameters)

    reads = FusionPbxReads(run)
    queries.clear()
    calls, now = reads.list_calls(since=None, after=Cursor(LONG_AGO, CALLS[0]), limit=10)

    assert (calls, len(queries)) == ([], 1)
    assert now.tzinfo is not None


def test_calls_of_some_days_come_in_order_of_their_beginning(rows, reads):
    for uuid, start in zip(CALLS, (200, 100, 99, 300), strict=False):
        rows.add_call(uuid, start_epoch=start)

    def begun(limit):
        start, end = datetime.fromtimestamp(100, UTC), datetime.fromtimestamp(300, UTC)
        return [
            one.xml_cdr_uuid for one in reads.list_calls_begun(start=start, end=end, limit=limit)
        ]

    assert (begun(10), begun(1)) == ([CALLS[1], CALLS[0]], [CALLS[1]])


# --- The connection ---


@pytest.mark.parametrize("version", ["5.3.0"])
def test_nothing_can_be_written(rows, database):
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        database.run("DELETE FROM v_domains RETURNING 1", {})


@pytest.fixture
def reader(rows):
    """The role of the shipped file, made by it in the version's schema."""
    text = (ROOT / "deploy" / "pbx-agent-reader.sql").read_text()
    statements = re.sub("--.*", "", text).replace(":'password'", "'s3cret'").split(";")
    for statement in statements:
        if statement.strip():
            rows.connection.execute(statement)
    rows.connection.execute(f"GRANT USAGE ON SCHEMA {SCHEMA} TO pbx_reader")
    yield "pbx_reader"
    rows.connection.execute("DROP OWNED BY pbx_reader")
    rows.connection.execute("DROP ROLE pbx_reader")


def test_the_shipped_role_may_read_what_is_needed_and_nothing_else(rows, dsn, reader):
    rows.add("v_domains", domain_uuid=ACME, domain_name="acme.example", domain_enabled=True)
    rows.add_call(CALLS[0])
    rows.connection.execute("CREATE TABLE v_users (password text)")
    database = Database(make_conninfo(dsn, user=reader, password="s3cret"))
    reads = FusionPbxReads(database.run)

    tenants, gateways = reads.list_tenants(), reads.list_gateways({})
    extensions, calls = reads.list_extensions(ACME), page(reads)

    assert [tenant.tenant_id for tenant in tenants] == [ACME]
    assert (extensions, gateways, calls) == ([], [], [CALLS[0]])
    for query in ("SELECT * FROM v_users", "SELECT * FROM v_gateways"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.run(query, {})
    database.close()


def test_the_shipped_role_may_not_write_even_where_it_tries(rows, reader):
    rows.add_call(CALLS[0])
    rows.connection.execute("SET ROLE pbx_reader")

    for statement in ("DELETE FROM v_xml_cdr", "UPDATE v_extensions SET password = 'x'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows.connection.execute(statement)
    rows.connection.execute("RESET ROLE")


def test_a_query_that_takes_too_long_is_unavailable(dsn, monkeypatch):
    monkeypatch.setattr("pbx.agent.fusionpbx_database.STATEMENT_TIMEOUT_MS", 50)
    database = Database(dsn)

    with pytest.raises(Unavailable, match="does not answer: canceling statement"):
        database.run("SELECT pg_sleep(5)", {})
    database.close()


def test_a_database_that_is_not_there_is_unavailable(monkeypatch, tmp_path):
    monkeypatch.setattr("pbx.agent.fusionpbx_database.CONNECT_TIMEOUT_S", 1)
    database = Database(f"host={tmp_path} dbname=fusionpbx user=pbx_agent password=hunter2")

    with pytest.raises(Unavailable) as caught:
        database.run("SELECT 1", {})
    database.close()

    assert "hunter2" not in str(caught.value)
