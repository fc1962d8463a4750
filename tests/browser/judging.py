"""Looks at a page as axe-core does, and for what sticks out at its side: light, dark and on the narrowest screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, ViewportSize

from tests.browser.window import DESK

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
NARROW: ViewportSize = {"width": 320, "height": 800}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# What colours and widths can change: the rest is judged once.
OF_COLOURS = ["color-contrast", "link-in-text-block"]
OF_WIDTHS = [*OF_COLOURS, "target-size", "scrollable-region-focusable", "empty-table-header"]

RUN = """async (only) => {
  const { violations } = await axe.run(document, { runOnly: only, resultTypes: ["violations"], preload: false });
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id} (${help}): ${node.html.slice(0, 200)} ${node.any[0]?.message ?? ""}`));
}"""
# Still: a colour on its way from one to another is neither.
CALM: dict[str, Any] = {"reduced_motion": "reduce", "color_scheme": "light", "viewport": DESK}


def faults(page: Page) -> list[str]:
    """What is wrong with the page that is open, each with the way it was looked at."""
    found = [f"light: {one}" for one in _axe(page, {"type": "tag", "values": TAGS})]
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in _axe(page, {"type": "rule", "values": OF_COLOURS})]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(NARROW)
    found += [f"narrow: {one}" for one in _axe(page, {"type": "rule", "values": OF_WIDTHS})]
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > NARROW["width"]:
        found.append(f"narrow: {width} px wide")
    page.set_viewport_size(DESK)
    return found


def _axe(page: Page, only: dict[str, object]) -> list[str]:
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(RUN, only)
    return found
