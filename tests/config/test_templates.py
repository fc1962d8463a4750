"""Every text of a template is marked for translation: nothing that people read stands there bare."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(
    file
    for folder in (ROOT / "templates", *ROOT.glob("*/templates"))
    for file in folder.rglob("*")
    if file.suffix in (".html", ".txt")
)
# Names and formats that are the same in every language.
NAMES = {"Headroom", "CSV", "JSON", "UTC", "Hetzner", "https"}
MARKED = re.compile(r"\{%\s*blocktrans(?:late)?\b.*?\{%\s*endblocktrans(?:late)?\s*%\}", re.DOTALL)
SILENT = re.compile(
    r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}|<!--.*?-->|<(code|pre|script)\b.*?</\1>"
    r"|\{%\s*block solo_class\b.*?endblock",
    re.DOTALL,
)
CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
TAG = re.compile(r"<[^>]*>", re.DOTALL)
READ = re.compile(r"""\b(?:aria-label|title|placeholder|alt|data-l|label)=("[^"]*"|'[^']*')""")
ENTITY = re.compile(r"&\w+;|&#\d+;")
WORD = re.compile(r"[^\W\d_]{2,}")


def bare(source: str) -> list[str]:
    """The words that no translator would get to see."""
    text = CODE.sub("\x00", SILENT.sub(" ", MARKED.sub("\x00", source)))
    read = " ".join(found[1] for found in READ.finditer(text))
    words = WORD.findall(ENTITY.sub(" ", f"{TAG.sub(' ', text)} {read}"))
    return [word for word in words if word not in NAMES]


class TestTexts:
    @pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(ROOT)))
    def test_are_marked_for_translation(self, file: Path) -> None:
        assert not bare(file.read_text())

    def test_that_are_bare_are_found(self) -> None:
        assert bare("<p>{% translate 'Used' %} of it</p>") == ["of", "it"]
        assert bare('<a title="Next page" href="/x/">{{ name }}</a>') == ["Next", "page"]
        assert not bare(
            '{% blocktranslate with n=1 %}Used {{ n }}{% endblocktranslate %} <b class="x">CSV</b>'
        )
