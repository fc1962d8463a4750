// Rings for the parts of a page that follow the counts: every five seconds, while the page is visible and live.
// HTMX listens for the event; a condition inside hx-trigger would need eval, which the page's policy forbids.
"use strict";

(() => {
  const INTERVAL = 5000;

  const ring = () => {
    const live = document.querySelector('.live[aria-pressed="true"]');
    if (!live || document.visibilityState !== "visible") return;
    for (const poller of document.querySelectorAll("[data-poll]")) poller.dispatchEvent(new CustomEvent("tick"));
  };

  setInterval(ring, INTERVAL);
  // A page that was hidden or paused catches up at once.
  document.addEventListener("visibilitychange", ring);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "live") ring();
  });

  // Nothing changed: the answer has no body, but the counts were read again, so the page says until when.
  document.addEventListener("htmx:afterRequest", (event) => {
    const counted = event.detail.xhr.getResponseHeader("X-Counted-To");
    const said = event.detail.xhr.getResponseHeader("X-Counted-Text");
    const time = document.querySelector("#counted time");
    if (event.detail.xhr.status !== 204 || !counted || !time) return;
    time.dateTime = counted;
    time.textContent = said;
  });

  // On a phone the tab of the page may lie beside the screen.
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // One menu at a time; a press beside it or Escape closes it.
  const close = (keep) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== keep) menu.open = false;
  };
  document.addEventListener("click", (event) => close(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(null);
  });
})();
