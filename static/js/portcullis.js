"use strict";
/* The frame's behavior: messages, theme, menus, dialogs, copy, and what htmx needs to know.
   Keys live in keys.js, the drawer in drawer.js, lists in lists.js. Without any of them every screen still works
   by links and forms. No markup is built from data: text goes in by textContent only. */
window.portcullis = (() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const store = {
    get: (key) => {
      try {
        return localStorage.getItem(key);
      } catch {
        return null;
      }
    },
    set: (key, value) => {
      try {
        localStorage.setItem(key, value);
      } catch {
        /* private mode: the choice lasts for this page */
      }
    },
  };

  /* messages ----------------------------------------------------------------------------------------------------- */
  function say(text) {
    const live = $("#live");
    if (!live) return;
    live.textContent = "";
    requestAnimationFrame(() => (live.textContent = text));
  }

  function toast(text, { undo = "", label = "Undo", bad = false, href = "", linkText = "Open", run = null } = {}) {
    const box = $("#toasts");
    if (!box) return;
    const line = document.createElement("div");
    line.className = "toast-line";
    line.setAttribute("role", bad ? "alert" : "status");
    line.append(Object.assign(document.createElement("span"), { textContent: text }));
    const act = run || (undo && (() => window.htmx.ajax("POST", undo, { target: "#live", swap: "none" })));
    if (act) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
      if (undo) {
        $$('[data-key="u"]', box).forEach((older) => delete older.dataset.key); // the key is for the newest step
        button.dataset.key = "u";
      }
      button.addEventListener("click", () => {
        line.remove();
        act();
      });
      line.append(button);
    }
    if (href) line.append(Object.assign(document.createElement("a"), { href, textContent: linkText }));
    if (bad) line.dataset.stays = "";
    box.append(line);
  }

  function dismissLater(line) {
    if (!(line instanceof HTMLElement)) return;
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    close.setAttribute("aria-label", "Dismiss");
    close.addEventListener("click", () => line.remove());
    line.append(close);
    if ("stays" in line.dataset) return;
    let timer = setTimeout(() => line.remove(), 10000);
    const hold = () => clearTimeout(timer);
    const go = () => (timer = setTimeout(() => line.remove(), 4000));
    line.addEventListener("pointerenter", hold);
    line.addEventListener("focusin", hold);
    line.addEventListener("pointerleave", go);
    line.addEventListener("focusout", go);
  }

  function watchToasts() {
    const box = $("#toasts");
    if (!box) return;
    [...box.children].forEach(dismissLater);
    new MutationObserver((changes) => changes.forEach((c) => c.addedNodes.forEach(dismissLater))).observe(box, {
      childList: true,
    });
  }

  /* theme, density, rail ----------------------------------------------------------------------------------------- */
  const root = document.documentElement;
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  function setTheme(theme) {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    store.set("pc-theme", theme);
    markTheme();
    say(`${theme === "system" ? "System" : theme} theme`);
  }

  function markTheme() {
    const now = root.dataset.theme || "system";
    $$("[data-theme-set]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.themeSet === now)));
    $$("[data-theme-toggle] use").forEach((use) => {
      const [file] = use.getAttribute("href").split("#");
      use.setAttribute("href", `${file}#${dark() ? "sun" : "moon"}`);
    });
  }

  const clicks = {
    themeToggle: () => setTheme(dark() ? "light" : "dark"),
    themeSet: (at) => setTheme(at.dataset.themeSet),
    densityToggle: () => store.set("pc-density", root.classList.toggle("density-cosy") ? "cosy" : "compact"),
    railToggle: () => store.set("pc-rail", root.classList.toggle("rail-narrow") ? "narrow" : "wide"),
    copy: (at) => copy(at),
    opens: (at) => openDialog(at.dataset.opens, at),
    closes: (at) => at.closest("dialog")?.close(),
    print: () => window.print(),
  };

  /* copy --------------------------------------------------------------------------------------------------------- */
  async function copy(at) {
    const text = at.dataset.copy || $(at.dataset.copyFrom)?.innerText || location.href;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyByHand(text); // plain http or an old browser has no clipboard interface
    }
    toast(/[\u0000-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(text)
      ? "Copied as it is: it contains characters that do not show."
      : "Copied");
  }

  function copyByHand(text) {
    const area = Object.assign(document.createElement("textarea"), { value: text });
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }

  /* menus: native popovers, made to close on Tab and to follow arrow keys -------------------------------------------- */
  const openMenu = () => $(".menu:popover-open");

  function leaveMenu(event) {
    const menu = event.target.closest?.(".menu:popover-open");
    if (!menu || !event.relatedTarget || menu.contains(event.relatedTarget)) return;
    if (event.relatedTarget.getAttribute("popovertarget") !== menu.id) menu.hidePopover();
  }

  function arrowsInMenu(event) {
    const menu = openMenu();
    if (!menu || !["ArrowDown", "ArrowUp", "Home", "End", "Tab"].includes(event.key)) return;
    if (event.key === "Tab") return tabFromMenu(event, menu);
    const items = $$(".menu-item", menu).filter((item) => item.offsetParent !== null);
    if (!items.length || (event.target.tagName === "INPUT" && ["Home", "End"].includes(event.key))) return;
    event.preventDefault();
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? items.length - 1 : at - 1, Home: 0, End: items.length - 1 };
    items[(next[event.key] + items.length) % items.length].focus();
  }

  function tabFromMenu(event, menu) {
    if ($("input, select, textarea", menu)) return; // a form in a menu is walked through; leaving it closes it
    $(`[popovertarget="${menu.id}"]`)?.focus();
    menu.hidePopover();
  }

  /* Browsers without CSS anchors get the same place by script. */
  function placeMenu(event) {
    const menu = event.target;
    if (!menu.classList?.contains("menu") || event.newState !== "open") return;
    menu.querySelector("[data-autofocus]")?.focus();
    if (CSS.supports("position-area", "block-end")) return;
    const at = $(`[popovertarget="${menu.id}"]`)?.getBoundingClientRect();
    if (!at) return;
    const width = menu.offsetWidth;
    const left = menu.matches(".at-end, .above") ? at.right - width : at.left;
    menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    const below = at.bottom + menu.offsetHeight < innerHeight && !menu.matches(".above");
    menu.style.top = `${below ? at.bottom : Math.max(8, at.top - menu.offsetHeight - 8)}px`;
  }

  /* dialogs ------------------------------------------------------------------------------------------------------ */
  function openDialog(id, from) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    openMenu()?.hidePopover();
    dialog.showModal();
    dialog.dispatchEvent(new CustomEvent("dialog-opened", { detail: { from } }));
  }

  function dialogSwapped(target) {
    if (target.id !== "dialog") return;
    if (target.childElementCount && !target.open) openDialog("dialog");
    target.querySelector("[autofocus], h2[tabindex]")?.focus();
  }

  function matchTyped(input) {
    const form = input.form;
    const ready = $$("[data-must-equal]", form).every((field) => field.value.trim() === field.dataset.mustEqual);
    $$("button[type=submit]", form).forEach((button) => (button.disabled = !ready));
  }

  /* htmx --------------------------------------------------------------------------------------------------------- */
  const WORDS = {
    0: "Not sent: the server did not answer. Nothing was changed; what you typed is kept.",
    403: "Not allowed.",
    404: "That is no longer here.",
    409: "Somebody else was first. Nothing of yours was saved.",
    413: "Too large.",
    429: "Too many requests. Wait a moment and try again.",
    503: "Busy. Nothing was changed; try again in a moment.",
  };
  let announced = false;
  let lastTouch = Date.now();

  const isPoll = (detail) =>
    !detail.requestConfig.triggeringEvent && /\bevery\b/.test(detail.elt.getAttribute("hx-trigger") || "");
  const unattended = () => document.hidden || Date.now() - lastTouch > 600000;

  function beforeRequest(event) {
    announced = false;
    if (isPoll(event.detail) && performance.now() > 15000 && unattended()) event.preventDefault();
    else dimLater(event.detail.target, event.detail.xhr);
  }

  function dimLater(target, xhr) {
    if (!target?.matches("table, tbody, .dims")) return;
    const timer = setTimeout(() => target.classList.add("stale"), 150);
    xhr.addEventListener("loadend", () => {
      clearTimeout(timer);
      target.classList.remove("stale");
    });
  }

  function afterRequest({ detail }) {
    const dialog = detail.elt.closest?.("dialog[open]");
    const wrote = detail.requestConfig.verb !== "get";
    if (detail.successful) expectEnd();
    if (dialog && detail.successful && wrote && !dialog.contains(detail.target)) dialog.close();
    const own = detail.elt.closest?.("[data-quiet]"); // a card tells of its failure itself
    own?.toggleAttribute("data-failed", detail.failed);
    if (detail.failed && !announced && !own) {
      const status = detail.xhr.status;
      const shownInPlace = status === 422 || status === 409 || ["drawer", "dialog"].includes(detail.target?.id);
      if (!shownInPlace) toast(told(detail.xhr) || WORDS[status] || "That did not work. Nothing was changed.", { bad: true });
    }
  }

  /* Two minutes before an idle session ends there is a message that keeps it; any answer of the server does too. */
  let warning = 0;

  function expectEnd() {
    const idle = Number(document.body.dataset.idleSeconds || 0);
    clearTimeout(warning);
    if (idle > 150) warning = setTimeout(warnOfEnd, (idle - 120) * 1000);
  }

  function warnOfEnd() {
    toast("You will be signed out in 2 minutes.", {
      bad: true,
      label: "Stay",
      run: () => window.htmx.ajax("GET", $("#health-dot").href, { target: "#health-dot", swap: "outerHTML" }),
    });
  }

  /* The server's own words, from the panel that it answers an error with. */
  function told(xhr) {
    if (!xhr.responseText || !/html/.test(xhr.getResponseHeader("Content-Type") || "")) return "";
    const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
    return page.querySelector("[data-error-text]")?.textContent.trim() || "";
  }

  /* In the drawer and in the dialog an error is shown where the answer was expected; elsewhere it is a message. */
  function beforeSwap({ detail }) {
    if (detail.isError && ["drawer", "dialog"].includes(detail.target.id)) detail.shouldSwap = true;
  }

  const heard = (event) => {
    announced = true;
    const { text, value, ...options } = event.detail;
    toast(text || value || "Done", options);
  };

  function ready() {
    watchToasts();
    markTheme();
    document.addEventListener("click", (event) => {
      const at = event.target.closest(
        "[data-theme-toggle],[data-theme-set],[data-density-toggle],[data-rail-toggle],[data-copy],[data-copy-from],[data-copy-link],[data-opens],[data-closes],[data-print]",
      );
      if (event.target.matches("dialog[open]") && event.target.classList.contains("dialog")) event.target.close();
      if (!at || event.ctrlKey || event.metaKey) return;
      const name = Object.keys(clicks).find((key) => key in at.dataset) || "copy";
      if (at.tagName === "A") event.preventDefault();
      clicks[name](at);
    });
    document.addEventListener("input", (event) => {
      if (event.target.matches("[data-must-equal]")) matchTyped(event.target);
      if (event.target.matches("[data-narrows]")) narrow(event.target);
      const form = event.target.closest("form[data-guard]");
      if (form) form.dataset.dirty = "";
    });
    document.addEventListener("submit", (event) => delete event.target.dataset.dirty);
    window.addEventListener("beforeunload", (event) => {
      if ($("form[data-dirty]")) event.preventDefault();
    });
    document.addEventListener("focusout", leaveMenu);
    document.addEventListener("keydown", arrowsInMenu);
    document.addEventListener("toggle", placeMenu, true);
    document.addEventListener("close", (event) => event.target.id === "dialog" && event.target.replaceChildren(), true);
    for (const kind of ["pointerdown", "keydown", "scroll"])
      document.addEventListener(kind, () => (lastTouch = Date.now()), { passive: true, capture: true });
    $$("[data-must-equal]").forEach(matchTyped);
  }

  /* A long menu (organizations) is narrowed by what is typed above it. */
  function narrow(input) {
    const words = input.value.toLowerCase().split(/\s+/);
    $$(".menu-item", document.getElementById(input.dataset.narrows)).forEach((item) => {
      item.hidden = !words.every((word) => item.textContent.toLowerCase().includes(word));
    });
  }

  function listenToHtmx() {
    const body = document.body;
    body.addEventListener("htmx:beforeRequest", beforeRequest);
    body.addEventListener("htmx:afterRequest", afterRequest);
    body.addEventListener("htmx:beforeSwap", beforeSwap);
    body.addEventListener("htmx:afterSwap", (event) => dialogSwapped(event.detail.target));
    body.addEventListener("htmx:afterSettle", () => {
      markTheme();
      $$("[data-must-equal]").forEach(matchTyped);
    });
    body.addEventListener("toast", heard);
    body.addEventListener("undo-offered", ({ detail }) => toast(detail.summary, { undo: detail.href }));
    body.addEventListener("step-undone", () => $('[hx-trigger*="step-undone"]') || location.reload());
    body.addEventListener("said", (event) => say(event.detail.text || event.detail.value || ""));
    body.addEventListener("dialog-done", () => $("dialog[open]")?.close());
  }

  ready();
  listenToHtmx();
  expectEnd();
  return { $, $$, store, say, toast, openDialog, openMenu, setTheme, isDark: dark };
})();
