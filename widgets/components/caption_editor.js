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

/**
 * What becomes of the box when word of a caption comes: "show" that caption, "adopt" its revision under the text that is being
 * written, "stay" as it is, or "conflict": both texts differ from what was read, and the person chooses.
 * box: key, text, original, revision. sent: text and revision of the wish that waits for its answer, or null.
 */
export function verdict(box, shown, sent) {
  if (`${shown.home}:${shown.id}` !== box.key) return "show";
  if (sent && shown.after === sent.revision) return box.text === sent.text ? "show" : "adopt";
  if (box.text === box.original) return "show";
  return shown.revision === box.revision ? "stay" : "conflict";
}

function make(tag, className = "", words = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = words;
  return element;
}

/** A text with a heading and buttons: what stands on the disk, or what was written and not saved. Hidden while there is none. */
function aside(testid, actions) {
  const view = make("div", "lb-captions-aside");
  view.dataset.testid = testid;
  const heading = make("p");
  heading.setAttribute("aria-live", "polite");
  const text = make("blockquote");
  const row = make("div", "lb-captions-buttons");
  const buttons = actions.map(([words, act]) => {
    const button = make("button", "", words);
    button.type = "button";
    button.onclick = act;
    row.append(button);
    return button;
  });
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

function render({ model, el }) {
  el.classList.add("lb-captions");
  const nothing = document.createElement("p");
  const editor = document.createElement("div");
  editor.className = "lb-captions-editor";
  const figure = document.createElement("figure");
  const img = document.createElement("img");
  const unseen = make("div", "lb-captions-unseen");
  const place = document.createElement("figcaption");
  figure.append(img, unseen, place);
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
  const save = buttons.children[1];
  const other = aside("caption-other", [["Read again", () => ask("again")], ["Keep mine", () => ask("keep")]]);
  const mine = aside("caption-mine", [["Put it into the box", putBack], ["Let it go", () => mine.hide()]]);
  side.append(label, box, number, buttons, note, other.view, mine.view, keys);
  editor.append(figure, side);
  el.append(nothing, editor);
  el.dataset.lmSuppressShortcuts = "true";

  let key = null, name = "", original = "", revision = "", unread = "", conflict = false, address = null;
  let sent = null, later = null, slow = null, opening = null, mineText = "";

  /** Ask the kernel. Until it answers, only typing over a plain save goes on; a wish that comes meanwhile follows that save. */
  function ask(kind) {
    const shown = model.get("shown");
    if (!shown.id || (kind === "save" && unread)) return;
    if (sent) {
      if (sent.kind === "save") later = kind;
      return;
    }
    sent = { kind, text: box.value, revision: kind === "keep" ? shown.revision : revision, token: `${Math.random()}` };
    lock();
    slow = setTimeout(() => {
      note.textContent = "The kernel is busy and has not answered yet. Your text stays here.";
      box.classList.toggle("lb-captions-shut", box.readOnly);
    }, 4000);
    model.send({ kind, id: shown.id, home: shown.home, revision: sent.revision, text: box.value, token: sent.token,
      changed: box.value !== original });
  }
  function answered() {
    if (!sent || model.get("answer") !== sent.token) return;
    clearTimeout(slow);
    const kind = later;
    sent = later = null;
    lock();
    drawNote();
    if (kind && !model.get("wrong")) ask(kind);
  }
  function lock() {
    box.readOnly = Boolean((sent && sent.kind !== "save") || unread);
    box.classList.toggle("lb-captions-shut", Boolean(unread));
    save.disabled = Boolean(unread);
    el.setAttribute("aria-busy", String(Boolean(sent)));
  }
  function putBack() {
    if (box.readOnly) return;
    box.value = mineText;
    mine.hide();
    recount();
    box.focus();
  }
  /** Args: here: whether it was written for the caption that is shown; only then it may go into its box. */
  function lay(words, text, here) {
    mineText = text;
    mine.show(words, text, here, true);
  }
  function draw() {
    const shown = model.get("shown");
    nothing.hidden = Boolean(shown.id);
    nothing.textContent = model.get("nothing");
    editor.hidden = !shown.id;
    if (!shown.id) return;
    const fate = verdict({ key, text: box.value, original, revision }, shown, sent);
    if (fate === "show") change(shown);
    if (fate === "show" || fate === "adopt") {
      [original, revision, unread] = [shown.caption, shown.revision, shown.unread];
    }
    conflict = fate === "conflict";
    place.textContent = `${shown.place} · ${shown.name}`;
    img.alt = `Picture ${shown.name}`;
    drawOther(shown);
    drawNote();
    lock();
    recount();
  }
  /** Put the kernel's caption into the box; what was written there and not saved is laid beside it. */
  function change(shown) {
    const now = `${shown.home}:${shown.id}`;
    const left = now !== key || (sent?.kind === "again" && box.value !== shown.caption);
    if (left && box.value !== original) lay(`Your text for ${name}, which was not saved:`, box.value, now === key);
    else if (now !== key) mine.hide();
    [key, name] = [now, shown.name];
    if (box.value === shown.caption) return;
    const caret = box.selectionStart;
    const follows = sent && sent.kind === "save";
    box.value = shown.caption;
    if (follows) box.setSelectionRange(caret, caret);
  }
  function drawOther(shown) {
    if (conflict && !shown.unread) {
      const gone = shown.revision === "none";
      other.show(gone ? "On the disk there is no caption any more." : "On the disk it now reads:", gone ? null : shown.caption, true, true);
    } else if (shown.unread && (conflict || unread)) {
      other.show(conflict ? `${shown.unread} Your text is still in the box.` : `The caption cannot be read. ${shown.unread}`, null, true);
    } else other.hide();
  }
  function drawPicture() {
    const data = model.get("picture");
    const words = model.get("unseen");
    clearTimeout(opening);
    if (address) URL.revokeObjectURL(address);
    address = data && data.byteLength ? URL.createObjectURL(new Blob([data])) : null;
    img.hidden = !address;
    unseen.hidden = Boolean(address);
    unseen.textContent = words ? `This picture cannot be shown: ${words}` : "";
    if (address) img.src = address;
    else img.removeAttribute("src");
    if (!address && !words) opening = setTimeout(() => { unseen.textContent = "The picture is being opened."; }, 400);
  }
  function small() {
    img.classList.toggle("lb-small", img.naturalWidth < 200);
  }
  function drawNote() {
    const told = model.get("wrong") || !conflict;
    note.textContent = told ? model.get("note")
      : "The caption was changed on the disk while you wrote. Nothing of yours is lost; choose which text to keep.";
    note.classList.toggle("lb-captions-wrong", model.get("wrong") || conflict);
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
    if (!event.repeat) ask(kind);
  }
  el.addEventListener("keydown", pressed);
  box.addEventListener("input", recount);
  img.addEventListener("load", small);
  const watched = [["shown", draw], ["nothing", draw], ["note", drawNote], ["wrong", drawNote], ["answer", answered],
    ["picture", drawPicture], ["unseen", drawPicture]];
  for (const [trait, act] of watched) model.on(`change:${trait}`, act);
  draw();
  drawPicture();
  return () => {
    el.removeEventListener("keydown", pressed);
    box.removeEventListener("input", recount);
    img.removeEventListener("load", small);
    for (const [trait, act] of watched) model.off(`change:${trait}`, act);
    clearTimeout(slow);
    clearTimeout(opening);
    if (address) URL.revokeObjectURL(address);
  };
}
export default { render };
