/** Whether the notebook may have this key although the panel holds the keyboard: single keys there delete, cut or move cells. */
export function forNotebook(event) {
  return event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
}

/**
 * Keeps the keyboard in the panel that `el` stands in, wherever in it one presses; every panel has one status line.
 * Returns: takes the listeners off.
 */
function guardKeys(el) {
  let held = null, marked = null;
  const panel = () => {
    const found = el.closest(".lb-panel");
    if (found && found !== held) { held = found; held.tabIndex = -1; }   // a press beside its controls gives it the focus, not the cell
    return held;
  };
  const pressed = (event) => { if (el.isConnected) panel()?.contains(event.target); };
  const keyed = (event) => {
    marked?.removeAttribute("data-lm-suppress-shortcuts");
    marked = null;
    const { target } = event;   // JupyterLab looks at the place that has the focus before it looks at what stands around it
    if (!el.isConnected || !panel()?.contains(target) || target.hasAttribute("data-lm-suppress-shortcuts")) return;
    if (!forNotebook(event)) { marked = target; marked.setAttribute("data-lm-suppress-shortcuts", ""); }
  };
  const clicked = () => {   // where the panel has a part that works by keys, that one takes them; words that were marked stay marked
    if (!held || document.activeElement !== held || !getSelection().isCollapsed) return;
    const home = held.querySelector("[data-lb-keys]");
    if (home?.checkVisibility()) home.focus({ preventScroll: true });
  };
  const listened = [["pointerdown", pressed], ["keydown", keyed], ["click", clicked]];
  for (const [name, act] of listened) window.addEventListener(name, act, true);
  return () => { for (const [name, act] of listened) window.removeEventListener(name, act, true); };
}

const GONE = "Needs attention: The kernel was restarted or has ended, so that this panel does nothing any more. Run the cells again "
  + "(menu Run, Run All Cells). What was saved is safe; a job goes on by itself.";

function render({ model, el }) {
  el.classList.add("lb-status");
  const unguard = guardKeys(el);
  const line = document.createElement("div");
  line.className = "lb-status-line";
  line.setAttribute("role", "status");
  line.dataset.testid = "status";
  const left = document.createElement("span");
  left.className = "lb-status-left";
  const bar = document.createElement("div");
  bar.className = "lb-status-bar";
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", "Progress");
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  const fill = document.createElement("div");
  bar.append(fill);
  el.append(line, left, bar);

  function draw() {
    const state = model.get("state");
    const fraction = model.get("fraction");
    el.dataset.state = state;
    if (line.textContent !== model.get("text")) line.textContent = model.get("text");
    left.textContent = model.get("left");
    bar.hidden = state !== "working" || fraction < 0;
    fill.style.width = `${Math.max(0, fraction) * 100}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(Math.max(0, fraction) * 100)));
  }
  function live() {   // after the notebook's own listener, which marks what the kernel knows no more
    requestAnimationFrame(() => {
      if (!el.closest(".lb-panel")?.classList.contains("jupyter-widgets-disconnected")) { draw(); return; }
      el.dataset.state = "attention";
      line.textContent = GONE;
      left.textContent = "";
      bar.hidden = true;
    });
  }
  function come(message) {   // another panel has put something into this one: it is brought into view
    const panel = message.kind === "come" && el.closest(".lb-panel");
    if (!panel) return;
    panel.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    panel.tabIndex = -1;
    panel.focus({ preventScroll: true });
  }
  const names = ["state", "text", "fraction", "left"];
  for (const name of names) model.on(`change:${name}`, draw);
  model.on("msg:custom", come);
  model.on("comm_live_update", live);
  draw();
  return () => {
    unguard();
    model.off("msg:custom", come);
    model.off("comm_live_update", live);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { render };
