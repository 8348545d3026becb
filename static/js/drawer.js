"use strict";
/* The drawer: a row opens it, Esc closes it and gives the focus back to the row, j and k walk on with it open.
   Server side it is nothing but a fragment named `drawer`; the same address as a page is the row's href. */
portcullis.drawer = (() => {
  const { $, $$, say } = portcullis;
  const drawer = $("#drawer");
  const covers = matchMedia("(max-width: 1199.98px)");
  let opener = null;
  let listUrl = "";
  let railWas = false;

  const isOpen = () => Boolean(drawer?.childElementCount);
  const rowOf = (node) => node?.closest?.("tr, [data-row]");

  function mark(row) {
    $$("[data-drawer-row]").forEach((old) => {
      old.removeAttribute("aria-selected");
      delete old.dataset.drawerRow;
    });
    if (!row) return;
    row.dataset.drawerRow = "";
    if (row.tagName === "TR") row.setAttribute("aria-selected", "true");
    row.scrollIntoView({ block: "nearest" });
  }

  /* Where the drawer covers the list, the list must not be reached by Tab or by a screen reader. */
  function settle() {
    const hides = isOpen() && covers.matches;
    [...(drawer.parentElement?.children || [])].forEach((node) => node !== drawer && (node.inert = hides));
  }

  function opened() {
    drawer.setAttribute("role", "dialog");
    drawer.setAttribute("aria-labelledby", "drawer-title");
    mark(rowOf(opener));
    settle();
    if (innerWidth < 1600 && !document.documentElement.classList.contains("rail-narrow")) {
      railWas = true;
      document.documentElement.classList.add("rail-narrow");
    }
    $("#drawer-title", drawer)?.focus({ preventScroll: true });
  }

  /* A page that came with its drawer open closes to the list that its close link names. */
  const home = () => $("[data-drawer-close][href]:not([href='?'])", drawer)?.href || "";

  function close() {
    if (!isOpen()) return;
    listUrl ||= home();
    drawer.replaceChildren();
    drawer.removeAttribute("role");
    settle();
    if (railWas) document.documentElement.classList.remove("rail-narrow");
    railWas = false;
    if (listUrl && listUrl !== location.href) history.pushState({ htmx: true }, "", listUrl);
    const row = $("[data-drawer-row]");
    mark(null);
    (opener?.isConnected ? opener : row ? $("a[href]", row) : $("#main"))?.focus();
    opener = null;
    listUrl = "";
    say("Closed");
  }

  /* The link in the next or the previous row; with the drawer open that row is shown in it. */
  function walk(step) {
    const rows = $$("[data-drawer-row]").length ? [...rowOf($("[data-drawer-row]")).parentElement.children] : [];
    const at = rows.findIndex((row) => "drawerRow" in row.dataset);
    for (let i = at + step; i >= 0 && i < rows.length; i += step) {
      const link = $('a[hx-target="#drawer"]', rows[i]);
      if (link) return link.click();
    }
    say(step > 0 ? "Last row" : "First row");
  }

  if (!drawer) return { isOpen: () => false, close() {}, walk() {} };

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-drawer-close]")) {
      event.preventDefault();
      close();
    }
    const step = event.target.closest("[data-drawer-step]");
    if (step) walk(Number(step.dataset.drawerStep));
    rowClicked(event);
  });

  /* The whole row opens what its first link opens, unless something else in it was meant. */
  function rowClicked(event) {
    const row = event.target.closest("tbody tr");
    if (!row || event.target.closest("a, button, input, label, select, summary, .menu") || getSelection().toString()) return;
    $('a[hx-target="#drawer"]', row)?.click();
  }

  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.target !== drawer) return;
    if (!isOpen()) listUrl = location.href;
    if (!drawer.contains(event.detail.elt)) opener = event.detail.elt;
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === drawer && isOpen()) opened();
  });
  document.body.addEventListener("drawer-closed", close);
  covers.addEventListener("change", settle);
  if (isOpen()) opened();
  return { isOpen, close, walk };
})();
