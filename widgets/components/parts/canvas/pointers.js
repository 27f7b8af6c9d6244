/* Mouse, pen and fingers on the stage: one draws, two fingers move and zoom, the middle button or a held space bar moves. */

const TOUCH_REACH = 24, MOUSE_REACH = 11;   // pixels of the page in which a handle is taken

/** How two fingers changed: {factor, right, down, x, y}: their distance, and their middle. */
export function pinched([a, b], [c, d]) {
  const middle = ([p, q]) => [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2], length = ([p, q]) => Math.hypot(p[0] - q[0], p[1] - q[1]);
  const [from, to] = [middle([a, b]), middle([c, d])];
  return { factor: length([c, d]) / Math.max(1, length([a, b])), right: to[0] - from[0], down: to[1] - from[1], x: to[0], y: to[1] };
}

/**
 * Gestures on an element. `desk`: place(event): where on the stage; tool(): the present one, null for none; point(place): the picture's
 * point; pan(right, down); zoomBy(factor, x, y); hover(place): null when it left; soon(): draw with the next frame; rightDraws(): whether the
 * right button is the tool's; moved(): a gesture is done; focus().
 */
function createPointers(surface, desk) {
  const pointers = new Map();
  let gesture = null, tool = null, queue = [], space = false, spaceUsed = false, reach = MOUSE_REACH;

  function down(event) {
    if (event.button > 2 || (event.button === 2 && !desk.rightDraws())) return;
    desk.focus();
    reach = event.pointerType === "touch" ? TOUCH_REACH : MOUSE_REACH;
    const place = desk.place(event);
    pointers.set(event.pointerId, place);
    surface.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (pointers.size === 2) {
      drop();
      gesture = "pinch";
    } else if (pointers.size === 1) {
      tool = desk.tool();
      gesture = !tool || event.button === 1 || space ? "pan" : "tool";
      spaceUsed = spaceUsed || space;
      desk.hover(gesture === "tool" ? place : null);
      if (gesture === "tool") tool.down(desk.point(place), event.altKey || event.button === 2);
      else surface.classList.add("lb-canvas-moving");
    }
    desk.soon();
  }
  function move(event) {
    const last = pointers.get(event.pointerId);
    const place = desk.place(event);
    if (!last) { if (event.pointerType !== "touch") desk.hover(place); return; }
    if (gesture === "tool") {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const one of all.length ? all : [event]) queue.push(desk.point(desk.place(one)));
      desk.hover(place);
    } else if (gesture === "pan") desk.pan(place[0] - last[0], place[1] - last[1]);
    else if (gesture === "pinch" && pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const { factor, right, down: below, x, y } = pinched([last, other], [place, other]);
      desk.pan(right, below);
      desk.zoomBy(factor, x, y);
    }
    pointers.set(event.pointerId, place);
    desk.soon();
  }
  /** What was moved since the last frame. */
  function flush() {
    if (gesture === "tool" && queue.length && tool.open()) tool.move(queue);
    queue = [];
  }
  function drop() {
    queue = [];
    if (gesture === "tool" && tool.open()) tool.cancel();
    gesture = null;
  }
  function up(event) {
    if (!pointers.delete(event.pointerId)) return;
    if (gesture === "tool") {
      flush();
      if (tool.open()) tool.up();
    }
    if (!pointers.size) { gesture = null; surface.classList.remove("lb-canvas-moving"); }
    if (event.pointerType === "touch") desk.hover(null);
    desk.moved();
    desk.soon();
  }
  function lost(event) {
    if (!pointers.delete(event.pointerId)) return;
    drop();
    surface.classList.remove("lb-canvas-moving");
    desk.hover(null);
    desk.soon();
  }
  function left(event) {
    if (!pointers.has(event.pointerId)) desk.hover(null);
  }
  function wheel(event) {
    if (!desk.takesWheel(event)) return;
    event.preventDefault();
    const [x, y] = desk.place(event);
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) desk.pan(-(event.deltaX || event.deltaY), 0);
    else desk.zoomBy(wheelFactor(event.deltaY, event.deltaMode, event.ctrlKey), x, y);
    desk.moved();
    desk.soon();
  }
  function menu(event) {
    if (!desk.rightDraws()) return;
    event.preventDefault();
    event.stopPropagation();   // JupyterLab opens a menu of its own
  }
  const listened = [["pointerdown", down], ["pointermove", move], ["pointerup", up], ["pointercancel", lost], ["lostpointercapture", lost],
    ["pointerleave", left], ["contextmenu", menu]];
  for (const [name, act] of listened) surface.addEventListener(name, act);
  surface.addEventListener("wheel", wheel, { passive: false });
  return {
    flush,
    reach: () => reach,
    isDrawing: () => gesture === "tool",
    /** What is being drawn is let go. Returns: whether there was anything. */
    drop() { const was = gesture === "tool" && tool.open(); if (was) drop(); return was; },
    /** The space bar is held, or was let go. Returns: whether something was moved with it. */
    hold(on) {
      const used = spaceUsed;
      if (on && !space) spaceUsed = false;
      space = on;
      surface.classList.toggle("lb-canvas-hand", on);
      return used;
    },
    leave() {
      for (const [name, act] of listened) surface.removeEventListener(name, act);
      surface.removeEventListener("wheel", wheel);
    },
  };
}
