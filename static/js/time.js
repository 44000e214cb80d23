// Keeps times fresh: relative ones count up, remaining ones count down, and the exact one is shown in the viewer's zone.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [0, "s"]];
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function duration(seconds) {
  const [length, unit] = UNITS.find(([length]) => seconds >= length) ?? UNITS.at(-1);
  return `${Math.max(0, Math.floor(length ? seconds / length : seconds))} ${unit}`;
}

function left(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

function words(kind, seconds, moment) {
  if (kind === "moment") return short.format(moment);
  if (kind === "left") return seconds < 0 ? left(-seconds) : "over";
  return kind === "ago" ? `${duration(seconds)} ago` : duration(seconds);
}

function refresh() {
  for (const element of document.querySelectorAll("time[data-time]")) {
    const moment = new Date(element.dateTime);
    const seconds = (Date.now() - moment) / 1000;
    const text = words(element.dataset.time, seconds, moment);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.time === "left") element.toggleAttribute("data-over", seconds >= 0);
    if (!element.dataset.zoned) {
      element.title = exact.format(moment);
      element.dataset.zoned = "1";
    }
  }
}

refresh();
setInterval(() => document.hidden || refresh(), 1000);
document.addEventListener("visibilitychange", refresh);
document.body.addEventListener("htmx:afterSwap", refresh);
