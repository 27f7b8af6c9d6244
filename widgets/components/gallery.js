/* Pictures in a grid, beside them the editor of the one that is looked at. The parts in parts/ stand before this text. */

const REASONS = ["blurred", "watermark", "duplicate", "wrong character", "bad anatomy", "cut off", "off topic"];

/** Whether the filter asks for all rejected pictures and nothing else. */
export function asksForRejected(filter) {
  return filter.trim() === "rejected";
}

/** How many pictures are shown and selected, in words. */
export function countWords(view, selected) {
  const number = (count) => count.toLocaleString("en");
  const all = view.total === view.all ? `${number(view.total)} ${view.total === 1 ? "picture" : "pictures"}`
    : `${number(view.total)} of ${number(view.all)} pictures`;
  return selected ? `${all}, ${number(selected)} selected` : all;
}

function labelled(words, control, className = "") {
  const label = make("label", `lb-gallery-field ${className}`);
  label.append(make("span", "", words), control);
  return label;
}

/** The line above the grid: filter, sort, size. Calls `find()` when what is typed rests, `zoom(step)`. */
function createBar(model, find, zoom) {
  const view = make("div", "lb-gallery-bar");
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "long_hair -hat tags:>20";
  filter.spellcheck = false;
  filter.dataset.testid = "filter";
  filter.title = model.get("grammar");
  const sort = document.createElement("select");
  sort.dataset.testid = "sort";
  for (const [value, words] of Object.entries(model.get("sorts"))) sort.append(new Option(words, value));
  const size = document.createElement("input");
  size.type = "range";
  size.min = 0;
  size.max = ZOOMS.length - 1;
  size.value = 2;
  size.dataset.testid = "zoom";
  const help = document.createElement("details");
  help.className = "lb-gallery-help";
  help.append(make("summary", "", "How to filter, and keys"), make("pre", "", model.get("grammar")));
  view.append(labelled("Filter", filter, "lb-wide"), labelled("Sort", sort), labelled("Size", size), help);
  const rest = rested(find, 300);
  const now = () => { rest.cancel(); find(); };
  const sized = () => zoom(Number(size.value));
  const typed = (event) => { if (event.key === "Enter") now(); };
  const listened = [[filter, "input", rest], [filter, "keydown", typed], [sort, "change", now], [size, "input", sized]];
  for (const [element, name, act] of listened) element.addEventListener(name, act);
  return {
    view, filter, sort,
    leave() {
      rest.cancel();
      for (const [element, name, act] of listened) element.removeEventListener(name, act);
    },
  };
}

/** The line under the grid: what is selected, and what can be done with it. */
function createFoot(act) {
  const view = make("div", "lb-gallery-foot");
  const words = make("span", "lb-gallery-count");
  words.dataset.testid = "gallery-count";
  words.setAttribute("aria-live", "polite");
  const reason = document.createElement("input");
  reason.type = "text";
  reason.dataset.testid = "reason";
  reason.placeholder = "reason (optional)";
  reason.setAttribute("aria-label", "Reason for rejecting");
  const known = document.createElement("datalist");
  known.id = `lb-reasons-${Math.random().toString(36).slice(2)}`;
  known.append(...REASONS.map((value) => new Option(value, value)));
  reason.setAttribute("list", known.id);
  const reject = makeButton("Reject", () => act("reject"), "reject");
  const restore = makeButton("Put back", () => act("restore"), "restore");
  const undo = makeButton("Put those back", () => act("unreject"), "unreject");
  const aside = makeButton("Rejected", () => act("show-rejected"), "show-rejected");
  aside.title = "Shows the pictures that were put into rejected/; press again for all others";
  view.append(words, aside, reason, known, reject, restore, undo);
  return { view, words, reason, reject, restore, undo, aside };
}

function render({ model, el }) {
  el.classList.add("lb-captions", "lb-gallery");
  el.dataset.lmSuppressShortcuts = "true";
  const nothing = make("p", "lb-gallery-nothing");
  const body = make("div", "lb-gallery-body");
  const left = make("div", "lb-gallery-left");
  const trouble = make("p", "lb-gallery-trouble");
  trouble.setAttribute("role", "status");
  trouble.dataset.testid = "gallery-trouble";
  const bar = createBar(model, find, (step) => grid.setZoom(step));
  const foot = createFoot(act);
  const grid = createGrid(model, { opened, act, changed });
  const open = rested(() => { if (next) editor.open(next.row); }, 90);
  const tell = rested(() => model.send({ kind: "select", ...grid.selection() }), 150);
  let next = null, putAside = "";
  const editor = createEditor(model, { thumbnail: (id) => grid.url(id), escaped: () => grid.focus(), reject: () => act("reject-shown"),
    enlarged: (on) => body.classList.toggle("lb-large", on) });
  const stage = make("div", "lb-gallery-stage");
  const empty = make("div", "lb-gallery-empty");
  const why = make("p"), meant = make("p");
  empty.setAttribute("role", "status");
  empty.dataset.testid = "no-hits";
  empty.append(why, meant, makeButton("Show all pictures", () => filterBy(""), "clear-filter"));
  stage.append(grid.view, empty);
  left.append(bar.view, trouble, stage, foot.view);
  body.append(left, editor.view);
  el.append(nothing, body);

  function find() {
    model.send({ kind: "filter", text: bar.filter.value, sort: bar.sort.value });
  }
  function filterBy(text) {
    bar.filter.value = text;
    find();
  }
  /** A picture was gone to: it is opened once the keys rest, for held arrows pass many. */
  function opened(row, info, enter) {
    next = { row };
    if (info && info.key === editor.showsKey()) open.cancel();
    else if (enter) { open.cancel(); editor.open(row); }
    else open();
    if (enter) editor.enter();
  }
  function act(kind) {
    if (kind === "reject" && !grid.count()) return;
    if (kind === "show-rejected") { filterBy(asksForRejected(model.get("view").filter) ? "" : "rejected"); return; }
    const shown = model.get("shown");
    if (kind === "reject-shown") {   // pressed twice before the next picture is there, it counts once
      if (putAside === shown.id) return;
      putAside = shown.id;
    }
    model.send({ kind, reason: foot.reason.value, id: shown.id ?? "", ...grid.selection() });
    if (kind.startsWith("reject")) foot.reason.value = "";   // it was said of these pictures, not of the next ones
  }
  function changed() {
    tell();
    drawFoot();
  }
  function drawFoot() {
    const view = model.get("view");
    const count = grid.count();
    foot.words.textContent = view.working || countWords(view, count);
    foot.reject.disabled = !count || view.rejected;
    foot.restore.hidden = !view.rejected;
    foot.restore.disabled = !count;
    foot.reason.hidden = view.rejected;
    const aside = asksForRejected(view.filter);
    foot.aside.hidden = !view.aside && !aside;
    foot.aside.textContent = `Rejected (${view.aside.toLocaleString("en")})`;
    foot.aside.setAttribute("aria-pressed", String(aside));
    foot.undo.hidden = !view.undo;
    foot.undo.textContent = view.undo;
  }
  function draw() {
    const view = model.get("view");
    nothing.hidden = view.all > 0;
    nothing.textContent = model.get("nothing");
    body.hidden = !view.all && !view.aside;
    empty.hidden = view.total > 0 || !view.filter || Boolean(view.trouble);
    why.textContent = asksForRejected(view.filter) ? "No picture is rejected." : "No picture fits this filter.";
    meant.textContent = view.meant;
    trouble.textContent = view.trouble;
    trouble.hidden = !view.trouble;
    if (document.activeElement !== bar.filter) bar.filter.value = view.trouble ? bar.filter.value : view.filter;
    if (!view.trouble) bar.sort.value = view.sort;
    grid.renewed();
    drawFoot();
  }
  function follow() {
    const shown = model.get("shown");
    putAside = shown.id === putAside ? putAside : "";
    grid.show(shown.id ?? "", shown.version === model.get("view").version ? shown.row : -1, editor.steps());
  }
  function received(message, buffers) {
    if (message.kind === "rows") {
      grid.received(message, buffers);
      if (!model.get("picture")?.byteLength && message.thumbs.includes(editor.showsKey())) editor.picture();
    } else if (message.kind === "go") opened(message.row);
    else editor.received(message);
  }
  function pressed(event) {
    event.stopPropagation(); // JupyterLab's own keys stay out of it
  }
  el.addEventListener("keydown", pressed);
  model.on("msg:custom", received);
  const watched = [["view", () => { putAside = ""; draw(); }], ["nothing", draw], ["shown", follow]];
  for (const [trait, act] of watched) model.on(`change:${trait}`, act);
  draw();
  follow();
  return () => {
    el.removeEventListener("keydown", pressed);
    model.off("msg:custom", received);
    for (const [trait, act] of watched) model.off(`change:${trait}`, act);
    open.cancel();
    tell.cancel();
    bar.leave();
    grid.leave();
    editor.leave();
  };
}
export default { render };
