function render({ model, el }) {
  el.classList.add("lb-changes");
  const head = make("div", "lb-changes-head");
  const title = make("div", "lb-changes-title");
  title.setAttribute("aria-live", "polite");
  const bar = make("div", "lb-changes-bar");
  const back = make("button", "", "Earlier"), where = make("span", "lb-changes-where"), on = make("button", "", "Further");
  back.type = on.type = "button";
  back.setAttribute("aria-label", "Show the changes before these");
  on.setAttribute("aria-label", "Show the changes behind these");
  bar.append(back, where, on);
  head.append(title, bar);
  const list = make("ul", "lb-changes-list");
  list.dataset.testid = "changes";
  el.append(head, list);

  function row(change) {
    const item = make("li");
    item.append(make("b", "", change.name));
    if (!change.before && !change.after) {   // the name says it all
      item.className = "lb-changes-whole";
      return item;
    }
    const text = make("div", "lb-changes-text");
    text.append(marked(change.before, change.after));
    if (!change.before) text.prepend(make("span", "lb-diff-cut", "new caption: "));
    if (!change.after) text.prepend(make("span", "lb-diff-cut", "caption goes: "));
    item.append(text);
    return item;
  }

  function draw() {
    const total = model.get("total"), place = model.get("place"), rows = model.get("rows"), page = model.get("page");
    el.hidden = !total && !model.get("title");
    title.textContent = model.get("title");
    bar.hidden = total <= page;
    where.textContent = total ? `${(place + 1).toLocaleString("en")}–${(place + rows.length).toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
    back.disabled = place <= 0;
    on.disabled = place + rows.length >= total;
    list.replaceChildren(...rows.map(row));
    list.scrollTop = 0;
  }
  const turn = (way) => model.send({ place: model.get("place") + way * model.get("page") });
  const earlier = () => turn(-1), further = () => turn(1);
  back.addEventListener("click", earlier);
  on.addEventListener("click", further);
  const names = ["rows", "total", "title", "place"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    back.removeEventListener("click", earlier);
    on.removeEventListener("click", further);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { render };
