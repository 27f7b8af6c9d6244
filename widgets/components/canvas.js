/* A picture that is looked at, drawn on, pressed on and cropped. The parts in parts/canvas/ stand before this text. */

const REST = 150;           // ms without zooming or moving after which the view is told and a sharper part asked for
const ROOM = 0.25;          // of what is seen, asked for around it

function render({ model, el }) {
  el.classList.add("lb-canvas");
  el.dataset.testid = "canvas";
  el.dataset.lmSuppressShortcuts = "true";
  const viewer = Math.random().toString(36).slice(2, 10);
  const stageView = make("div", "lb-canvas-stage"), nothing = make("p", "lb-canvas-nothing"), how = make("p", "lb-canvas-how");
  const caption = make("p", "lb-canvas-caption"), said = make("p", "lb-canvas-said"), help = make("details", "lb-canvas-help");
  how.id = `lb-canvas-how-${viewer}`;
  help.append(make("summary", "", "Keys and gestures"), how);
  said.setAttribute("role", "status");
  said.dataset.testid = "canvas-said";
  stageView.tabIndex = 0;
  stageView.dataset.testid = "stage";
  stageView.setAttribute("role", "application");
  stageView.setAttribute("aria-describedby", how.id);

  let view = null, isFit = true, stage = { width: 1, height: 1, across: 1, down: 1 }, rect = null, hovered = null;
  let frameAsked = null, isStale = true, isMaskStale = true, isMeasured = false, local = null;
  const told = createTold(model, "marked"), look = createTold(model, "look", REST);
  const deeds = new Deeds((list) => model.send({ kind: "deeds", viewer, deeds: list }));
  const pictures = createPictures(model, { changed: pictureChanged, failed });
  const size = () => pictures.shown()?.size ?? { width: 1, height: 1 };
  const frame = () => ({ view, stage, size: size() });
  const waiting = () => deeds.unheard.map(([, deed]) => deed).filter((deed) => deed.op && deed.sheet === pictures.shown()?.sheet);
  const isCurrent = () => model.get("shown").sheet === (pictures.shown()?.sheet ?? model.get("shown").sheet);
  const mask = createMask(model, { waiting, ready: isCurrent, changed: maskChanged });
  const lines = createMarks(), ring = createRing();
  const marks = () => local ?? model.get("marked");
  const desk = {
    model, mask, frame, marks, pan, say, soon, tool, tell,
    mode: () => model.get("mode"),
    scale: () => view.scale,
    brush: () => model.get("brush"),
    reach: () => pointers.reach(),
    changed: soon,
    hold: (on) => told.hold(on),
    setMarks(change) {
      local = { ...marks(), ...change, sheet: pictures.shown().sheet };
      told.set(local);
      soon();
    },
    confirm() {
      const { crop } = marks();
      if (!crop.length) return;
      told.now();
      tellDeed({ kind: "crop", box: crop });
      say(`Confirmed: ${boxWords(crop)}`);
    },
    // of the gestures
    place(event) {
      soon();   // the next frame forgets where the stage stands in the window
      return localPlace(rect ??= stageView.getBoundingClientRect(), stage, event.clientX, event.clientY);
    },
    point: ([x, y]) => inside(toPicture(view, stage, x, y), size()),
    hover(place) {
      if (cross.isDown()) return;   // the keyboard draws
      if (place) cross.hide();
      hovered = place;
      if (place && view) tool()?.hover?.(desk.point(place));
      soon();
    },
    zoomBy: (factor, x, y) => zoomTo(view.scale * factor, x, y),
    rightDraws: () => model.get("mode") === "points" && !model.get("locked"),
    takesWheel: (event) => Boolean(view) && (event.ctrlKey || event.metaKey || el.contains(el.getRootNode().activeElement)),
    focus: () => stageView.focus({ preventScroll: true }),
    moved: rested(atRest, REST),
    wish,
  };
  const tools = createTools(desk), cross = createCross(desk);
  const pointers = createPointers(stageView, desk);
  desk.cross = cross;
  desk.pointers = pointers;
  const slider = createSlider(model, { frame, place: desk.place, before: pictures.sheets[1].canvas });
  const bars = createBars(model, { wish, set });
  stageView.append(...pictures.sheets.map((sheet) => sheet.canvas), mask.sheet.canvas, lines.view, lines.label, ring.view, ...slider.parts, nothing);
  el.append(bars.top, stageView, bars.below, caption, said, help);

  function tool() { return view && !model.get("locked") ? tools[model.get("mode")] ?? null : null; }
  function set(trait, value) {
    model.set(trait, value);
    model.save_changes();
  }
  function say(words) { said.textContent = words; }
  function tellDeed(deed) {
    const shown = pictures.shown();
    if (shown) deeds.tell({ ...deed, sheet: shown.sheet, key: `${viewer}:${deeds.serial + 1}` });
  }
  function tell(operation) {
    tellDeed({ kind: operation.op, ...operation });
    mask.settle();
  }

  function soon() { frameAsked ??= requestAnimationFrame(draw); }
  function again() { isStale = true; soon(); }
  function maskChanged() { isMaskStale = true; soon(); }
  function draw() {
    frameAsked = null;
    rect = null;
    if (!view) { drawNothing(); return; }
    pointers.flush();
    const now = frame();
    if (isStale) {
      for (const sheet of [...pictures.sheets, mask.sheet]) sheet.fit(stage);
      pictures.paint(now);
      slider.draw(pictures.hasBefore());
      bars.tellZoom(percent(view.scale * stage.across / stage.width));
    }
    if (isStale || isMaskStale) mask.paint(now);
    else mask.grow(now);
    isStale = isMaskStale = false;
    const mode = model.get("mode"), at = cross.point();
    lines.draw(now, { ...marks(), mode, draft: tool()?.draft?.() ?? null, cross: at });
    drawPlace(mode, at);
  }
  function drawNothing() {
    for (const sheet of [...pictures.sheets, mask.sheet]) sheet.clear();
    slider.draw(false);
    ring.hide();
    lines.draw({ view: { x: 0, y: 0, scale: 1 }, stage }, {});
  }
  function drawPlace(mode, at) {
    const place = at ? toStage(view, stage, at) : hovered, isBrush = mode === "brush" || mode === "eraser";
    if (place && isBrush && tool()) ring.draw(place[0], place[1], model.get("brush") * view.scale, mode === "eraser");
    else ring.hide();
    const point = at ?? (place && desk.point(place));
    bars.tellPlace(point ? `${Math.floor(Math.min(point[0], size().width - 1))}, ${Math.floor(Math.min(point[1], size().height - 1))}` : "");
    const cursor = !tool() ? "" : isBrush && place && !at ? "none" : point && tool().cursor ? tool().cursor(point) : "crosshair";
    if (stageView.style.cursor !== cursor) stageView.style.cursor = cursor;
  }

  function pan(right, down) {
    if (!view) return;
    view = panned(view, size(), stage, right, down);
    isFit = false;
    again();
    desk.moved();
  }
  function zoomTo(scale, x = stage.width / 2, y = stage.height / 2) {
    const { least, most } = scales(size(), stage, stage.across / stage.width);
    view = zoomed(view, size(), stage, Math.max(least, Math.min(most, scale)), x, y);
    isFit = false;
    again();
    desk.moved();
  }
  function fit() {
    view = fitted(size(), stage);
    isFit = true;
    again();
    desk.moved();
  }
  /** Nothing moves any more: tell the view, and ask for what can be seen sharper. */
  function atRest() {
    if (!view || !isMeasured) return;
    const ratio = stage.across / stage.width;
    drawTouch();
    look.set(isFit ? { zoom: 0 } : { zoom: view.scale * ratio, x: view.x, y: view.y });
    askSharper();
  }
  function askSharper() {
    const pixel = view.scale * stage.across / stage.width, present = model.get("wanted"), { version } = pictures.shown();
    const detail = Math.min(pictures.detail(), mask.detail(size()));
    const next = wishFor(present, version, seenBox(view, size(), stage), seenBox(view, size(), stage, ROOM), pixel, detail);
    if (next !== present && (next.box || present.box)) set("wanted", next);
  }
  function followLook() {
    if (look.isBusy() || !view) return;
    const { zoom, x, y } = model.get("look"), ratio = stage.across / stage.width;
    isFit = !zoom;
    view = isFit ? fitted(size(), stage) : held({ x, y, scale: zoom / ratio }, size(), stage);
    drawTouch();
    again();
  }
  /** A finger scrolls the page where it has nothing else to do. */
  function drawTouch() { stageView.style.touchAction = isFit && !tool() ? "pan-y" : "none"; }

  function wish(kind) {
    if (kind === "undo" || kind === "redo" || kind === "save") { if (!model.get("locked")) tellDeed({ kind }); return; }
    if (kind === "thinner" || kind === "thicker") {
      const { width, height } = size();
      set("brush", nextWidth(model.get("brush"), kind === "thicker", mostWidth({ width, height })));
      return;
    }
    if (!view) return;
    if (kind === "drop") desk.setMarks({ crop: [], points: [], box: [] });
    else if (kind === "fit") fit();
    else {
      const at = cross.point() ? toStage(view, stage, cross.point()) : [];
      zoomTo(kind === "whole" ? stage.width / stage.across : view.scale * (kind === "in" ? STEP : 1 / STEP), ...at);
    }
  }
  function pressed(event) {
    const isOwn = event.target === stageView ? Boolean(view) && pressedKey(desk, event)
      : (event.ctrlKey || event.metaKey) && keyWish(event) && !wish(keyWish(event));
    if (isOwn) event.preventDefault();
    const isNotebooks = event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || (event.shiftKey && event.key === "Enter");
    if (isOwn || !isNotebooks) event.stopPropagation();
    soon();
  }
  function released(event) {
    if (event.key !== " ") return;
    const isPlain = !pointers.hold(false) && event.target === stageView && !hovered;
    if (isPlain && tool() && model.get("mode") !== "crop" && !cross.point()) cross.press(false, false);
  }
  function blurred() { pointers.hold(false); }

  function failed() {
    view = null;
    drawWords("This picture cannot be shown: its preview is damaged.");
    soon();
  }
  function pictureChanged(isOther) {
    const shown = pictures.shown();
    drawWords("");
    if (!shown) view = null;
    else if (isOther || !view) {
      for (const one of Object.values(tools)) { if (one.open()) one.cancel(); one.leave?.(); }
      cross.hide();
      local = null;
      mask.clear();
      view = fitted(shown.size, stage);
      isFit = true;
      followLook();
    }
    mask.settle();
    if (shown) desk.moved();
    again();
  }
  function drawWords(words) {
    const shown = model.get("shown");
    nothing.textContent = words || (shown.picture?.byteLength ? "" : model.get("nothing"));
    nothing.hidden = !nothing.textContent;
    caption.textContent = shown.caption ?? "";
    caption.hidden = !caption.textContent;
    stageView.setAttribute("aria-label", shown.caption || "Picture");
    how.textContent = instructions(model.get("mode"));
  }
  function modeChanged() {
    for (const one of Object.values(tools)) { if (one.open()) one.cancel(); one.leave?.(); }
    drawWords("");
    drawTouch();
    bars.draw();
    soon();
  }
  function marksChanged() {
    if (!told.isBusy()) local = null;
    bars.drawMarked();
    soon();
  }
  function ratioChanged() {
    bars.drawRatios();
    const { crop } = marks(), reshaped = crop?.length ? reshapedBox(crop, size(), model.get("ratio")) : crop;
    if (view && reshaped !== crop && String(reshaped) !== String(crop)) desk.setMarks({ crop: reshaped });
  }
  function measured(entries) {
    const now = stageOf(entries[entries.length - 1], window.devicePixelRatio || 1);
    if (!now.width || !now.height) return;   // hidden
    stage = now;
    if (view && !isMeasured) followLook();
    else if (view) view = isFit ? fitted(size(), stage) : held(view, size(), stage);
    isMeasured = true;
    if (view) { again(); desk.moved(); }
  }
  const watcher = new ResizeObserver(measured);
  try { watcher.observe(stageView, { box: "device-pixel-content-box" }); } catch { watcher.observe(stageView); }

  const heard = () => { deeds.heard(model.get("heard")[viewer] ?? 0); mask.settle(); };
  const show = () => { bars.draw(); mask.show(); soon(); };
  const recoloured = () => { mask.recolour(); show(); };
  const watched = [["shown", () => { drawWords(""); bars.draw(); pictures.load(); }], ["region", pictures.sharpen], ["nothing", () => drawWords("")],
    ["overlay", () => { bars.draw(); mask.settle(); }], ["drawn", mask.settle], ["heard", heard], ["colour", recoloured], ["black_and_white", recoloured],
    ["marked", marksChanged], ["look", followLook], ["mode", modeChanged], ["locked", modeChanged], ["split", () => { slider.follow(); again(); }],
    ["ratio", ratioChanged], ["ratios", () => { bars.drawRatios(); show(); }],
    ...["opacity", "brush", "tools", "how", "belongs", "can_undo", "can_redo"].map((name) => [name, show])];
  for (const [trait, act] of watched) model.on(`change:${trait}`, act);
  const listened = [[el, "keydown", pressed], [el, "keyup", released], [stageView, "blur", blurred]];
  for (const [element, name, act] of listened) element.addEventListener(name, act);
  modeChanged();
  mask.show();
  mask.settle();
  pictures.load();
  return () => {
    for (const [trait, act] of watched) model.off(`change:${trait}`, act);
    for (const [element, name, act] of listened) element.removeEventListener(name, act);
    watcher.disconnect();
    cancelAnimationFrame(frameAsked);
    desk.moved.cancel();
    for (const part of [told, look, deeds, bars, slider, pointers, mask, pictures]) part.leave();
  };
}
export default { render };
