const MOST = 400;   // parts of one text that are compared; longer ones are shown whole, one under the other
const RUN = 8, EDGE = 3;

/** The parts of a text: its tags, or its words where it is written in sentences. */
export function parts(text) {
  if (!text) return [];
  const tags = text.split(/, */);
  const words = text.split(/\s+/).length;
  return words / tags.length > 5 ? text.split(/\s+/) : tags;
}

/** Whether both are shown as words (a space between them) or as tags (a comma). */
export function joint(before, after) {
  const text = after || before;
  return text.split(/\s+/).length / text.split(/, */).length > 5 ? " " : ", ";
}

/** What stays, goes and comes, in order: [["same" | "gone" | "new", part], …] (longest common subsequence). */
export function difference(before, after) {
  const a = parts(before), b = parts(after);
  if (a.length > MOST || b.length > MOST) return [...(before ? [["gone", before]] : []), ...(after ? [["new", after]] : [])];
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { found.push(["same", a[i]]); i++; j++; }
    else if (i < a.length && (j === b.length || table[i + 1][j] >= table[i][j + 1])) found.push(["gone", a[i++]]);
    else found.push(["new", b[j++]]);
  }
  return found;
}

/** Long stretches that stay are cut to their ends: ["cut", number] stands for what is left out. */
export function shortened(pieces) {
  const found = [];
  for (let i = 0; i < pieces.length;) {
    let end = i;
    while (end < pieces.length && pieces[end][0] === "same") end++;
    if (end - i > RUN) found.push(...pieces.slice(i, i + EDGE), ["cut", end - i - 2 * EDGE], ...pieces.slice(end - EDGE, end));
    else found.push(...pieces.slice(i, end));
    if (end === i) found.push(pieces[end++]);
    i = end;
  }
  return found;
}

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
    const text = make("div", "lb-changes-text");
    const between = joint(change.before, change.after);
    shortened(difference(change.before, change.after)).forEach(([kind, part], place) => {
      if (place) text.append(document.createTextNode(between));
      if (kind === "cut") text.append(make("span", "lb-changes-cut", `… ${part} more …`));
      else text.append(make({ gone: "del", new: "ins", same: "span" }[kind], "", part));
    });
    if (!change.before) text.prepend(make("span", "lb-changes-cut", "new caption: "));
    if (!change.after) text.prepend(make("span", "lb-changes-cut", "caption goes: "));
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
