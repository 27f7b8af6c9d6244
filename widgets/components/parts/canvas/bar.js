/* Buttons and sliders above and below the stage. */

/** Words of each mode: what its button says, and how it is used. */
export const MODES = {
  look: ["Look", "Drag to move the picture."],
  brush: ["Brush", "Drag to draw; with Alt it erases. [ and ] change the width."],
  eraser: ["Eraser", "Drag to erase; with Alt it draws. [ and ] change the width."],
  rectangle: ["Rectangle", "Drag from corner to corner; with Alt it takes away, or adds where it took away."],
  polygon: ["Polygon", "Press corner after corner; the first corner, a double click or Enter closes it, Backspace takes one back, Escape drops it."],
  points: ["Points", "Press what belongs to it; the right button or Alt marks what does not; drag a box around it. "
    + "Backspace takes the last back, Escape all."],
  crop: ["Crop", "Drag the box, its corners or its sides. Arrows move it by a pixel, with Ctrl or Alt by ten; with Shift they resize it. "
    + "Enter confirms, Escape drops it."],
};
/** What rectangles, polygons and what points mean do with the mask. */
const WAYS = [["adds", "add"], ["takes away", "subtract"], ["keeps only what is inside", "intersect"]];
const VIEWING = "Wheel, pinch, + and − zoom (press the picture first, or hold Ctrl); 0 shows all of it, 1 its own pixels. Hold Space or the middle "
  + "button to move it.";
const CROSSHAIR = "By keyboard: arrows move a crosshair (Shift: pixel by pixel), Space presses; for a line or a rectangle once more to end it. "
  + "Shift+Space presses the other way, B begins and ends a box of points.";
const UNDOING = "Ctrl+Z and Ctrl+Shift+Z undo and redo, Ctrl+S saves.";

/** How a mode is used, in words. */
export function instructions(mode) {
  const keys = { look: "Arrows move it too.", crop: "" }[mode] ?? CROSSHAIR;
  return [MODES[mode][1], keys, VIEWING, UNDOING].filter(Boolean).join(" ");
}

/** The brush's width a step further, whole pixels and never the same. */
export function nextWidth(width, up, most) {
  const next = up ? Math.max(width + 1, width * 1.2) : Math.min(width - 1, width / 1.2);
  return Math.max(1, Math.min(most, Math.round(next)));
}

/** The widest brush for a picture. */
export function mostWidth({ width = 0, height = 0 }) { return Math.max(64, Math.min(width, height)); }

/** The place of a width on a slider from 0 to 1, and back: small widths have as much room as large ones. */
export function placeOf(width, most) { return Math.log(Math.max(1, width)) / Math.log(most); }
export function widthAt(place, most) { return Math.max(1, Math.round(most ** place)); }

function labelled(words, input, testid) {
  const label = make("label", "lb-canvas-field"), name = make("span");
  name.textContent = words;
  input.dataset.testid = testid;
  label.append(name, input);
  return { label, input, name };
}

function ranged(words, testid, min, max, step) {
  return labelled(words, Object.assign(make("input"), { type: "range", min, max, step }), testid);
}

function group(words, ...inside) {
  const view = make("div", "lb-canvas-group");
  view.setAttribute("role", "group");
  view.setAttribute("aria-label", words);
  view.append(...inside);
  return view;
}

/**
 * Both bars of a model. Calls: `wish(kind)` for "in", "out", "fit", "whole", "undo", "redo", "drop"; `set(trait, value)`.
 */
function createBars(model, { wish, set }) {
  const top = make("div", "lb-canvas-bar"), below = make("div", "lb-canvas-bar");
  const modes = group("What a drag does"), buttons = new Map();
  for (const mode of Object.keys(MODES)) {
    const button = makeButton(MODES[mode][0], () => set("mode", mode), `mode-${mode}`);
    button.title = MODES[mode][1];
    buttons.set(mode, button);
    modes.append(button);
  }
  const width = ranged("Width", "brush-width", 0, 1, 0.005), most = () => mostWidth(model.get("shown"));
  const way = make("select"), wayField = labelled("It", way, "how").label;
  way.append(...WAYS.map(([words, value]) => new Option(words, value)));
  const belongs = makeButton("Does not belong", () => set("belongs", !model.get("belongs")), "belongs");
  const ratio = make("select"), ratioField = labelled("Ratio", ratio, "ratio").label;
  const undo = makeButton("Undo", () => wish("undo"), "canvas-undo"), redo = makeButton("Redo", () => wish("redo"), "canvas-redo");
  const steps = group("Steps", undo, redo);
  const drop = makeButton("No crop", () => wish("drop"), "drop-crop");
  const clear = makeButton("Clear points", () => wish("drop"), "clear-points");
  top.append(modes, width.label, belongs, wayField, ratioField, drop, clear);
  const zoom = make("output", "lb-canvas-zoom");
  zoom.dataset.testid = "zoom-level";
  const out = makeButton("−", () => wish("out"), "zoom-out"), into = makeButton("+", () => wish("in"), "zoom-in");
  out.setAttribute("aria-label", "Zoom out");
  into.setAttribute("aria-label", "Zoom in");
  const whole = makeButton("100 %", () => wish("whole"), "zoom-whole");
  whole.title = "One pixel of the picture on one of the screen";
  const opacity = ranged("Mask", "mask-opacity", 0, 1, 0.05);
  opacity.label.title = "How dense the mask lies over the picture";
  const grey = makeButton("Black and white", () => set("black_and_white", !model.get("black_and_white")), "black-and-white");
  const place = make("span", "lb-canvas-place");
  place.dataset.testid = "place";
  place.setAttribute("aria-hidden", "true");
  below.append(group("Zoom", out, zoom, into, makeButton("Fit", () => wish("fit"), "zoom-fit"), whole), opacity.label, grey, steps, place);

  const listened = [[width.input, () => set("brush", widthAt(Number(width.input.value), most()))],
    [opacity.input, () => set("opacity", Number(opacity.input.value))], [ratio, () => set("ratio", Number(ratio.value))],
    [way, () => set("how", way.value)]];
  for (const [element, act] of listened) element.addEventListener("input", act);
  function draw() {
    const mode = model.get("mode"), offered = model.get("tools"), locked = model.get("locked"), isBrush = mode === "brush" || mode === "eraser";
    modes.hidden = offered.length < 2;
    for (const [name, button] of buttons) {
      button.hidden = !offered.includes(name);
      button.disabled = locked;
      button.setAttribute("aria-pressed", String(name === mode));
    }
    width.label.hidden = !isBrush;
    width.input.value = placeOf(model.get("brush"), most());
    width.name.textContent = `Width ${model.get("brush")}`;
    width.input.setAttribute("aria-valuetext", `${model.get("brush")} pixels`);
    wayField.hidden = !["rectangle", "polygon", "points"].includes(mode);
    way.value = model.get("how");
    way.disabled = locked;
    belongs.hidden = mode !== "points";
    belongs.disabled = locked;
    belongs.setAttribute("aria-pressed", String(!model.get("belongs")));
    ratioField.hidden = mode !== "crop" || !model.get("ratios").length;
    drop.hidden = mode !== "crop";
    clear.hidden = mode !== "points";
    drawMarked();
    const masks = offered.some((name) => ["brush", "eraser", "rectangle", "polygon", "points"].includes(name));
    steps.hidden = !masks && !model.get("can_undo") && !model.get("can_redo");
    undo.disabled = locked || !model.get("can_undo");
    redo.disabled = locked || !model.get("can_redo");
    opacity.label.hidden = grey.hidden = !masks && !model.get("overlay").mask?.byteLength;
    opacity.input.value = model.get("opacity");
    opacity.input.disabled = model.get("black_and_white");
    grey.setAttribute("aria-pressed", String(model.get("black_and_white")));
  }
  /** What can be done with points and boxes; called while they are drawn. */
  function drawMarked() {
    const { crop, points, box } = model.get("marked"), states = [[drop, !crop?.length], [clear, !points?.length && !box?.length]];
    for (const [button, isOff] of states) if (button.disabled !== isOff) button.disabled = isOff;
  }
  function drawRatios() {
    ratio.replaceChildren(...model.get("ratios").map(([words, value]) => new Option(words, value)));
    ratio.value = String(model.get("ratio"));
  }
  drawRatios();
  return {
    top, below, draw, drawMarked, drawRatios,
    tellZoom(words) { zoom.textContent = words; },
    tellPlace(words) { if (place.textContent !== words) place.textContent = words; },
    leave() { for (const [element, act] of listened) element.removeEventListener("input", act); },
  };
}
