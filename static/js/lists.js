"use strict";
/* Lists: the current row, ticking with a bulk bar, and which columns show. State that matters stands in the address;
   here is only what belongs to this browser. */
portcullis.lists = (() => {
  const { $, $$, say, store } = portcullis;

  /* the current row ------------------------------------------------------------------------------------------------ */
  const rows = () => $$("[data-rows] > *, .queue > a").filter((row) => row.offsetParent && row.querySelector("a, input") || row.tagName === "A");
  const current = () => document.activeElement?.closest?.("[data-rows] > *, .queue > a") || $("[data-drawer-row]");

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(current());
    const row = all[Math.max(0, Math.min(all.length - 1, at < 0 ? 0 : at + step))];
    const link = row.tagName === "A" ? row : $("a[href], button, input", row);
    link?.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  /* ticking -------------------------------------------------------------------------------------------------------- */
  const boxes = (form) => $$('tbody input[type="checkbox"][data-tick]', form);

  function recount(form) {
    const all = boxes(form);
    const ticked = all.filter((box) => box.checked);
    const bar = $("[data-bulk-bar]", form);
    const head = $("[data-tick-all]", form);
    all.forEach((box) => box.closest("tr")?.toggleAttribute("data-ticked", box.checked));
    if (head) {
      head.checked = ticked.length > 0 && ticked.length === all.length;
      head.indeterminate = ticked.length > 0 && ticked.length < all.length;
    }
    if (!bar) return;
    bar.hidden = ticked.length === 0;
    $$("[data-bulk-count]", bar).forEach((node) => (node.textContent = ticked.length));
  }

  let lastTicked = null;
  function ticked(event) {
    const form = event.target.closest("[data-bulk]");
    if (!form) return;
    if (event.target.matches("[data-tick-all]")) boxes(form).forEach((box) => (box.checked = event.target.checked));
    else if (!event.target.matches("[data-tick]")) return;
    recount(form);
    say(`${boxes(form).filter((box) => box.checked).length} selected`);
  }

  /* Shift extends from the last ticked row, as everywhere else. */
  function extend(event) {
    const box = event.target.closest?.("[data-tick]");
    if (!box) return;
    const all = boxes(box.closest("[data-bulk]"));
    if (event.shiftKey && lastTicked && all.includes(lastTicked)) {
      const [from, to] = [all.indexOf(lastTicked), all.indexOf(box)].sort((a, b) => a - b);
      all.slice(from, to + 1).forEach((other) => (other.checked = box.checked));
    }
    lastTicked = box;
  }

  const clear = () =>
    $$("[data-bulk]").forEach((form) => {
      boxes(form).forEach((box) => (box.checked = false));
      recount(form);
    });
  const anyTicked = () => Boolean($("[data-bulk-bar]:not([hidden])"));
  const tick = () => current()?.querySelector("[data-tick]")?.click();

  /* columns -------------------------------------------------------------------------------------------------------- */
  const hiddenOf = (view) => new Set((store.get(`pc-columns-${view}`) || "").split(",").filter(Boolean));

  function applyColumns() {
    $$("table[data-columns]").forEach((table) => {
      const gone = hiddenOf(table.dataset.columns);
      $$("thead th", table).forEach((head, index) => {
        if (!head.dataset.column) return;
        const off = gone.has(head.dataset.column);
        $$(`tr > :nth-child(${index + 1}):not([colspan])`, table).forEach((cell) => (cell.hidden = off));
      });
    });
    $$("[data-column-toggle]").forEach((box) => {
      const [view, column] = box.dataset.columnToggle.split(":");
      box.checked = !hiddenOf(view).has(column);
    });
  }

  function toggleColumn(box) {
    const [view, column] = box.dataset.columnToggle.split(":");
    const gone = hiddenOf(view);
    if (box.checked) gone.delete(column);
    else gone.add(column);
    store.set(`pc-columns-${view}`, [...gone].join(","));
    applyColumns();
  }

  /* relative times ------------------------------------------------------------------------------------------------- */
  const STEPS = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

  function refreshTimes() {
    $$("time[data-ago]").forEach((node) => {
      const seconds = Math.round((Date.now() - Date.parse(node.dateTime)) / 1000);
      if (Number.isNaN(seconds)) return;
      const [, unit, word] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
      const count = `${Math.round(Math.abs(seconds) / unit)} ${word}`;
      const words = seconds < 0 ? `in ${count}` : `${count} ago`;
      if (node.textContent !== words) node.textContent = words;
    });
  }

  document.addEventListener("change", (event) => {
    ticked(event);
    if (event.target.matches("[data-column-toggle]")) toggleColumn(event.target);
  });
  document.addEventListener("click", (event) => {
    extend(event);
    if (event.target.closest("[data-bulk-clear]")) clear();
  });
  const refresh = () => {
    applyColumns();
    refreshTimes();
    $$("[data-bulk]").forEach(recount);
  };
  document.body.addEventListener("htmx:afterSettle", refresh);
  setInterval(() => document.hidden || refreshTimes(), 15000);
  refresh();
  return { move, tick, clear, anyTicked, current };
})();
