/** What a key means in the editor; null for an ordinary key. */
export function wish(event) {
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key === "Enter") return "next";
  if (command && event.key.toLowerCase() === "s") return "save";
  if (event.altKey && !command && event.key === "ArrowRight") return "next";
  if (event.altKey && !command && event.key === "ArrowLeft") return "previous";
  return null;
}

/** Tags in a caption, counted as trainers split them. */
export function count(text) {
  return text.split(",").filter((tag) => tag.trim()).length;
}

function render({ model, el }) {
  el.classList.add("lb-captions");
  const nothing = document.createElement("p");
  const editor = document.createElement("div");
  editor.className = "lb-captions-editor";
  const figure = document.createElement("figure");
  const img = document.createElement("img");
  const place = document.createElement("figcaption");
  figure.append(img, place);
  const side = document.createElement("div");
  side.className = "lb-captions-side";
  const label = document.createElement("label");
  label.textContent = "Caption";
  const box = document.createElement("textarea");
  box.id = label.htmlFor = `lb-caption-${Math.random().toString(36).slice(2)}`;
  box.spellcheck = false;
  box.dataset.testid = "caption";
  const number = document.createElement("span");
  number.className = "lb-captions-count";
  const buttons = document.createElement("div");
  buttons.className = "lb-captions-buttons";
  const note = document.createElement("div");
  note.setAttribute("role", "status");
  note.className = "lb-captions-note";
  note.dataset.testid = "caption-note";
  const keys = document.createElement("p");
  keys.className = "lb-captions-keys";
  keys.textContent = "Keys: Ctrl+Enter saves and goes on, Ctrl+S saves, Alt+← and Alt+→ go back and forth. Moving on saves.";
  for (const [kind, words] of [["previous", "Previous"], ["save", "Save"], ["next", "Save and next"]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.dataset.testid = `caption-${kind}`;
    if (kind === "next") button.className = "lb-captions-main";
    button.onclick = () => ask(kind);
    buttons.append(button);
  }
  side.append(label, box, number, buttons, note, keys);
  editor.append(figure, side);
  el.append(nothing, editor);
  el.dataset.lmSuppressShortcuts = "true";

  let id = null, original = "", revision = "", address = null;

  function ask(kind) {
    const shown = model.get("shown");
    if (!shown.id) return;
    model.send({ kind, id: shown.id, home: shown.home, revision, text: box.value, changed: box.value !== original });
  }
  function draw() {
    const shown = model.get("shown");
    nothing.hidden = Boolean(shown.id);
    nothing.textContent = model.get("nothing");
    editor.hidden = !shown.id;
    if (!shown.id) { id = null; return; }
    const key = `${shown.home}:${shown.id}`;
    const untouched = box.value === original;
    if (key !== id) {
      id = key;
      box.value = shown.caption;
      drawPicture(shown);
      adopt(shown);
    } else if (untouched || (shown.after && shown.after === revision)) {
      // Untouched, or the answer to our own save. Otherwise the text keeps the revision that it was written over.
      if (untouched) box.value = shown.caption;
      adopt(shown);
    }
    place.textContent = `${shown.place} · ${shown.name}`;
    recount();
  }
  function adopt(shown) {
    original = shown.caption;
    revision = shown.revision;
  }
  function drawPicture(shown) {
    const data = model.get("picture");
    if (address) URL.revokeObjectURL(address);
    address = URL.createObjectURL(new Blob([data]));
    img.onload = () => img.classList.toggle("lb-small", img.naturalWidth < 200);
    img.src = address;
    img.alt = `Picture ${shown.name}`;
  }
  function drawNote() {
    note.textContent = model.get("note");
    note.classList.toggle("lb-captions-wrong", model.get("wrong"));
  }
  function recount() {
    const tags = count(box.value);
    number.textContent = `${tags} ${tags === 1 ? "tag" : "tags"}` + (box.value !== original ? " · not saved yet" : "");
  }
  function pressed(event) {
    const kind = wish(event);
    event.stopPropagation();
    if (!kind) return;
    event.preventDefault();
    ask(kind);
  }
  el.addEventListener("keydown", pressed);
  box.addEventListener("input", recount);
  model.on("change:shown", draw);
  model.on("change:nothing", draw);
  model.on("change:note", drawNote);
  model.on("change:wrong", drawNote);
  draw();
  drawNote();
  return () => {
    el.removeEventListener("keydown", pressed);
    box.removeEventListener("input", recount);
    model.off("change:shown", draw);
    model.off("change:nothing", draw);
    model.off("change:note", drawNote);
    model.off("change:wrong", drawNote);
    if (address) URL.revokeObjectURL(address);
  };
}
export default { render };
