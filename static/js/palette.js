"use strict";
/* The palette: go, find, do. Hits come from the server; the verbs of this screen are read from the screen. */
(() => {
  const { $, $$ } = portcullis;
  const dialog = $("#palette");
  if (!dialog) return;
  const input = $("input[type=search], input[name=q]", dialog);
  const hits = $("#palette-hits");
  const RECENT = "pc-recent";

  const items = () => $$("a.menu-item, button.menu-item", dialog).filter((item) => item.offsetParent);
  const recent = () => {
    try {
      return JSON.parse(sessionStorage.getItem(RECENT) || "[]");
    } catch {
      return [];
    }
  };

  function remember(link) {
    const label = $(".label-text", link)?.textContent || link.textContent.trim();
    const rest = recent().filter((hit) => hit.href !== link.getAttribute("href"));
    sessionStorage.setItem(RECENT, JSON.stringify([{ label, href: link.getAttribute("href") }, ...rest].slice(0, 6)));
  }

  function heading(text) {
    return Object.assign(document.createElement("h3"), { textContent: text });
  }

  function item(tag, label, end) {
    const node = document.createElement(tag);
    node.className = "menu-item";
    node.append(Object.assign(document.createElement("span"), { className: "label-text", textContent: label }));
    if (end) node.append(Object.assign(document.createElement("kbd"), { textContent: end }));
    return node;
  }

  function verbs(text) {
    const wanted = text.toLowerCase();
    return $$("#main [data-key]")
      .filter((node) => node.offsetParent && node.matches("a, button"))
      .map((node) => [node, (node.dataset.keyLabel || node.getAttribute("aria-label") || node.innerText).split("\n")[0].trim()])
      .filter(([, label]) => label && label.toLowerCase().includes(wanted))
      .slice(0, 5)
      .map(([node, label]) => {
        const button = item("button", label, node.dataset.key);
        button.type = "button";
        button.addEventListener("click", () => {
          dialog.close();
          node.click();
        });
        return button;
      });
  }

  function local() {
    const box = $("#palette-local");
    const text = input.value.trim();
    const old = text ? [] : recent().map((hit) => Object.assign(item("a", hit.label), { href: hit.href }));
    const here = verbs(text);
    box.replaceChildren(
      ...(old.length ? [heading("Recent"), ...old] : []),
      ...(here.length ? [heading("On this screen"), ...here] : []),
    );
  }

  dialog.addEventListener("dialog-opened", () => {
    input.select();
    local();
    window.htmx?.trigger(input, "palette-opened");
  });
  input.addEventListener("input", local);
  dialog.addEventListener("keydown", (event) => {
    const all = items();
    if (event.key === "Enter" && event.target === input) {
      event.preventDefault();
      all[0]?.click();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const at = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      (at < 0 ? input : all[Math.min(at, all.length - 1)])?.focus();
    } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.target !== input) input.focus();
  });
  hits.addEventListener("click", (event) => {
    const link = event.target.closest("a.menu-item");
    if (link) remember(link);
  });
})();
