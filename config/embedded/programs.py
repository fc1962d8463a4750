"""Finds the servers' programs in their wheels, and copies them where the servers' user can't reach them."""

import importlib.metadata
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from config.embedded.home import Account, Home

NOT_NEEDED = shutil.ignore_patterns("pginstall", "include", "__pycache__", "*.a", "*.py")


def as_user(account: Account | None) -> dict[str, Any]:
    """What makes subprocess start a program as the servers' user, in a place that user can be in."""
    if account is None:
        return {"cwd": "/"}
    return {"cwd": "/", "user": account.uid, "group": account.gid, "extra_groups": []}


def runs(program: Path, account: Account | None) -> bool:
    """Whether the program is there, fits this machine, and may be run by the servers' user."""
    try:
        asked = subprocess.run([program, "--version"], capture_output=True, timeout=20, **as_user(account))
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.returncode == 0


def from_wheel(package: str, program: str, home: Home) -> Path | None:
    """A program inside an installed package, one that runs as the servers' user; None if there is none."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    if runs(folder / program, home.account):
        return folder / program
    if home.account is None or not runs(folder / program, None):
        return None
    copied = _copy(folder, home) / package / program
    return copied if runs(copied, home.account) else None


def _copy(folder: Path, home: Home) -> Path:
    """Copy a package with the libraries beside it to where the servers' user can run it, once per version."""
    version = importlib.metadata.version(folder.name.replace("_", "-"))
    place = home.files / f"programs-{folder.name}-{version}"
    if place.exists():
        return place
    draft = place.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    for source in (folder, folder.with_name(f"{folder.name}.libs")):
        if source.exists():
            shutil.copytree(source, draft / source.name, ignore=NOT_NEEDED, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return draft.rename(place)
