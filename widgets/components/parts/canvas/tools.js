/* What a hand does on the picture in each mode. Points are in pixels of the picture, already inside of it. A tool has: down(point, flip),
   move(points), up(), cancel(), is it open(); some have draft(), hover(point), key(event), cursor(point), leave() for another mode. */

const FINE = 0.45;          // pixels of the picture by which a told line may differ from the drawn one
const CLICK = 5, NEAR = 12; // pixels of the page: less is no drag; a polygon's first corner is pressed

/** What an operation does with what is there. Args: how: as chosen; flip: the other way for this time. */
export function wayOf(how, flip) {
  if (how === "intersect") return how;
  return (how === "subtract") === Boolean(flip) ? "add" : "subtract";
}

/** A stroke as it is told: few points, short numbers. */
export function toldStroke(points, width, how) {
  return { op: "stroke", points: simplified(points, FINE).map(shortened), width: Math.round(width * 100) / 100, how };
}

/** Whether two points are so many pixels of the page apart. */
export function apart([x, y], [otherX, otherY], scale, pixels) {
  return Math.hypot(x - otherX, y - otherY) * scale >= pixels;
}

/** Brush and eraser. `desk`: see createTools. */
function brushTool(desk, how) {
  let stroke = null;
  const open = () => Boolean(stroke);
  return {
    open,
    down(point, flip) {
      stroke = { op: "stroke", points: [point], width: desk.brush(), how: wayOf(how, flip) };
      desk.mask.begin(stroke);
    },
    move(points) {
      for (const point of points) if (apart(point, stroke.points[stroke.points.length - 1], desk.scale(), 0.4)) stroke.points.push(point);
    },
    up() {
      const { points, width, how: way } = stroke;
      desk.tell(toldStroke(points, width, way));
      stroke = null;
      desk.mask.finish();
      desk.say(way === "add" ? "Stroke drawn." : "Stroke erased.");
    },
    cancel() { stroke = null; desk.mask.drop(); },
  };
}

function rectangleTool(desk) {
  let first = null, second = null, way = "add";
  return {
    open: () => Boolean(first),
    draft: () => (first ? { kind: "box", corners: [first, second] } : null),
    down(point, flip) { first = second = point; way = wayOf(desk.model.get("how"), flip); },
    move(points) { second = points[points.length - 1]; },
    up() {
      if (apart(first, second, desk.scale(), 2)) {
        desk.tell({ op: "rectangle", first: shortened(first), second: shortened(second), how: way });
        desk.say("Rectangle drawn.");
      }
      first = null;
      desk.changed();
    },
    cancel() { first = null; },
  };
}

function polygonTool(desk) {
  let corners = [], to = null, pressed = null, way = "add";
  function close() {
    if (corners.length < 3) return;
    desk.tell({ op: "polygon", points: corners.map(shortened), how: way });
    corners = [];
    desk.say("Polygon drawn.");
    desk.changed();
  }
  return {
    open: () => Boolean(pressed),
    draft: () => (corners.length ? { kind: "line", corners: [...corners, to ?? corners[corners.length - 1]] } : null),
    hover(point) { to = point; },
    down(point, flip) {
      pressed = to = point;
      if (!corners.length) way = wayOf(desk.model.get("how"), flip);
    },
    move(points) { pressed = to = points[points.length - 1]; },
    up() {
      const point = pressed, near = (corner, pixels) => !apart(point, corner, desk.scale(), pixels);
      pressed = null;
      if (corners.length > 2 && (near(corners[0], NEAR) || near(corners[corners.length - 1], CLICK))) { close(); return; }
      if (corners.length && near(corners[corners.length - 1], CLICK)) return;   // the second half of a double click
      corners.push(point);
      desk.say(`Corner ${corners.length}.`);
    },
    cancel() { pressed = null; },
    leave() { corners = []; },
    key(event) {
      if (!corners.length || !["Enter", "Escape", "Backspace"].includes(event.key)) return false;
      if (event.key === "Enter") close();
      else corners = event.key === "Escape" ? [] : corners.slice(0, -1);
      return true;
    },
  };
}

/** Points that belong to what is meant, or do not, and a box around it. */
function pointsTool(desk) {
  let first = null, last = null, isMeant = true;
  const marks = () => desk.marks();
  function put(point) {
    desk.setMarks({ points: [...marks().points, [...shortened(point), isMeant ? 1 : 0]] });
    desk.say(isMeant ? "Point that belongs to it." : "Point that does not belong to it.");
  }
  return {
    open: () => Boolean(first),
    draft: () => (first && apart(first, last, desk.scale(), CLICK) ? { kind: "box", corners: [first, last] } : null),
    down(point, flip) { first = last = point; isMeant = desk.model.get("belongs") !== Boolean(flip); },
    move(points) { last = points[points.length - 1]; },
    up() {
      if (apart(first, last, desk.scale(), CLICK)) {
        const [low, high] = [Math.min, Math.max].map((pick) => shortened([pick(first[0], last[0]), pick(first[1], last[1])]));
        desk.setMarks({ box: [...low, ...high] });
        desk.say("Box drawn.");
      } else put(first);
      first = null;
      desk.changed();
    },
    cancel() { first = null; },
    key(event) {
      if (!["Delete", "Backspace", "Escape"].includes(event.key)) return false;
      const { points, box } = marks();
      if (!points.length && !box.length) return false;
      if (event.key === "Escape") desk.setMarks({ points: [], box: [] });
      else desk.setMarks(points.length ? { points: points.slice(0, -1) } : { box: [] });
      return true;
    },
  };
}

const CURSORS = { "-1,-1": "nwse-resize", "1,1": "nwse-resize", "1,-1": "nesw-resize", "-1,1": "nesw-resize", "0,-1": "ns-resize", "0,1": "ns-resize",
  "-1,0": "ew-resize", "1,0": "ew-resize" };

function cropTool(desk) {
  let begun = null;
  const crop = () => desk.marks().crop, size = () => desk.frame().size;
  const [ratio, least] = [() => desk.model.get("ratio"), () => desk.model.get("crop_least")];
  const held = (point) => grip(crop(), point, desk.reach() / desk.scale());
  function set(box) {
    desk.setMarks({ crop: box });
  }
  return {
    open: () => Boolean(begun),
    cursor(point) {
      const what = held(point);
      return what === "inside" ? "move" : what ? CURSORS[what.join()] : "crosshair";
    },
    down(point) { begun = { point, box: crop(), what: held(point) }; desk.hold(true); },
    move(points) {
      const point = points[points.length - 1], { what, box, point: from } = begun;
      if (what === "inside") set(movedBox(box, point[0] - from[0], point[1] - from[1], size()));
      else if (what) {
        const [x, y] = handlePlace(box, what);
        set(resizedBox(box, what, [x + point[0] - from[0], y + point[1] - from[1]], size(), ratio(), least()));
      } else if (apart(point, from, desk.scale(), CLICK)) set(drawnBox(from, point, size(), ratio(), least()));
    },
    up() { begun = null; desk.hold(false); desk.say(boxWords(crop())); },
    cancel() { if (begun) set(begun.box); begun = null; desk.hold(false); },
    key(event) {
      const box = crop(), isArrow = event.key.startsWith("Arrow");
      if (event.key === "Escape" && box.length) { set([]); desk.say("No crop box."); return true; }
      if ((event.key === "Enter" || event.key === " ") && !box.length) { set(largestBox(size(), ratio())); desk.say(boxWords(crop())); return true; }
      if (event.key === "Enter") { desk.confirm(); return true; }
      if (!isArrow || !box.length) return false;
      set(nudgedBox(box, event.key, event.ctrlKey || event.metaKey || event.altKey ? 10 : 1, event.shiftKey, size(), ratio(), least()));
      desk.say(boxWords(crop()));
      return true;
    },
  };
}

/**
 * The tools by mode. `desk`: model; frame(); scale(); reach(): pixels of the page in which a handle is taken; brush(): its width; mask;
 * marks(), setMarks(), hold(on); tell(operation), confirm(); say(words), changed().
 */
function createTools(desk) {
  return { brush: brushTool(desk, "add"), eraser: brushTool(desk, "subtract"), rectangle: rectangleTool(desk), polygon: polygonTool(desk),
    points: pointsTool(desk), crop: cropTool(desk) };
}
