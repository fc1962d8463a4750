"""Where the embedded servers' files lie and as whom they run: PostgreSQL refuses root."""

import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from config.embedded.errors import EmbeddedError


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that the servers run as where the caller is root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """The servers' folders; `account` is None where they run as the caller."""

    files: Path
    sockets: Path
    account: Account | None

    def make_folder(self, name: str) -> Path:
        """A folder of one server, closed to everybody else."""
        folder = self.files / name
        folder.mkdir(mode=0o700, exist_ok=True)
        self.give(folder)
        return folder

    def give(self, path: Path | int) -> None:
        """Hand a folder or an open file of ours to the servers' user."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)


def open_home(data: Path) -> Home:
    """Find or make the servers' folders of a data folder.

    `data/servers` is a folder, or, where root keeps the data in a place that others can't enter, a link to
    one below /var/tmp: no parent folder's rights are ever changed.
    """
    files = data / "servers"
    if not files.exists():
        files.unlink(missing_ok=True)  # a link whose folder was cleaned away
        if os.geteuid() == 0 and not _others_can_enter(data):
            away = tempfile.mkdtemp(prefix="headroom-", dir="/var/tmp")
            files.symlink_to(away)
        files.mkdir(exist_ok=True)
        files.chmod(0o711 if os.geteuid() == 0 else 0o700)
    # A socket's address holds some hundred bytes, so it never lies in the data folder.
    home = Home(
        files.resolve(), Path(tempfile.mkdtemp(prefix="headroom-", dir=_short_folder())), _account(files)
    )
    home.give(home.sockets)
    return home


def remove_home(data: Path) -> None:
    """Delete a data folder with the servers' files, wherever those lie."""
    shutil.rmtree((data / "servers").resolve(), ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)


def _others_can_enter(folder: Path) -> bool:
    resolved = folder.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (resolved, *resolved.parents))


def _short_folder() -> str:
    folder = tempfile.gettempdir()
    is_fit = len(folder) < 60 and (os.geteuid() != 0 or _others_can_enter(Path(folder)))
    return folder if is_fit else "/tmp"  # noqa: S108 only mkdtemp makes names in it


def _account(files: Path) -> Account | None:
    """Whoever owns the data already (root may follow a plain user), else nobody."""
    if os.geteuid() != 0:
        return None
    for folder in files.glob("*/"):
        owner = folder.stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedError(
            "PostgreSQL refuses root and there is no user nobody: run as a plain user."
        ) from error
    return Account(nobody.pw_uid, nobody.pw_gid)
