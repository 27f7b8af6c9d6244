const LEVELS = [["error", "Errors"], ["warning", "Warnings"], ["info", "What it says"], ["progress", "Progress"]];
const TYPING = 300;

/** Where the words stand in a line: pieces of text, every second one a hit. */
export function hits(text, words) {
  const wanted = words.trim().toLowerCase();
  if (!wanted) return [text];
  const lowered = text.toLowerCase();
  if (lowered.length !== text.length) return [text];
  const pieces = [];
  let from = 0;
  for (let at = lowered.indexOf(wanted); at >= 0; at = lowered.indexOf(wanted, from)) {
    pieces.push(text.slice(from, at), text.slice(at, at + wanted.length));
    from = at + wanted.length;
  }
  return [...pieces, text.slice(from)];
}

/** The levels after one was pressed, in their usual order. */
export function turned(levels, level) {
  return LEVELS.map(([name]) => name).filter((name) => levels.includes(name) !== (name === level));
}

function render({ model, el }) {
  el.classList.add("lb-runlog");
  el.dataset.lmSuppressShortcuts = "true";
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const bar = document.createElement("div");
  bar.className = "lb-runlog-bar";
  const boxes = LEVELS.map(([level, words]) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.onchange = () => { model.set("levels", turned(model.get("levels"), level)); model.save_changes(); };
    label.append(box, document.createTextNode(words));
    bar.append(label);
    return [level, box];
  });
  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "Search the whole log";
  search.setAttribute("aria-label", "Search the whole log");
  bar.append(search);
  const note = document.createElement("p");
  note.className = "lb-runlog-note";
  note.setAttribute("role", "status");
  const list = document.createElement("div");
  list.className = "lb-runlog-lines";
  list.tabIndex = 0;
  list.setAttribute("role", "log");
  list.setAttribute("aria-live", "off");
  list.dataset.testid = "runlog";
  details.append(summary, bar, note, list);
  el.append(details);
  let waiting = 0;

  function line([level, text]) {
    const row = document.createElement("div");
    row.className = `lb-runlog-${level}`;
    hits(text, model.get("words")).forEach((piece, i) => {
      if (!piece) return;
      const node = i % 2 ? document.createElement("mark") : document.createTextNode(piece);
      if (i % 2) node.textContent = piece;
      row.append(node);
    });
    return row;
  }
  function draw() {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    list.replaceChildren(...model.get("lines").map(line));
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
  function drawBar() {
    summary.textContent = model.get("title");
    list.setAttribute("aria-label", model.get("title"));
    note.textContent = model.get("note");
    for (const [level, box] of boxes) box.checked = model.get("levels").includes(level);
    if (document.activeElement !== search) search.value = model.get("words");
    details.open = model.get("opened");
  }
  function told() {
    waiting = 0;
    if (search.value === model.get("words")) return;
    model.set("words", search.value);
    model.save_changes();
  }
  function typed() { clearTimeout(waiting); waiting = setTimeout(told, TYPING); }
  function toggled() {
    if (details.open === model.get("opened")) return;
    model.set("opened", details.open);
    model.save_changes();
    list.scrollTop = list.scrollHeight;
  }
  search.addEventListener("input", typed);
  details.addEventListener("toggle", toggled);
  const names = ["title", "note", "levels", "words", "opened"];
  model.on("change:lines", draw);
  for (const name of names) model.on(`change:${name}`, drawBar);
  drawBar();
  draw();
  return () => {
    clearTimeout(waiting);
    search.removeEventListener("input", typed);
    details.removeEventListener("toggle", toggled);
    model.off("change:lines", draw);
    for (const name of names) model.off(`change:${name}`, drawBar);
  };
}
export default { render };
