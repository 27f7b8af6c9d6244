/* The mask over the picture: what the kernel made of it, and what was drawn since, in one colour. */

/** Colours that differ for every kind of colour vision. */
export const INKS = { blue: "#2f7dff", orange: "#ff8a00", magenta: "#e0409b" };
const MOST_MASK = 2048;     // a side of the mask that is kept
const FAR = 1e6;            // pixels: no picture reaches so far
const BAND = 128;           // rows that are turned into ink at a time: the hand goes on between two of them

/** Draw one operation. Args: context: its unit is a pixel of the picture. ink: {add, subtract}: {colour, composite}. */
function paintOperation(context, operation, ink) {
  const keepsInside = operation.how === "intersect", { colour, composite } = ink[keepsInside ? "subtract" : operation.how];
  context.globalCompositeOperation = composite;
  context.fillStyle = context.strokeStyle = colour;
  if (operation.op === "stroke") paintStroke(context, operation.points, operation.width);
  else {
    const { first, second } = operation;
    context.beginPath();
    if (keepsInside) context.rect(-FAR, -FAR, 2 * FAR, 2 * FAR);   // everything outside of the shape is taken away
    if (operation.op === "rectangle") context.rect(first[0], first[1], second[0] - first[0], second[1] - first[1]);
    else operation.points.forEach(([x, y], place) => (place ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.fill("evenodd");
  }
  context.globalCompositeOperation = "source-over";
}

/** The way of a round brush, from its `from`th point on. */
function paintStroke(context, points, width, from = 0) {
  const start = Math.max(0, from - 1);
  context.beginPath();
  if (points.length - start === 1) {
    context.arc(points[start][0], points[start][1], width / 2, 0, 2 * Math.PI);
    context.fill();
    return;
  }
  context.lineWidth = width;
  context.lineCap = context.lineJoin = "round";
  context.moveTo(points[start][0], points[start][1]);
  for (let place = start + 1; place < points.length; place += 1) context.lineTo(points[place][0], points[place][1]);
  context.stroke();
}

/** A mask (white counts) as a canvas that is opaque where it counts; made in bands, so that nothing waits for it. */
async function inked(bytes) {
  const bitmap = await decoded(bytes, MOST_MASK);
  const canvas = make("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  for (let top = 0; top < canvas.height; top += BAND) {
    const image = context.getImageData(0, top, canvas.width, Math.min(BAND, canvas.height - top)), { data } = image;
    for (let place = 0; place < data.length; place += 4) data[place + 3] = data[place] * data[place + 3] / 255;
    context.putImageData(image, 0, top);
    await new Promise((go) => { setTimeout(go); });
  }
  return canvas;
}

/** The same operations in the same order? */
export function sameKeys(one, other) {
  return one.length === other.length && one.every((operation, place) => operation.key === other[place].key);
}

/** What is drawn over the mask that is seen, while a newer mask is on its way: all of it, and what came since; nothing twice. */
export function joined(drawn, known) {
  const have = new Set(drawn.map((one) => one.key));
  return [...drawn, ...known.filter((one) => !have.has(one.key))];
}

/**
 * The mask of a model with the traits `overlay`, `drawn`, `opacity`, `colour`, `black_and_white`. Calls: `waiting()`: operations that the
 * kernel has not heard of yet; `ready()`: whether the picture that the traits speak of is the one that is shown; `changed()` when it must be
 * painted anew.
 */
function createMask(model, { waiting, ready, changed }) {
  const sheet = createSheet("lb-canvas-mask");
  let base = { count: 0, whole: null, part: null, box: null }, operations = [], coming = 0, draft = null, painted = 0, gone = false;

  const known = () => [...model.get("drawn"), ...waiting()];
  /** Take in what the kernel says. A mask that must be decoded first replaces what was drawn only then, so that nothing flickers. */
  async function settle() {
    if (!ready()) return;
    const overlay = model.get("overlay"), count = overlay.count ?? 0;
    if (count === base.count) {
      const next = known();
      const isSame = sameKeys(operations, next);
      operations = next;
      if (!isSame) changed();
      return;
    }
    operations = joined(operations, known());
    changed();
    if (count === coming) return;
    coming = count;
    const made = [overlay.mask, overlay.sharp].map((bytes) => (bytes?.byteLength ? inked(bytes).catch(() => null) : null));
    const [whole, part] = await Promise.all(made);
    if (coming !== count || gone) return;
    base = { count, whole, part, box: overlay.box };
    operations = known();
    tint();
    changed();
  }
  function ink() {
    const isGrey = model.get("black_and_white"), colour = isGrey ? "#fff" : INKS[model.get("colour")];
    return { add: { colour, composite: "source-over" }, subtract: isGrey ? { colour: "#000", composite: "source-over" } : { colour, composite: "destination-out" } };
  }
  function tint() {
    for (const canvas of [base.whole, base.part].filter(Boolean)) {
      const context = canvas.getContext("2d");
      context.globalCompositeOperation = "source-in";
      context.fillStyle = ink().add.colour;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.globalCompositeOperation = "source-over";
    }
  }
  function clip(frame) {
    sheet.place(frame.view, frame.stage);
    sheet.context.beginPath();
    sheet.context.rect(0, 0, frame.size.width, frame.size.height);
    sheet.context.clip();
  }
  function paint(frame) {
    const { context } = sheet, { size } = frame, isGround = model.get("black_and_white");
    sheet.clear();
    context.save();
    clip(frame);
    const ground = () => { context.fillStyle = "#000"; context.fillRect(0, 0, size.width, size.height); };
    if (isGround) ground();
    if (base.whole) context.drawImage(base.whole, 0, 0, size.width, size.height);
    if (base.part) {
      const [left, top, right, bottom] = base.box;
      context.clearRect(left, top, right - left, bottom - top);
      if (isGround) { context.fillStyle = "#000"; context.fillRect(left, top, right - left, bottom - top); }
      context.drawImage(base.part, left, top, right - left, bottom - top);
    }
    for (const operation of operations) paintOperation(context, operation, ink());
    if (draft) paintOperation(context, draft, ink());
    painted = draft ? draft.points.length : 0;
    context.restore();
  }
  function show() {
    sheet.canvas.style.opacity = model.get("black_and_white") ? 1 : model.get("opacity");
    sheet.canvas.parentElement?.classList.toggle("lb-canvas-alone", model.get("black_and_white"));
  }
  return {
    sheet,
    settle,
    paint,
    show,
    recolour() { tint(); show(); changed(); },
    /** A stroke that is being drawn; null: none, or dropped. */
    begin(stroke) { draft = stroke; painted = 0; },
    /** Only what the stroke grew by is drawn. */
    grow(frame) {
      if (!draft || painted >= draft.points.length) return;
      const { context } = sheet, { colour, composite } = ink()[draft.how];
      context.save();
      clip(frame);
      context.globalCompositeOperation = composite;
      context.fillStyle = context.strokeStyle = colour;
      paintStroke(context, draft.points, draft.width, painted);
      context.restore();
      painted = draft.points.length;
    },
    /** The stroke is done: what was told stands in its place. */
    finish() { draft = null; },
    drop() { draft = null; changed(); },
    /** How many pixels of the mask there are for one of a picture of that size. */
    detail: (size) => (base.whole ? base.whole.width / size.width : 1),
    /** Another picture: what was being drawn is dropped. */
    clear() { draft = null; operations = []; coming = -1; base = { count: -1, whole: null, part: null, box: null }; settle(); },
    leave() { gone = true; },
  };
}
