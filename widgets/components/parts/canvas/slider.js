/* Before and after: a line over the stage; left of it is the picture as it was. */

/** Where a key moves the line, 0 to 1; null for another key. */
export function splitAfter(key, split, isLarge) {
  const step = isLarge ? 0.1 : 0.02;
  const to = { ArrowLeft: split - step, ArrowDown: split - step, ArrowRight: split + step, ArrowUp: split + step, PageDown: split - 0.1,
    PageUp: split + 0.1, Home: 0, End: 1 }[key];
  return to === undefined ? null : Math.max(0, Math.min(1, to));
}

/** Where the line runs: over the part of the picture that is seen. */
export function splitPlace(view, size, stage, split) {
  const [left] = toStage(view, stage, [0, 0]), [right] = toStage(view, stage, [size.width, 0]);
  const [from, to] = [Math.max(0, left), Math.min(stage.width, right)];
  return { x: from + split * (to - from), from, to };
}

/** The line of a model with the traits `split` and `shown`. `desk`: frame(), place(event), before: the canvas of the picture as it was. */
function createSlider(model, desk) {
  const view = make("div", "lb-canvas-slider"), words = [make("span", "lb-canvas-was"), make("span", "lb-canvas-is")];
  const told = createTold(model, "split");
  let split = model.get("split"), pointer = null;
  view.tabIndex = 0;
  view.dataset.testid = "split";
  for (const [name, value] of [["role", "slider"], ["aria-orientation", "horizontal"], ["aria-valuemin", 0], ["aria-valuemax", 100]]) view.setAttribute(name, value);
  view.append(make("span", "lb-canvas-knob"));
  for (const one of words) one.setAttribute("aria-hidden", "true");

  function draw(on) {
    view.hidden = words[0].hidden = words[1].hidden = !on;
    if (!on) return;
    const { view: at, size, stage } = desk.frame(), { x } = splitPlace(at, size, stage, split);
    view.style.transform = `translateX(${x}px)`;
    desk.before.style.clipPath = `inset(0 ${Math.max(0, stage.width - x)}px 0 0)`;
    words[0].style.opacity = x > 90 ? 1 : 0;
    words[1].style.opacity = x < stage.width - 90 ? 1 : 0;
    const [was, is] = [model.get("before_words"), model.get("after_words")];
    [words[0].textContent, words[1].textContent] = [was, is];
    const share = Math.round(100 * split);
    view.setAttribute("aria-label", `${was} and ${is}`);
    view.setAttribute("aria-valuenow", share);
    view.setAttribute("aria-valuetext", `${share} % ${was}, ${100 - share} % ${is}`);
  }
  function set(value) {
    split = value;
    told.set(value);
    draw(true);
  }
  function down(event) {
    if (event.button) return;
    pointer = event.pointerId;
    view.setPointerCapture(pointer);
    view.focus({ preventScroll: true });
    told.hold(true);
    event.preventDefault();
    event.stopPropagation();
  }
  function move(event) {
    event.stopPropagation();
    if (event.pointerId !== pointer) return;
    const { view: at, size, stage } = desk.frame(), { from, to } = splitPlace(at, size, stage, split);
    set(Math.max(0, Math.min(1, (desk.place(event)[0] - from) / Math.max(1, to - from))));
  }
  function up(event) {
    event.stopPropagation();
    pointer = null;
    told.hold(false);
  }
  function pressed(event) {
    const to = event.ctrlKey || event.metaKey || event.altKey ? null : splitAfter(event.key, split, event.shiftKey);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    set(to);
  }
  const listened = [["pointerdown", down], ["pointermove", move], ["pointerup", up], ["pointercancel", up], ["keydown", pressed]];
  for (const [name, act] of listened) view.addEventListener(name, act);
  return {
    parts: [...words, view],
    draw,
    follow() { if (!told.isBusy()) split = model.get("split"); },
    leave() {
      told.leave();
      for (const [name, act] of listened) view.removeEventListener(name, act);
    },
  };
}
