/* Time that is left: <time datetime="…" data-left> counts down each second, and says "off" at its end. */
(() => {
  "use strict";
  const two = (number) => String(number).padStart(2, "0");

  function words(seconds) {
    if (seconds <= 0) return "over";
    if (seconds < 60) return `${seconds} s left`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes}:${two(seconds % 60)} left`;
    return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min left`;
  }

  function count() {
    if (document.hidden) return;
    document.querySelectorAll("time[data-left]").forEach((node) => {
      const seconds = Math.ceil((Date.parse(node.dateTime) - Date.now()) / 1000);
      if (Number.isNaN(seconds)) return;
      const said = words(seconds);
      if (node.textContent !== said) node.textContent = said;
    });
  }

  setInterval(count, 1000);
  document.addEventListener("visibilitychange", count);
  document.body.addEventListener("htmx:afterSettle", count);
  count();
})();
