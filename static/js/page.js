// Small conveniences of every page. Without them everything still works.

const messages = document.getElementById("messages");

function say(text, { isProblem = false } = {}) {
  const notice = document.createElement("div");
  notice.className = `notice ${isProblem ? "notice-warning" : "notice-good"}`;
  notice.setAttribute("role", isProblem ? "alert" : "status");
  notice.textContent = text;
  messages.replaceChildren(notice);
}

function copyByHand(text) {
  // The clipboard's own interface is there on secure origins only, and a portal on a bench has none.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

async function copy(button) {
  if (navigator.clipboard) await navigator.clipboard.writeText(button.dataset.copy);
  else copyByHand(button.dataset.copy);
  button.dataset.copied = "1";
  setTimeout(() => delete button.dataset.copied, 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.querySelector("[data-search]").focus();
});

// What the server says after a change that htmx asked for.
document.body.addEventListener("said", (event) => say(event.detail.text, { isProblem: event.detail.isProblem }));

// Background refreshes try again by themselves; what a person did needs a word.
for (const name of ["htmx:responseError", "htmx:sendError"]) {
  document.body.addEventListener(name, (event) => {
    const { xhr, requestConfig } = event.detail;
    if (requestConfig.verb === "get" || xhr?.getResponseHeader("HX-Retarget")) return;
    const request = xhr?.getResponseHeader("X-Request-Id");
    const reference = request ? ` (request ${request})` : "";
    say(`The portal could not do this${reference}. What you typed is still here; try again.`, { isProblem: true });
  });
}

const themes = document.querySelector("[data-themes]");
if (themes) {
  themes.hidden = false;
  themes.querySelector(`[value="${document.documentElement.dataset.theme ?? ""}"]`).checked = true;
  themes.addEventListener("change", (event) => {
    const theme = event.target.value;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    localStorage.setItem("gangway-theme", theme);
  });
}
