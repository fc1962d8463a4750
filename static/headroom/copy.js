// Copies what is shown only once, and keeps a form that makes such a thing from being sent twice.
// Without scripts the button stays hidden, and people select and copy by themselves.
"use strict";

(() => {
  const select = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  };

  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    const said = document.getElementById(button.dataset.says);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        // Missing where the page did not come by https.
        await navigator.clipboard.writeText(source.textContent.trim());
        said.textContent = said.dataset.copied;
      } catch {
        select(source);
        said.textContent = said.dataset.selected;
      }
    });
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once]")) return;
    if (event.target.dataset.once === "sent") event.preventDefault();
    event.target.dataset.once = "sent";
  });
  // A page that comes back by the browser's own way back can be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-once]")) form.dataset.once = "";
  });
})();
