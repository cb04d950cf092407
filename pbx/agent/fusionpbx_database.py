"""The connection to FusionPBX's database; the one file of the agent that needs a library.

Read-only, with a limit on every query, by a role of the agent's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from .backend import Unavailable

STATEMENT_TIMEOUT_MS = 20_000
CONNECT_TIMEOUT_S = 5
MAX_CONNECTIONS = 4


class Database:
    """`dsn` is PostgreSQL's own, such as `host=127.0.0.1 dbname=fusionpbx user=pbx_agent
    sslmode=require`.  Threads may share it; connections are opened as they are needed."""

    def __init__(self, dsn: str) -> None:
        given = str(conninfo_to_dict(dsn).get("options") or "")
        ours = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_TIMEOUT_MS}"
        self._pool = ConnectionPool(
            dsn,
            min_size=0,
            max_size=MAX_CONNECTIONS,
            timeout=CONNECT_TIMEOUT_S,
            kwargs={
                "options": f"{given} {ours} -c timezone=UTC",
                "autocommit": True,
                "connect_timeout": CONNECT_TIMEOUT_S,
            },
            open=True,
        )

    def run(self, query: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        """The rows of one query.  Raises Unavailable if the database does not answer."""
        try:
            with self._pool.connection() as connection:
                return connection.execute(query, parameters).fetchall()
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable(f"The PBX's database does not answer: {_said(error)}") from error

    def close(self) -> None:
        self._pool.close()


def _said(error: Exception) -> str:
    """The error's first line: further ones may tell about the connection."""
    return str(error).partition("\n")[0]
