"""What axe-core finds in a page: contrast, names, roles, order, what a keyboard and a screen reader need."""

from __future__ import annotations

import functools
from typing import Any

from tests.browser import Browser
from tests.child import ROOT

AXE = ROOT / "tests" / "axe" / "axe.min.js"

SERIOUS = """
axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]))
"""


@functools.cache
def source() -> str:
    """The library."""
    return AXE.read_text()


def serious(browser: Browser) -> list[Any]:
    """Rules that the page breaks, each with the first elements that do, if that is serious."""
    if not browser.run("'axe' in window"):
        browser.run(f"{source()};undefined")
    found: list[Any] = browser.run(SERIOUS)
    return found
