"use strict";
/* Single keys. They are dead inside fields and can be switched off (WCAG 2.1.4). A screen takes part by writing
   data-key="p" on a button or link; nothing is registered here but what works everywhere. */
(() => {
  const { $, $$, store, drawer, lists } = portcullis;
  const isOn = () => store.get("pc-keys") !== "off";
  const typing = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  let went = 0;

  const shown = (node) => node.offsetParent !== null || node.closest(":popover-open");

  /* The nearest meaning wins: an open dialog alone, then the drawer, then the current row, then the page. */
  function meant(key) {
    const selector = `[data-key="${CSS.escape(key)}"]`;
    const dialog = $("dialog[open]");
    const places = dialog ? [dialog] : [$("#toasts"), $("#drawer"), lists.current(), $("#main"), document];
    for (const place of places) {
      const found = place && $$(selector, place).find(shown);
      if (found) return found;
    }
    return null;
  }

  function press(node) {
    if (node.matches("input, select, textarea")) node.focus();
    else node.click();
  }

  const everywhere = {
    "/": () => $("[data-filter], .query input")?.focus(),
    "?": () => portcullis.openDialog("keys"),
    j: () => (drawer.isOpen() ? drawer.walk(1) : lists.move(1)),
    k: () => (drawer.isOpen() ? drawer.walk(-1) : lists.move(-1)),
    x: () => lists.tick(),
    o: () => $("[popovertarget=switcher]")?.click(),
    t: () => portcullis.setTheme(portcullis.isDark() ? "light" : "dark"),
    ".": () => lists.current()?.querySelector("[popovertarget]")?.click(),
    c: () => $("[data-copy-link]")?.click(),
    g: () => (went = Date.now()),
    "[": () => $("[data-rail-toggle]")?.click(),
  };

  function escape() {
    if (portcullis.openMenu() || $("dialog[open]")) return;
    if (lists.anyTicked()) lists.clear();
    else drawer.close();
  }

  function nameOf(event) {
    const key = event.key === " " ? "Space" : event.key;
    return event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key;
  }

  document.addEventListener("keydown", (event) => {
    const key = nameOf(event);
    if (key.toLowerCase() === "ctrl+k") {
      event.preventDefault();
      return portcullis.openDialog("palette");
    }
    if (key === "Escape") return typing(event.target) ? event.target.blur() : escape();
    if (event.altKey || event.defaultPrevented || !isOn()) return;
    if (typing(event.target) && key !== "Ctrl+Enter") return;
    if ((key === "Space" || key === "Enter") && event.target.closest("a, button, summary, input")) return;
    const go = Date.now() - went < 1200 && $(`.rail [data-go="${CSS.escape(key)}"]`);
    went = 0;
    const found = go || meant(key);
    const dialogOpen = $("dialog[open]");
    if (found) press(found);
    else if (!dialogOpen && key in everywhere) everywhere[key]();
    else return;
    event.preventDefault();
  });

  /* the sheet: what this screen understands, read from the screen itself ------------------------------------------------ */
  const words = (node) => {
    const copy = node.cloneNode(true);
    $$("kbd, svg", copy).forEach((part) => part.remove());
    return node.dataset.keyLabel || copy.textContent.trim() || node.getAttribute("aria-label") || "";
  };

  function fillSheet() {
    const list = $("#keys-here");
    const seen = new Set();
    list?.replaceChildren(
      ...$$("#main [data-key]").filter((n) => shown(n) && !seen.has(n.dataset.key) && seen.add(n.dataset.key)).map((node) => {
        const line = document.createElement("div");
        line.append(
          Object.assign(document.createElement("dt"), { textContent: words(node).replace(/\s*\([^)]*\)$/, "") }),
          document.createElement("dd"),
        );
        line.lastChild.append(Object.assign(document.createElement("kbd"), { textContent: node.dataset.key }));
        return line;
      }),
    );
    $("#keys-none")?.toggleAttribute("hidden", seen.size > 0);
  }

  $("#keys")?.addEventListener("dialog-opened", fillSheet);
  const box = $("#keys-on");
  if (box) {
    box.checked = isOn();
    box.addEventListener("change", () => store.set("pc-keys", box.checked ? "on" : "off"));
  }
})();
