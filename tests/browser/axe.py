"""What axe-core finds on a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def find_violations(page: Page, selector: str) -> list[str]:
    """Return the violations that axe-core finds in the first match of a selector.

    axe-core checks the contrast only of what is in view.
    """
    # JupyterLab's body is 0 pixels high, so axe-core would take all its content for hidden.
    page.evaluate("document.body.style.height = '100vh'")
    results = Axe().run(page, context=[selector]).response
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in results["violations"]
        for node in violation["nodes"]
    ]
