// Runs before the first paint, so that nothing changes colour or place afterwards. A plain script: modules run too late.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  try {
    const theme = localStorage.getItem("gangway-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage is switched off: the system's colours will do.
  }
})();
