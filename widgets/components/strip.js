/* A grid of pictures with a filter; a press opens one. The parts in parts/ stand before this text. */

/** How many pictures are shown, in words; where none is, what was probably meant. */
export function stripWords(view) {
  const number = (count) => count.toLocaleString("en");
  const words = view.total === view.all ? `${number(view.total)} ${view.total === 1 ? "picture" : "pictures"}`
    : `${number(view.total)} of ${number(view.all)} pictures`;
  return view.total === 0 && view.meant ? `${words}. ${view.meant}` : words;
}

function render({ model, el }) {
  el.classList.add("lb-strip");
  el.dataset.lmSuppressShortcuts = "true";
  const filter = document.createElement("input");
  filter.type = "search";
  filter.placeholder = "filter: tags, -tag, name:scan";
  filter.spellcheck = false;
  filter.dataset.testid = "strip-filter";
  filter.setAttribute("aria-label", "Filter the pictures");
  filter.title = model.get("grammar");
  const count = make("span", "lb-strip-count");
  count.setAttribute("aria-live", "polite");
  count.dataset.testid = "strip-count";
  const tell = rested(() => model.send({ kind: "select", ...grid.selection() }), 150);
  const grid = createGrid(model, { opened, act() {}, changed: tell });
  const open = rested(() => { if (next !== null) model.send({ kind: "open", version: model.get("view").version, row: next }); }, 60);
  const rest = rested(find, 300);
  let next = null;
  grid.setZoom(0);
  el.append(filter, count, grid.view);

  function find() {
    model.send({ kind: "filter", text: filter.value, sort: "name" });
  }
  function opened(row, info, enter) {
    next = row;
    if (!enter) { open(); return; }
    open.cancel();
    model.send({ kind: "open", version: model.get("view").version, row });
  }
  function draw() {
    const view = model.get("view");
    count.textContent = view.trouble || (view.all ? stripWords(view) : model.get("nothing"));
    count.classList.toggle("lb-wrong", Boolean(view.trouble));
    if (document.activeElement !== filter) filter.value = view.trouble ? filter.value : view.filter;
    grid.view.hidden = !view.all;
    filter.hidden = !view.all;
    grid.renewed();
  }
  function follow() {
    const shown = model.get("opened");
    grid.show(shown.key ?? "", shown.version === model.get("view").version ? shown.row ?? -1 : -1, true);
  }
  function received(message, buffers) {
    if (message.kind === "rows") grid.received(message, buffers);
    else if (message.kind === "go") opened(message.row, null, true);
  }
  function pressed(event) {
    event.stopPropagation(); // JupyterLab's own keys stay out of it
  }
  const typed = (event) => { if (event.key === "Enter") { rest.cancel(); find(); } };
  el.addEventListener("keydown", pressed);
  filter.addEventListener("input", rest);
  filter.addEventListener("keydown", typed);
  model.on("msg:custom", received);
  model.on("change:view", draw);
  model.on("change:opened", follow);
  draw();
  follow();
  return () => {
    el.removeEventListener("keydown", pressed);
    filter.removeEventListener("input", rest);
    filter.removeEventListener("keydown", typed);
    model.off("msg:custom", received);
    model.off("change:view", draw);
    model.off("change:opened", follow);
    for (const waiting of [open, rest, tell]) waiting.cancel();
    grid.leave();
  };
}
export default { render };
