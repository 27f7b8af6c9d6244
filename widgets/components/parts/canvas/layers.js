/* The picture on the stage: canvases of the stage's size, however large the picture is, drawn anew only when the view changes. */

const MOST_PIXELS = 4096;   // a side of a picture that is kept decoded
const SQUARE = 8;           // of the chequered ground behind transparent pictures

/** A picture file decoded, no larger than so many pixels a side. Throws what the browser throws for a file that is no picture. */
async function decoded(bytes, most = MOST_PIXELS) {
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const longest = Math.max(bitmap.width, bitmap.height);
  if (longest <= most) return bitmap;
  const side = (length) => Math.max(1, Math.round(length * most / longest));
  const smaller = await createImageBitmap(bitmap, { resizeWidth: side(bitmap.width), resizeHeight: side(bitmap.height), resizeQuality: "high" });
  bitmap.close();
  return smaller;
}

/** A canvas that lies over the stage. */
function createSheet(className) {
  const canvas = make("canvas", className);
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  return {
    canvas,
    context,
    /** As many pixels as the screen has there. Returns: whether that is another number than before. */
    fit(stage) {
      if (canvas.width === stage.across && canvas.height === stage.down) return false;
      canvas.width = stage.across;
      canvas.height = stage.down;
      return true;
    },
    /** From now on one draws in pixels of the picture. */
    place(view, stage) {
      const [right, down] = [stage.across / stage.width, stage.down / stage.height];
      context.setTransform(right * view.scale, 0, 0, down * view.scale, right * (stage.width / 2 - view.x * view.scale),
        down * (stage.height / 2 - view.y * view.scale));
    },
    clear() {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
    },
  };
}

const tiles = new Map();
function chequered(ratio) {
  if (!tiles.has(ratio)) tiles.set(ratio, chequers(ratio));
  return tiles.get(ratio);
}
function chequers(ratio) {
  const side = Math.round(SQUARE * ratio), tile = make("canvas");
  tile.width = tile.height = 2 * side;
  const context = tile.getContext("2d");
  context.fillStyle = "#c9c9c9";
  context.fillRect(0, 0, 2 * side, 2 * side);
  context.fillStyle = "#9f9f9f";
  context.fillRect(0, 0, side, side);
  context.fillRect(side, side, side, side);
  return context.createPattern(tile, "repeat");
}

/** The pixels of one picture, and over them those of its sharper part. `pixel`: pixels of the screen for one of the picture. */
function paintPicture(sheet, bitmap, part, box, frame) {
  const { size, view, stage } = frame, { context } = sheet;
  sheet.clear();
  if (!bitmap) return;
  sheet.place(view, stage);
  context.save();
  context.beginPath();
  context.rect(0, 0, size.width, size.height);
  context.clip();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = chequered(stage.across / stage.width);
  context.fillRect(0, 0, stage.across, stage.down);
  sheet.place(view, stage);
  const pixel = view.scale * stage.across / stage.width;
  const draw = (source, [left, top, right, bottom]) => {
    context.imageSmoothingEnabled = pixel * (right - left) / source.width < 3;   // from there on single pixels are to be seen
    context.imageSmoothingQuality = "medium";
    context.drawImage(source, left, top, right - left, bottom - top);
  };
  draw(bitmap, [0, 0, size.width, size.height]);
  if (part) {
    context.clearRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
    draw(part, box);
  }
  context.restore();
}

/**
 * The pictures of a model with the traits `shown` and `region`. What is shown stays until what follows is decoded. Calls: `changed(isOther)`
 * when another picture, or another version of it, is there; `failed()` when it cannot be decoded.
 */
function createPictures(model, { changed, failed }) {
  const after = createSheet("lb-canvas-after"), before = createSheet("lb-canvas-before");
  let now = null, region = null, wanted = -1, gone = false;

  async function load() {
    const shown = model.get("shown"), version = shown.version;
    wanted = version;
    if (!shown.picture?.byteLength) { drop(); changed(true); return; }
    try {
      const [picture, other] = await Promise.all([decoded(shown.picture), shown.before?.byteLength ? decoded(shown.before) : null]);
      if (wanted !== version || gone) { picture.close(); other?.close(); return; }
      const isOther = now?.sheet !== shown.sheet;
      drop();
      now = { picture, before: other, sheet: shown.sheet, version, size: { width: shown.width, height: shown.height } };
      changed(isOther);
      sharpen();
    } catch {
      if (wanted === version && !gone) { drop(); failed(); }
    }
  }
  async function sharpen() {
    const given = model.get("region");
    if (!now || given.version !== now.version || !given.picture?.byteLength || given.count === region?.count) return;
    try {
      const [picture, other] = await Promise.all([decoded(given.picture), given.before?.byteLength ? decoded(given.before) : null]);
      if (gone || given !== model.get("region") || given.version !== now?.version) { picture.close(); other?.close(); return; }
      forget();
      region = { picture, before: other, box: given.box, count: given.count };
      changed(false);
    } catch { /* the picture stays as sharp as it is */ }
  }
  function forget() {
    region?.picture.close();
    region?.before?.close();
    region = null;
  }
  function drop() {
    forget();
    now?.picture.close();
    now?.before?.close();
    now = null;
  }
  return {
    sheets: [after, before],
    load,
    sharpen,
    /** {sheet, version, size} of what is shown; null: nothing. */
    shown: () => now,
    hasBefore: () => Boolean(now?.before),
    /** The part that is there in its own sharpness, as a box; null: none. */
    sharpBox: () => region?.box ?? null,
    /** How many pixels there are for one of the picture. */
    detail: () => (now ? now.picture.width / now.size.width : 1),
    paint(frame) {
      paintPicture(after, now?.picture, region?.picture, region?.box, frame);
      before.canvas.hidden = !now?.before;
      if (now?.before) paintPicture(before, now.before, region?.before, region?.box, frame);
    },
    leave() { gone = true; drop(); },
  };
}
