function render({ model, el }) {
  el.classList.add("lb-press-table");
  el.dataset.testid = "press-table";
  el.dataset.lmSuppressShortcuts = "true";
  const title = make("div", "lb-press-title"), holder = make("div", "lb-press-holder");
  el.append(title, holder);

  function cells(row, place) {
    const line = make("tr"), first = make("th");
    first.scope = "row";
    const button = make("button", "", row[0]);
    button.type = "button";
    button.dataset.row = place;
    button.setAttribute("aria-label", `${row[0]}: ${model.get("act")}`);
    button.title = model.get("act");
    first.append(button);
    line.append(first, ...row.slice(1).map((words) => make("td", "", words)));
    return line;
  }
  function mark() {
    for (const button of holder.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.row) === model.get("chosen")));
    }
  }
  function draw() {
    const rows = model.get("rows"), table = make("table"), head = make("tr");
    el.hidden = !rows.length;
    title.textContent = model.get("title");
    head.append(...model.get("head").map((words) => { const cell = make("th", "", words); cell.scope = "col"; return cell; }));
    table.append(head, ...rows.map(cells));
    holder.replaceChildren(table);
    mark();
  }
  function pressed(event) {
    const button = event.target.closest("button");
    if (button) model.send({ row: Number(button.dataset.row) });
  }
  const hold = (event) => event.stopPropagation();
  el.addEventListener("click", pressed);
  el.addEventListener("keydown", hold);
  const names = ["head", "rows", "title"];
  for (const name of names) model.on(`change:${name}`, draw);
  model.on("change:chosen", mark);
  draw();
  return () => {
    el.removeEventListener("click", pressed);
    el.removeEventListener("keydown", hold);
    for (const name of names) model.off(`change:${name}`, draw);
    model.off("change:chosen", mark);
  };
}
export default { render };
