"use strict";
/* Runs in the head, before the page is drawn: no white flash in a dark room, no jumping rail. */
(() => {
  const root = document.documentElement;
  const stored = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage may be forbidden; the system's theme is then right
    }
  };
  const theme = stored("pc-theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  root.classList.toggle("density-cosy", stored("pc-density") === "cosy");
  root.classList.toggle("rail-narrow", stored("pc-rail") === "narrow");
  root.classList.add("js");
})();
