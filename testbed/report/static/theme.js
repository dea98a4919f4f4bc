// Light or dark: as the system says, until the button is pressed.
const theme = (() => {
  const root = document.documentElement, button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];
  let chosen = null;
  try { chosen = localStorage.getItem("threadmill-theme"); } catch { /* a file may have no storage */ }
  let printing = false;
  const isDark = () => !printing && (chosen ? chosen === "dark" : system.matches);
  const show = () => {
    if (chosen) root.dataset.theme = chosen;
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`);
    listeners.forEach((listener) => listener());
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    chosen = isDark() ? "light" : "dark";
    try { localStorage.setItem("threadmill-theme", chosen); } catch { /* then it lasts as long as the page */ }
    show();
  });
  system.addEventListener("change", show);
  show();
  return { isDark, isPrinting: () => printing, onChange: (listener) => listeners.push(listener), print: (value) => { printing = value; } };
})();
