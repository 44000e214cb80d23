// Live updates. The socket says only that something changed; elements of the page listen to the events made of it here and
// fetch themselves anew. Where the socket is away, a slow tick takes its place.
//
//   device-changed, device-changed-<id>   a device of the user's tenants
//   enrolment-changed                     the enrolment that the page follows ([data-follow])
//   live-resumed                          the socket was away: anything may have changed
//   live-tick                             now and then; often on pages with [data-brisk], which nothing tells of changes
//   waiting-changed                       the person decided on something that waits

const GATHER = 250;
const TICK = 20_000;
const TICK_ALONE = 4_000;
const LONGEST_PAUSE = 60_000;

const waiting = new Set();
let socket = null;
let attempts = 0;
let followed = "";
let timer = 0;

function flush() {
  timer = 0;
  if (document.hidden) return;
  const names = [...waiting];
  waiting.clear();
  for (const name of names) document.body.dispatchEvent(new CustomEvent(name));
}

// A fleet that reconnects is one refresh, not a thousand.
function announce(...names) {
  for (const name of names) waiting.add(name);
  timer ||= setTimeout(flush, GATHER);
}

function receive(event) {
  const message = JSON.parse(event.data);
  if (message.type === "device") announce("device-changed", `device-changed-${message.device}`);
  else announce("enrolment-changed");
}

function follow() {
  const id = document.querySelector("[data-follow]")?.dataset.follow ?? "";
  if (!id || id === followed || socket?.readyState !== WebSocket.OPEN) return;
  followed = id;
  socket.send(id);
  // It may have changed before the portal knew that somebody follows.
  announce("enrolment-changed");
}

function open() {
  socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/live`);
  socket.addEventListener("message", receive);
  socket.addEventListener("open", () => {
    if (attempts) announce("live-resumed");
    attempts = 0;
    followed = "";
    follow();
  });
  socket.addEventListener("close", () => {
    // Full jitter: after a restart of the portal its pages do not come back all at once.
    const pause = Math.random() * Math.min(LONGEST_PAUSE, 1000 * 2 ** attempts);
    attempts += 1;
    setTimeout(open, pause);
  });
}

function tick() {
  announce("live-tick");
  const isBrisk = document.querySelector("[data-brisk]") !== null;
  setTimeout(tick, socket?.readyState === WebSocket.OPEN && !isBrisk ? TICK : TICK_ALONE);
}

// --- What is swapped, and what is left alone --------------------------------------------------------------------------

const BACKGROUND = /^(device-changed|enrolment-changed|twin-changed|waiting-changed|live-)/;
const shown = new WeakMap();

function isBackground(detail) {
  return BACKGROUND.test(detail.requestConfig?.triggeringEvent?.type ?? "");
}

function isDirty(field) {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field instanceof HTMLSelectElement) return ![...field.options].every((o) => o.selected === o.defaultSelected);
  return field.value !== field.defaultValue;
}

// Somebody types, has opened something, or marks text in it.
function isInUse(target) {
  const selection = getSelection();
  return (
    (!selection.isCollapsed && target.contains(selection.anchorNode)) ||
    Boolean(target.querySelector("[data-in-use], details[open], :is(input, select, textarea):focus")) ||
    [...target.querySelectorAll("input, textarea, select:has(option[selected])")].some(isDirty)
  );
}

function withoutNoise(html) {
  return html.replace(/(<time[^>]*>)[^<]*/g, "$1").replace(/(csrfmiddlewaretoken" value=")[^"]*/g, "$1");
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = event;
  const { target, xhr } = detail;
  if (xhr.getResponseHeader("HX-Retarget")) {
    detail.shouldSwap = true;
    detail.isError = false;
    return;
  }
  if (!target.matches("[data-live]")) return;
  const html = withoutNoise(xhr.responseText);
  if (isBackground(detail) && (isInUse(target) || shown.get(target) === html)) detail.shouldSwap = false;
  else if (detail.shouldSwap) shown.set(target, html);
});

document.body.addEventListener("htmx:afterSwap", follow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && waiting.size) announce();
});

open();
setTimeout(tick, TICK_ALONE);
