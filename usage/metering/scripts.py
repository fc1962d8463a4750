"""The Lua scripts beside this file, each read once, with the SHA-1 that Redis knows it by."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

FOLDER = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text, and the name EVALSHA calls it by."""

    name: str
    text: str
    sha: str


def _read(name: str) -> Script:
    text = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())


CONSUME, COLLECT, SETTLE, OPEN, REWRITE, RAISE, CAP = map(
    _read, ("consume", "collect", "settle", "open", "rewrite", "raise", "cap")
)
