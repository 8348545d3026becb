"use strict";
/* The ordered list of policies: drag by the handle (mouse, pen, touch), type over a number, keys on the current row, and
   one menu for all rows. Everything here is also a link or a form; the server says what a move would do and did. */
(() => {
  const { $, $$, say, toast, lists, openMenu } = portcullis;
  const KEYS = { J: "down", K: "up", T: "top", B: "bottom" };
  const table = () => $("#policy-table");
  const rowOf = (node) => node?.closest?.("tr[data-policy]");
  const current = () => rowOf(lists.current()) || rowOf(document.activeElement);
  let returnTo = "";

  /* Posting one change of one row: with the number it was seen at, and as many rows as are shown. */
  function post(row, what, values) {
    returnTo = row.id;
    const path = `${location.pathname}${row.dataset.policy}/${what}/`;
    window.htmx.ajax("POST", path, { source: table(), target: "#policy-table", swap: "outerHTML", values });
  }
  const move = (row, place) => post(row, "move", { place, seen: row.dataset.seen });

  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    const shown = $$("#rows > tr:not(.band)").length;
    if (detail.verb === "post" && detail.target?.id === "policy-table") detail.parameters.shown = shown;
    if (detail.elt.id === "policy-table" && detail.verb === "get") {
      detail.path = location.pathname + location.search;
      detail.parameters.shown = shown;
    }
    if (detail.elt.matches?.("[data-keeps-theirs]")) detail.path = location.pathname + location.search;
  });

  document.body.addEventListener("htmx:afterSettle", ({ detail }) => {
    const row = returnTo && document.getElementById(returnTo);
    if (!row || detail.target?.id !== "policy-table" || $("dialog[open]")) return;
    returnTo = "";
    ($("[data-edits]", row) || $("a", row))?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  });

  /* drag ------------------------------------------------------------------------------------------------------------ */
  let drag = null;

  function grab(event) {
    const handle = event.target.closest?.("[data-handle]");
    if (!handle || event.button) return;
    event.preventDefault();
    const why = table().dataset.still;
    if (why) return toast(why);
    const row = rowOf(handle);
    drag = { row, over: null, after: false, y: event.clientY, id: event.pointerId };
    handle.setPointerCapture(event.pointerId);
    row.classList.add("dragging");
    $("body").classList.add("is-dragging");
    say(`Moving. Escape cancels.`);
  }

  /* Rows of the same kind alone: built-in and custom policies never change places. */
  function follow(event) {
    if (!drag) return;
    drag.y = event.clientY;
    mark();
  }

  function mark() {
    const rows = $$(`#rows > tr[data-kind="${drag.row.dataset.kind}"]`).filter((row) => row !== drag.row);
    $$(".drop-here, .drop-above").forEach((row) => row.classList.remove("drop-here", "drop-above"));
    const below = rows.find((row) => middle(row) > drag.y);
    drag.over = below || rows.at(-1) || null;
    drag.after = !below;
    drag.over?.classList.add(drag.after ? "drop-here" : "drop-above");
  }

  const middle = (row) => {
    const box = row.getBoundingClientRect();
    return box.top + box.height / 2;
  };

  function scrollAlong() {
    if (drag) {
      const edge = 64;
      const by = drag.y < edge + 56 ? -12 : drag.y > innerHeight - edge ? 12 : 0;
      if (by) {
        window.scrollBy(0, by);
        mark();
      }
    }
    requestAnimationFrame(scrollAlong);
  }

  function drop(event) {
    if (!drag) return;
    const { row, over, after } = drag;
    letGo();
    if (event.type !== "pointerup" || !over) return;
    const neighbour = after ? over.nextElementSibling : over.previousElementSibling;
    if (neighbour === row) return; // where it was
    move(row, `${after ? "after" : "before"}:${over.id.replace("policy-", "")}`);
  }

  function letGo() {
    drag?.row.classList.remove("dragging");
    $("body").classList.remove("is-dragging");
    $$(".drop-here, .drop-above").forEach((row) => row.classList.remove("drop-here", "drop-above"));
    drag = null;
  }

  document.addEventListener("pointerdown", grab);
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", drop);
  requestAnimationFrame(scrollAlong);

  /* the number: click, type, Enter ------------------------------------------------------------------------------------ */
  function typeOver(link) {
    const row = rowOf(link);
    const box = Object.assign(document.createElement("input"), {
      type: "text", inputMode: "numeric", className: "order-box mono", value: link.textContent.trim(), maxLength: 7,
    });
    box.setAttribute("aria-label", "Order. Enter saves, Escape leaves it.");
    const leave = () => box.replaceWith(link);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        leave();
        link.focus();
      }
      if (event.key !== "Enter") return;
      event.preventDefault();
      const typed = box.value.replace(/[\s.,_]/g, "");
      if (typed === row.dataset.seen) return leave();
      if (!/^-?\d+$/.test(typed)) return toast("Type a number.", { bad: true });
      move(row, `order:${typed}`);
    });
    box.addEventListener("blur", () => box.isConnected && leave());
    link.replaceWith(box);
    box.focus();
    box.select();
  }

  /* one menu for all rows ---------------------------------------------------------------------------------------------- */
  async function openRowMenu(link) {
    const menu = $("#row-menu");
    await window.htmx.ajax("GET", link.getAttribute("href"), { target: "#row-menu", swap: "innerHTML" });
    if (!menu.childElementCount) return;
    openMenu()?.hidePopover();
    returnTo = rowOf(link)?.id || link.closest("tr").id;
    menu.showPopover();
    const at = link.getBoundingClientRect();
    menu.style.left = `${Math.max(8, Math.min(at.right - menu.offsetWidth, innerWidth - menu.offsetWidth - 8))}px`;
    const fits = at.bottom + menu.offsetHeight + 8 < innerHeight;
    menu.style.top = `${fits ? at.bottom : Math.max(8, at.top - menu.offsetHeight - 8)}px`;
    $(".menu-item", menu)?.focus();
  }

  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const menu = $("#row-menu:popover-open");
    if (menu?.contains(event.detail.elt)) menu.hidePopover();
  });

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const number = event.target.closest("[data-order-number]");
    const menu = event.target.closest("[data-row-menu]");
    if (!number && !menu) return;
    event.preventDefault();
    if (number) typeOver(number);
    else openRowMenu(menu);
  });

  /* keys on the current row -------------------------------------------------------------------------------------------- */
  function pressed(event) {
    if (event.key === "Escape" && drag) return letGo();
    if (event.ctrlKey || event.metaKey || event.altKey || portcullis.store.get("pc-keys") === "off") return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select") || $("dialog[open]") || openMenu()) return;
    const row = current();
    if (!row) return;
    if (event.key in KEYS) move(row, KEYS[event.key]);
    else if (event.key === "e") $("[data-edits]", row)?.click();
    else if (event.key === ".") openRowMenu($("[data-row-menu]", row));
    else if (event.key === " " && !event.target.closest("button, input"))
      post(row, "switch", { enabled: row.dataset.enabled === "on" ? "off" : "on" });
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", pressed);

  /* The sheet of keys is filled from what is on the screen; these have no button there. */
  const WORDS = { "J K": "Move down, up", "T B": "Move to top, bottom", e: "Edit", Space: "Enable or disable" };
  $("#keys")?.addEventListener("dialog-opened", () => {
    for (const [keys, words] of Object.entries(WORDS)) {
      const line = document.createElement("div");
      const cell = document.createElement("dd");
      keys.split(" ").forEach((key) => cell.append(Object.assign(document.createElement("kbd"), { textContent: key }), " "));
      line.append(Object.assign(document.createElement("dt"), { textContent: words }), cell);
      $("#keys-here")?.append(line);
    }
    $("#keys-none")?.setAttribute("hidden", "");
  });
})();
