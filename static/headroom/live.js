// Rings for the parts of a page that follow the counts: every five seconds, while the page is visible and live.
// As long as nothing changes, or nobody answers, it rings more and more seldom, down to twice a minute.
// HTMX listens for the event; a condition inside hx-trigger would need eval, which the page's policy forbids.
"use strict";

(() => {
  const SHORTEST = 5000;
  const LONGEST = 30000;
  const SLOWER = 1.5;
  let wait = SHORTEST;
  let next = 0;

  const ring = () => {
    const live = document.querySelector('.live[aria-pressed="true"]');
    if (!live || document.visibilityState !== "visible") return;
    for (const poller of document.querySelectorAll("[data-poll]")) poller.dispatchEvent(new CustomEvent("tick"));
  };
  const later = () => {
    clearTimeout(next);
    next = setTimeout(() => {
      ring();
      later();
    }, wait);
  };
  const hurry = () => {
    wait = SHORTEST;
    ring();
    later();
  };

  later();
  // A page that was hidden or paused catches up at once.
  document.addEventListener("visibilitychange", hurry);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "live") hurry();
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.elt.matches("[data-poll]")) return;
    wait = event.detail.xhr.status === 200 ? SHORTEST : Math.min(wait * SLOWER, LONGEST);
    later();
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

  // Numbers move silently; only another state is read out.
  const state = () => document.querySelector("#verdict .state, #state .state")?.textContent.trim();
  let known = state();
  document.addEventListener("htmx:oobAfterSwap", () => {
    const [said, now] = [document.getElementById("said"), state()];
    if (!said || now === known) return;
    known = now;
    said.textContent = `${now}. ${document.querySelector("h1").textContent.trim()}`;
  });

  // On a phone the tab of the page may lie beside the screen.
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // One menu at a time; a press beside it or Escape closes it.
  const close = (keep) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== keep) menu.open = false;
  };
  document.addEventListener("click", (event) => close(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.activeElement.closest("details.menu[open]")?.querySelector("summary").focus();
    close(null);
  });
})();
