"""Windows of Chromium in which people are signed in; whatever a page does that it must not is noted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    StorageState,
    ViewportSize,
)

from tests.browser.site import Site
from tests.conftest import PASSWORD

PATIENCE = 30_000  # ms, for a busy machine
PHONE: ViewportSize = {"width": 390, "height": 844}
SEND = """([path, typed, token]) => {
  const form = document.createElement("form");
  const held = document.querySelector("input[name=csrfmiddlewaretoken]").value;
  Object.assign(form, { method: "post", action: path });
  for (const [name, value] of Object.entries({ ...typed, csrfmiddlewaretoken: token || held })) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}"""
DESK: ViewportSize = {"width": 1280, "height": 900}


class Windows:
    """Opens windows for one test; `wrong` lists requests to other hosts, scripts' errors, what the policy forbade."""

    def __init__(self, chromium: Browser, site: Site, states: dict[str, StorageState]) -> None:
        self.chromium, self.site, self.states = chromium, site, states
        self.wrong: list[str] = []
        self.expected: set[str] = set()  # pages whose status is an error on purpose: the console says so
        self._opened: list[BrowserContext] = []

    def stranger(self, **options: Any) -> Page:
        """A window in which nobody is signed in."""
        context = self.chromium.new_context(**{"base_url": self.site.url, "viewport": DESK, **options})
        context.set_default_timeout(PATIENCE)
        context.on("request", self._on_request)
        context.on("response", self._on_response)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.wrong.append(f"{error.error}"))
        self._opened.append(context)
        return context.new_page()

    def of(self, email: str, **options: Any) -> Page:
        """A window in which somebody is signed in."""
        if email not in self.states:
            page = self.stranger()
            sign_in(page, email)
            self.states[email] = page.context.storage_state()
            page.context.close()  # a busy machine hardly attends to windows behind the one in front
        return self.stranger(storage_state=self.states[email], **options)

    def refused(self, page: Page, path: str) -> int:
        """Go to a page that answers with an error on purpose; its status."""
        self.expected.add(f"{self.site.url}{path}")
        answer = page.goto(path)
        return answer.status if answer else 0

    def send(self, page: Page, path: str, typed: dict[str, str], token: str = "") -> int:
        """Send a form from the page that is open, with a mistake in it on purpose; the status of the answer.

        Without scripts, and with what a browser itself would not let through; `token` replaces the page's own.
        """
        self.expected.add(f"{self.site.url}{path}")
        with page.expect_navigation() as answered:
            page.evaluate(SEND, [path, typed, token])
        return answered.value.status if answered.value else 0

    def close(self) -> None:
        for context in self._opened:
            context.close()

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme != "data" and f"{address.scheme}://{address.netloc}" != self.site.url:
            self.wrong.append(f"requested from elsewhere: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500 or (response.status >= 400 and response.url not in self.expected):
            self.wrong.append(f"{response.status} of {response.url}")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and message.location["url"] not in self.expected:
            self.wrong.append(f"console of {message.location['url']}: {message.text}")


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """Fill in the form and send it."""
    if urlsplit(page.url).path != "/sign-in/":
        page.goto("/sign-in/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()
