function render({ model, el }) {
  el.classList.add("lb-status");
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
  const names = ["state", "text", "fraction", "left"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => { for (const name of names) model.off(`change:${name}`, draw); };
}
export default { render };
