/* The keyboard on the stage: the view, the brush, and a crosshair that does what a hand does. */

const NUDGE = 10, PAN = 60; // pixels of the page

/** What a key means wherever the stage has the keyboard; null: nothing of its own. */
export function keyWish(event) {
  const command = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
  if (command && !event.altKey) {
    if (key === "z") return event.shiftKey ? "redo" : "undo";
    return { y: "redo", s: "save" }[key] ?? null;
  }
  if (event.altKey) return null;
  return { "+": "in", "=": "in", "-": "out", _: "out", 0: "fit", 1: "whole", "[": "thinner", "]": "thicker" }[key] ?? null;
}

/** How far an arrow key goes: [right, down]; null for other keys. */
export function arrow(key) {
  return { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? null;
}

/**
 * The crosshair: where the keyboard draws. `desk`: frame(), tool(), pan(right, down), pointers, soon(), say(words), seen(on).
 * Arrows move it by 10 pixels of the page, with Shift by one of the picture; Space presses, and presses again to let go of a line or box.
 */
function createCross(desk) {
  let point = null, isDown = false;

  function show() {
    const { view, size } = desk.frame();
    point = inside([view.x, view.y], size);
    desk.say("Crosshair in the middle. Arrows move it, Space draws.");
  }
  /** It never leaves what is seen: the picture follows it. */
  function follow() {
    const { view, stage } = desk.frame(), [x, y] = toStage(view, stage, point);
    const over = (place, room) => (place < 24 ? 24 - place : place > room - 24 ? room - 24 - place : 0);
    const [right, down] = [over(x, stage.width), over(y, stage.height)];
    if (right || down) desk.pan(right, down);
  }
  function move([right, down], isFine) {
    if (!point) show();
    const { view, size } = desk.frame(), step = isFine ? 1 : NUDGE / view.scale;
    point = inside([point[0] + right * step, point[1] + down * step], size);
    follow();
    const tool = desk.tool();
    if (isDown && tool?.open()) tool.move([point]);
    else tool?.hover?.(point);
    desk.soon();
  }
  /** Args: flip: the other way. isBox: for points: the corner of a box. */
  function press(flip, isBox) {
    const tool = desk.tool();
    if (!tool) return;
    if (!point) { show(); desk.soon(); return; }
    if (isDown && tool.open()) { tool.up(); isDown = false; }
    else {
      tool.down(point, flip);
      const { mode } = desk;
      isDown = mode() === "brush" || mode() === "eraser" || mode() === "rectangle" || isBox;
      if (isDown) desk.say("Begun. Arrows go on, Space ends, Escape drops it.");
      else tool.up();
    }
    desk.soon();
  }
  return {
    point: () => point,
    isDown: () => isDown,
    move,
    press,
    hide() { if (isDown) { desk.tool()?.cancel(); isDown = false; } point = null; },
    /** Returns: whether something was being drawn. */
    drop() {
      if (!isDown) return false;
      isDown = false;
      desk.tool()?.cancel();
      desk.say("Dropped.");
      return true;
    },
  };
}

/**
 * Keys of the stage. `desk`: mode(), tool(), cross, pointers, wish(kind), pan(right, down), soon(). Returns: whether the key was its own.
 */
function pressedKey(desk, event) {
  const { cross, pointers } = desk, tool = desk.tool(), way = arrow(event.key), isDrawn = tool && desk.mode() !== "crop";
  if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) return false;   // the notebook's own: it runs the cell
  if (event.key === "Escape" && (cross.drop() || pointers.drop())) return true;
  if (tool?.key?.(event)) return true;
  if (event.key === "Escape" && cross.point()) { cross.hide(); return true; }
  const wish = keyWish(event);
  if (wish) { desk.wish(wish); return true; }
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (way && isDrawn) { cross.move(way, event.shiftKey); return true; }
  if (way) { desk.pan(-PAN * way[0], -PAN * way[1]); return true; }
  if (event.key.toLowerCase() === "b" && desk.mode() === "points") { cross.press(false, true); return true; }
  if (event.key === " ") {
    if (event.repeat) return true;
    if (isDrawn && cross.point()) cross.press(event.shiftKey, false);
    else pointers.hold(true);
    return true;
  }
  return false;
}
