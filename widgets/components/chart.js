const SVG = "http://www.w3.org/2000/svg";
const LEFT = 64, RIGHT = 26, TOP = 24, GAP = 44, BOTTOM = 34;

/** Round tick values between low and high, about `count` of them; whole numbers only for what is counted (steps). */
export function ticks(low, high, count, whole = false) {
  if (!(high > low)) return [low];
  const rough = Math.max((high - low) / Math.max(1, count), whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough && !(whole && n % 1));
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
  return found;
}

/** A number in few characters: 0.0312, 1e-4, 12,000. */
export function words(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3) {
    const [digits, power] = value.toExponential(2).split("e");
    return `${Number(digits)}e${Number(power)}`;
  }
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

/** The numbers at an axis, with as many digits as tell neighbours apart. */
export function tickWords(values) {
  const step = values.length > 1 ? Number(Math.abs(values[1] - values[0]).toPrecision(6)) : 0;
  const told = values.map(words);
  if (!step || new Set(told).size === told.length) return told;
  const digits = Math.max(0, Math.ceil(-Math.log10(step) + 1e-9) + (Number((step / 10 ** Math.floor(Math.log10(step))).toFixed(6)) % 1 ? 1 : 0));
  return values.map((value) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

/** Smallest and largest finite values; widened where they are the same. */
export function span(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) return [0, 1];
  if (low === high) return [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
  return [low, high];
}

/** Index of the value nearest to `x` in an ascending list. */
export function nearest(xs, x) {
  let low = 0, high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle; else high = middle;
  }
  return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
}

/** An SVG path with gaps where a value is not finite. */
export function path(xs, ys, toX, toY) {
  let text = "", drawing = false;
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) { drawing = false; continue; }
    text += `${drawing ? "L" : "M"}${toX(xs[i]).toFixed(1)},${toY(ys[i]).toFixed(1)}`;
    drawing = true;
  }
  return text;
}

function floats(view) {
  const copy = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return new Float32Array(copy);
}

function make(name, attributes = {}, text = "") {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

function render({ model, el }) {
  el.classList.add("lb-chart");
  const legend = document.createElement("div");
  legend.className = "lb-chart-legend";
  const svg = make("svg", { role: "img", tabindex: "0", "data-testid": "chart" });
  const readout = document.createElement("div");
  readout.className = "lb-chart-readout";
  readout.dataset.testid = "readout";
  const empty = document.createElement("p");
  empty.className = "lb-chart-empty";
  empty.textContent = "Nothing to draw yet.";
  el.append(legend, svg, readout, empty);

  let curves = [], bounds = [0, 1], width = 600, height = 300, cursor = null;

  const paneTop = (pane, paneHeight) => TOP + pane * (paneHeight + GAP);
  const toX = (x) => LEFT + ((x - bounds[0]) / (bounds[1] - bounds[0])) * (width - LEFT - RIGHT);

  function read() {
    curves = model.get("curves").map((c, i) => ({ ...c, colour: `lb-curve-${c.colour ?? i % 6}`, x: floats(c.x), y: floats(c.y) }));
    draw();
  }

  function draw() {
    const panes = model.get("panes");
    const some = curves.some((c) => c.x.length);
    empty.hidden = some;
    svg.style.display = legend.style.display = readout.style.display = some ? "" : "none";
    if (!some) return;
    width = Math.max(260, el.clientWidth || 600);
    const paneHeight = width < 480 ? 120 : 150;
    height = TOP + panes.length * (paneHeight + GAP) - GAP + BOTTOM;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", String(height));
    bounds = span(curves.flatMap((c) => [c.x[0], c.x[c.x.length - 1]]));
    svg.replaceChildren();
    panes.forEach((title, pane) => drawPane(title, pane, paneHeight));
    const across = ticks(bounds[0], bounds[1], width / 110, ["step", "rank"].includes(model.get("x_title")));
    tickWords(across).forEach((told, n) => {
      svg.append(make("text", { x: toX(across[n]), y: height - 18, class: "lb-tick", "text-anchor": "middle" }, told));
    });
    svg.append(make("text", { x: (LEFT + width - RIGHT) / 2, y: height - 3, class: "lb-tick", "text-anchor": "middle" }, model.get("x_title")));
    svg.setAttribute("aria-label", summary());
    drawLegend();
    drawCursor();
  }

  function drawPane(title, pane, paneHeight) {
    const own = curves.filter((c) => c.pane === pane);
    const [low, high] = span(own.flatMap((c) => [...c.y]));
    const top = paneTop(pane, paneHeight);
    const toY = (y) => top + paneHeight - ((y - low) / (high - low)) * paneHeight;
    svg.append(make("text", { x: LEFT, y: top - 8, class: "lb-pane-title" }, title));
    const upwards = ticks(low, high, 4);
    tickWords(upwards).forEach((told, n) => {
      const y = toY(upwards[n]);
      svg.append(make("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y, class: "lb-grid" }));
      svg.append(make("text", { x: LEFT - 6, y: y + 4, class: "lb-tick", "text-anchor": "end" }, told));
    });
    svg.append(make("line", { x1: LEFT, x2: width - RIGHT, y1: top + paneHeight, y2: top + paneHeight, class: "lb-axis" }));
    for (const c of [...own].sort((a, b) => Number(b.faint) - Number(a.faint))) {
      svg.append(make("path", { d: path(c.x, c.y, toX, toY), class: `lb-curve ${c.colour} ${c.faint ? "lb-faint" : ""}` }));
      if (c.x.length === 1) svg.append(make("circle", { cx: toX(c.x[0]), cy: toY(c.y[0]), r: 3, class: `lb-dot ${c.colour}` }));
    }
  }

  function drawLegend() {
    legend.replaceChildren(...curves.filter((c) => c.x.length).map((c) => {
      const item = document.createElement("span");
      const mark = make("svg", { width: 26, height: 10, "aria-hidden": "true" });
      mark.append(make("line", { x1: 1, x2: 25, y1: 5, y2: 5, class: `lb-curve ${c.colour} ${c.faint ? "lb-faint" : ""}` }));
      item.append(mark, document.createTextNode(c.label));
      return item;
    }));
  }

  function summary() {
    return curves.filter((c) => c.x.length).map((c) => {
      const last = c.x.length - 1;
      return `${c.label}: ${words(c.y[0])} at ${model.get("x_title")} ${words(c.x[0])}, ${words(c.y[last])} at ${words(c.x[last])}`;
    }).join("; ") + ". Arrow keys read single values.";
  }

  function longest() { return curves.reduce((best, c) => (c.x.length > best.x.length ? c : best), curves[0]); }

  function drawCursor() {
    svg.querySelector(".lb-cursor")?.remove();
    const filled = curves.filter((c) => c.x.length);
    if (!filled.length) return;
    const at = cursor ?? Infinity;
    const main = longest();
    const x = main.x[nearest(main.x, Math.min(at, main.x[main.x.length - 1]))];
    if (cursor !== null) svg.append(make("line", { x1: toX(x), x2: toX(x), y1: TOP, y2: height - BOTTOM, class: "lb-cursor" }));
    readout.textContent = `${model.get("x_title")} ${words(x)} · ` + filled.map((c) => `${c.label} ${words(c.y[nearest(c.x, x)])}`).join(" · ");
  }

  function pointed(event) {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    cursor = bounds[0] + ((x - LEFT) / (width - LEFT - RIGHT)) * (bounds[1] - bounds[0]);
    drawCursor();
  }
  function left() { cursor = null; drawCursor(); }
  function pressed(event) {
    const main = longest();
    if (!main || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const place = nearest(main.x, Math.min(cursor ?? Infinity, main.x[main.x.length - 1]));
    const next = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: main.x.length - 1 }[event.key];
    cursor = main.x[Math.min(main.x.length - 1, Math.max(0, next))];
    drawCursor();
  }

  svg.dataset.lmSuppressShortcuts = "true";
  svg.addEventListener("pointermove", pointed);
  svg.addEventListener("pointerleave", left);
  svg.addEventListener("keydown", pressed);
  let seenWidth = 0;
  const watcher = new ResizeObserver(() => {
    if (Math.abs(el.clientWidth - seenWidth) > 1) { seenWidth = el.clientWidth; draw(); }
  });
  watcher.observe(el);
  const names = ["curves", "panes", "x_title"];
  for (const name of names) model.on(`change:${name}`, read);
  read();
  return () => {
    watcher.disconnect();
    svg.removeEventListener("pointermove", pointed);
    svg.removeEventListener("pointerleave", left);
    svg.removeEventListener("keydown", pressed);
    for (const name of names) model.off(`change:${name}`, read);
  };
}
export default { render };
