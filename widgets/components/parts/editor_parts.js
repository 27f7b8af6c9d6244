/* What the editor is laid out of: the picture, texts beside the box, buttons and lines. */

/** A text with a heading and buttons: what stands on the disk, or what was written and not saved. Hidden while there is none. */
function createAside(testid, actions) {
  const view = make("div", "lb-captions-aside");
  view.dataset.testid = testid;
  const heading = make("p");
  heading.setAttribute("aria-live", "polite");
  const text = make("blockquote");
  const row = make("div", "lb-captions-buttons");
  const buttons = actions.map(([words, act]) => makeButton(words, act));
  row.append(...buttons);
  view.append(heading, text, row);
  view.hidden = true;
  return {
    view,
    hide() { view.hidden = true; },
    show(words, quoted, ...shown) {
      heading.textContent = words;
      text.textContent = quoted ?? "";
      text.hidden = quoted === null;
      buttons.forEach((button, place) => { button.hidden = !shown[place]; });
      view.hidden = false;
    },
  };
}

/** The picture, and words where there is none: the kernel's preview, until it comes the thumbnail that the grid has. */
function createPicture(model, thumbnail, enlarged) {
  const view = document.createElement("figure");
  const img = document.createElement("img");
  const unseen = make("div", "lb-captions-unseen");
  const place = document.createElement("figcaption");
  const larger = makeButton("Larger", enlarge, "larger");
  larger.setAttribute("aria-pressed", "false");
  const foot = make("div", "lb-captions-place");
  foot.append(place, larger);
  view.append(img, unseen, foot);
  let address = null, opening = null, large = false;
  function enlarge() {
    large = !large;
    larger.textContent = large ? "Smaller" : "Larger";
    larger.setAttribute("aria-pressed", String(large));
    enlarged(large);
    const { id = "", home = "" } = model.get("shown");
    model.send({ kind: large ? "larger" : "smaller", id, home });
  }
  function draw() {
    const data = model.get("picture");
    const words = model.get("unseen");
    const shown = model.get("shown");
    clearTimeout(opening);
    if (address) URL.revokeObjectURL(address);
    address = data && data.byteLength ? URL.createObjectURL(new Blob([data])) : null;
    const source = address ?? (words ? null : thumbnail(shown.id));
    img.hidden = !source;
    unseen.hidden = Boolean(source);
    unseen.textContent = words ? `This picture cannot be shown: ${words}` : "";
    if (source) img.src = source;
    else img.removeAttribute("src");
    img.classList.toggle("lb-soon", Boolean(source) && !address);
    if (!source && !words) opening = setTimeout(() => { unseen.textContent = "The picture is being opened."; }, 400);
  }
  function small() {
    img.classList.toggle("lb-small", Boolean(address) && img.naturalWidth < 200);
  }
  img.addEventListener("load", small);
  return {
    view,
    draw,
    name(shown) {
      place.textContent = [shown.place, shown.name, shown.facts].filter(Boolean).join(" · ");
      img.alt = `Picture ${shown.name}`;
    },
    leave() {
      img.removeEventListener("load", small);
      clearTimeout(opening);
      if (address) URL.revokeObjectURL(address);
    },
  };
}

/** The buttons and lines of the editor, without any behaviour. */
function layOut(acts) {
  const view = make("div", "lb-captions-editor");
  const side = make("div", "lb-captions-side");
  const head = make("div", "lb-captions-head");
  const label = make("label", "", "Caption");
  const box = document.createElement("textarea");
  box.id = label.htmlFor = `lb-caption-${Math.random().toString(36).slice(2)}`;
  box.spellcheck = false;
  box.dataset.testid = "caption";
  const modes = make("div", "lb-captions-modes");
  modes.setAttribute("role", "group");
  modes.setAttribute("aria-label", "How the caption is shown");
  const asTags = makeButton("Tags", () => acts.mode("tags"), "as-tags");
  const asText = makeButton("Text", () => acts.mode("text"), "as-text");
  const undo = makeButton("Undo", () => acts.press("undo"), "caption-undo");
  const redo = makeButton("Redo", () => acts.press("redo"), "caption-redo");
  modes.append(asTags, asText, undo, redo);
  head.append(label, modes);
  const number = make("div", "lb-captions-count");
  const buttons = make("div", "lb-captions-buttons");
  const save = makeButton("Save", () => acts.ask("save"), "caption-save");
  const next = makeButton("Save and next", () => acts.ask("next"), "caption-next", "lb-captions-main");
  const reject = makeButton("Reject this picture", () => acts.reject(), "caption-reject");
  const remove = makeButton("Remove the caption", () => acts.ask("remove"), "caption-remove");
  remove.title = "Takes the caption's file away; Undo in the History panel brings it back.";
  buttons.append(makeButton("Previous", () => acts.ask("previous"), "caption-previous"), save, next, remove, reject);
  const model = make("div", "lb-captions-buttons lb-captions-model");
  const tag = makeButton("Tag this picture", () => acts.ask("tag"), "ask-tag");
  const describe = makeButton("Caption this picture", () => acts.ask("caption"), "ask-caption");
  tag.title = "With the settings of the Tag panel, whose undo takes it back.";
  describe.title = "With the settings of the Caption panel, whose undo takes it back.";
  const stop = makeButton("Cancel", () => acts.stop(), "ask-cancel");
  const told = make("span", "lb-captions-told");
  told.setAttribute("role", "status");
  told.dataset.testid = "ask-told";
  model.append(tag, describe, stop, told);
  const note = make("div", "lb-captions-note");
  note.setAttribute("role", "status");
  note.dataset.testid = "caption-note";
  const keys = make("p", "lb-captions-keys",
    "What you write is saved by itself one second after you stop typing. Keys: Ctrl+Enter saves and goes on, Alt+← and Alt+→ go back and "
    + "forth, Ctrl+Z undoes, Escape returns to the pictures.");
  return { view, side, head, box, asTags, asText, undo, redo, number, buttons, save, next, remove, reject, model, tag, describe, stop, told, note, keys };
}
