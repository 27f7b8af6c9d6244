/* What stands over picture and mask as lines: crop box, points, what is being drawn, and the brush's ring. All in pixels of the page. */

const SVG = "http://www.w3.org/2000/svg";
const HANDLE = 5;           // half a handle's side

/** The lines of a box: "M0,0H10V5H0Z". */
export function boxPath([left, top], [right, bottom]) {
  return `M${left},${top}H${right}V${bottom}H${left}Z`;
}

/** The lines of corners. */
export function cornersPath(corners) {
  return corners.length ? `M${corners.map(([x, y]) => `${x},${y}`).join("L")}` : "";
}

/** The lines that divide a box into nine. */
export function thirdsPath([left, top], [right, bottom]) {
  const across = [1, 2].map((part) => left + (right - left) * part / 3), down = [1, 2].map((part) => top + (bottom - top) * part / 3);
  return [...across.map((x) => `M${x},${top}V${bottom}`), ...down.map((y) => `M${left},${y}H${right}`)].join("");
}

function svg(tag, className, parent) {
  const element = document.createElementNS(SVG, tag);
  element.setAttribute("class", className);
  parent.append(element);
  return element;
}

/** A line that is seen on any ground: light over dark. */
function createLine(className, parent) {
  const lines = [svg("path", `lb-canvas-under ${className}`, parent), svg("path", `lb-canvas-over ${className}`, parent)];
  return (path) => { for (const line of lines) line.setAttribute("d", path); };
}

/** The lines over the stage. `draw(frame, state)`: state: {mode, points, box, crop, draft, cross}. */
function createMarks() {
  const view = svg("svg", "lb-canvas-marks", make("div"));
  view.setAttribute("aria-hidden", "true");
  const shade = svg("path", "lb-canvas-shade", view);
  const thirds = createLine("lb-canvas-thirds", view), frame = createLine("", view), box = createLine("lb-canvas-dashed", view);
  const draft = createLine("lb-canvas-dashed", view), cross = createLine("", view);
  const handles = svg("path", "lb-canvas-handles", view), dots = svg("g", "", view);
  const label = make("div", "lb-canvas-label");
  label.dataset.testid = "crop-size";
  label.setAttribute("aria-hidden", "true");
  label.hidden = true;
  let drawn = "";

  function drawCrop(place, crop, stage) {
    const has = crop.length > 0;
    label.hidden = !has;
    const [first, second] = has ? [place([crop[0], crop[1]]), place([crop[2], crop[3]])] : [[0, 0], [0, 0]];
    shade.setAttribute("d", has ? boxPath([0, 0], [stage.width, stage.height]) + boxPath(first, second) : "");
    frame(has ? boxPath(first, second) : "");
    thirds(has ? thirdsPath(first, second) : "");
    const square = ([x, y]) => boxPath([x - HANDLE, y - HANDLE], [x + HANDLE, y + HANDLE]);
    handles.setAttribute("d", has ? HANDLES.map((handle) => square(handlePlace([...first, ...second], handle))).join("") : "");
    if (!has) return;
    label.textContent = boxWords(crop);
    const wide = 7.8 * label.textContent.length + 20;   // asking the page for it would make it lay itself out in every move
    const [left, top] = [Math.max(4, Math.min(stage.width - wide, first[0])), Math.max(4, Math.min(stage.height - 28, second[1] + 10))];
    label.style.transform = `translate(${left}px, ${top}px)`;
  }
  function drawPoints(place, points) {
    const key = JSON.stringify(points.map((point) => [...place(point), point[2]]));
    if (key === drawn) return;
    drawn = key;
    dots.replaceChildren();
    for (const point of points) {
      const [x, y] = place(point);
      const dot = svg("circle", point[2] ? "lb-canvas-yes" : "lb-canvas-no", dots);
      for (const [name, value] of [["cx", x], ["cy", y], ["r", 9]]) dot.setAttribute(name, value);
      svg("path", "lb-canvas-sign", dots).setAttribute("d", `M${x - 4.5},${y}h9${point[2] ? `M${x},${y - 4.5}v9` : ""}`);
    }
  }
  return {
    view, label,
    draw({ view: at, stage }, state) {
      const place = (point) => toStage(at, stage, point);
      drawCrop(place, state.mode === "crop" ? state.crop : [], stage);
      const selecting = state.mode === "points";
      drawPoints(place, selecting ? state.points : []);
      box(selecting && state.box.length ? boxPath(place([state.box[0], state.box[1]]), place([state.box[2], state.box[3]])) : "");
      const corners = state.draft?.corners.map(place) ?? [];
      draft(!corners.length ? "" : state.draft.kind === "box" ? boxPath(corners[0], corners[1]) : cornersPath(corners));
      if (!state.cross) { cross(""); return; }
      const [x, y] = place(state.cross);
      cross(`M${x - 16},${y}H${x - 5}M${x + 5},${y}H${x + 16}M${x},${y - 16}V${y - 5}M${x},${y + 5}V${y + 16}`);
    },
  };
}

/** The circle that shows what the brush would touch. */
function createRing() {
  const view = make("div", "lb-canvas-ring");
  view.setAttribute("aria-hidden", "true");
  view.hidden = true;
  let wide = 0;
  return {
    view,
    hide() { view.hidden = true; },
    /** Args: x, y: its middle on the stage. width: in pixels of the page. */
    draw(x, y, width, isEraser) {
      const side = Math.max(4, width);
      if (side !== wide) { wide = side; view.style.width = view.style.height = `${side}px`; }
      view.classList.toggle("lb-canvas-erasing", isEraser);
      view.style.transform = `translate(${x - side / 2}px, ${y - side / 2}px)`;
      view.hidden = false;
    },
  };
}
