/* One picture and its caption, as tags or as text. Leaving a changed caption saves it first, and so does a pause in typing. */

/** What a key means in the editor; null for an ordinary key. */
export function wish(event) {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (command && event.key === "Enter") return "next";
  if (command && key === "s") return "save";
  if (command && !event.altKey && key === "z") return event.shiftKey ? "redo" : "undo";
  if (command && !event.altKey && key === "y") return "redo";
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

/**
 * The editor of a model with the traits of CaptionEditor. Calls: `thumbnail(id)` gives an address or nothing, `escaped()` when the person
 * wants back to the pictures, `reject()` to put the shown picture aside, `enlarged(on)` for a picture as wide as the panel.
 */
export function createEditor(model, { thumbnail, escaped, reject, enlarged }) {
  const parts = layOut({ ask, press, reject, mode: setMode, stop: () => model.send({ kind: "stop-asking" }) });
  const { view, side, box, number, note } = parts;
  const picture = createPicture(model, thumbnail, enlarged);
  const chips = createChips({ text: () => box.value, write: (text) => edit(text, "tag"), needed });
  const other = createAside("caption-other", [["Read again", () => ask("again")], ["Keep mine", () => ask("keep")]]);
  const mine = createAside("caption-mine", [["Put it into the box", putBack], ["Go to that picture", goTo], ["Let it go", letGo]]);
  side.append(parts.head, box, chips.view, number, parts.buttons, note, other.view, mine.view, parts.model, parts.keys);
  view.append(picture.view, side);
  const stepsKept = createStepsKept();
  const drafts = createDrafts(tabStorage());
  let steps = new Steps(), key = null, place = {}, name = "", original = "", revision = "", unread = "", conflict = false;
  let sent = null, later = null, slow = null, laid = null, written = false, tokens = null, counted = "", focusNext = false;
  const autosave = rested(() => {
    if (!sent && !conflict && !unread && box.value !== original && box.value.trim()) ask("save");
  }, model.get("rest") || 1000);
  const recountTokens = rested(() => {
    counted = box.value;
    model.send({ kind: "count", text: counted });
  }, 250);

  /** Ask the kernel. Until it answers, only typing over a plain save goes on; a wish that comes meanwhile follows that save. */
  function ask(kind, to = "") {
    const shown = model.get("shown");
    if ((!shown.id && kind !== "open") || (kind === "save" && unread)) return;
    if (sent) {
      if (sent.kind === "save" || kind === "open") later = [kind, to];
      return;
    }
    autosave.cancel();
    sent = { kind, text: box.value, revision: kind === "keep" ? shown.revision : revision, token: `${Math.random()}` };
    lock();
    slow = setTimeout(() => {
      note.textContent = "The kernel is busy and has not answered yet. Your text stays here.";
      box.classList.toggle("lb-captions-shut", box.readOnly);
    }, 4000);
    model.send({ kind, id: shown.id ?? "", home: shown.home ?? "", revision: sent.revision, text: box.value, token: sent.token, to,
      changed: Boolean(shown.id) && box.value !== original });
  }
  function answered() {
    if (!sent || model.get("answer") !== sent.token) return;
    clearTimeout(slow);
    const [kind, to] = later ?? [];
    sent = later = null;
    lock();
    drawNote();
    if (kind && !(model.get("wrong") && kind !== "open")) ask(kind, to);
    else if (box.value !== original && !model.get("wrong")) rest(); // what failed is not tried again until more is written
  }
  function rest() {
    if (model.get("rest") > 0) autosave();
  }
  function lock() {
    const shut = Boolean((sent && sent.kind !== "save") || unread);
    box.readOnly = shut;
    box.classList.toggle("lb-captions-shut", Boolean(unread));
    parts.save.disabled = Boolean(unread);
    parts.remove.disabled = shut;
    chips.shut(shut);
    drawSteps();
    drawAsked();
    view.setAttribute("aria-busy", String(Boolean(sent)));
    if (focusNext && !shut) { focusNext = false; enter(); }
  }
  function putBack() {
    if (box.readOnly) return;
    edit(laid.text, "back");
    laid = null;
    mine.hide();
    enter();
  }
  function goTo() {
    ask("open", laid.id);
  }
  function letGo() {
    drafts.drop(laid.home, laid.id);
    laid = null;
    mine.hide();
    remember();
    offer();
  }
  /** Keep what is in the box and not on the disk in the tab's own storage: a kernel that dies, or a page that is loaded again, loses nothing. */
  function remember() {
    const { id, home } = model.get("shown");
    if (!id) return;
    const isNew = box.value !== original && Boolean(box.value.trim());
    if (isNew) drafts.keep({ home, id, name, text: box.value });
    else if (written) drafts.drop(home, id);
    written = isNew;
  }
  /** Lay out what was written before and not saved: for this picture, else for another one of the project. */
  function offer() {
    const shown = model.get("shown");
    if (laid || !shown.id) return;
    const found = drafts.of(shown.home);
    const here = found.find((draft) => draft.id === shown.id && draft.text !== box.value);
    const draft = here ?? found.find((one) => one.id !== shown.id);
    if (draft) lay(`What you wrote for ${draft.name} before, and what was not saved:`, draft);
  }
  /** Put a new text into the box, as one step that can be undone. */
  function edit(text, kind) {
    if (box.readOnly) return;
    box.value = text;
    steps.note(text, kind, performance.now());
    changed();
  }
  function step(text) {
    if (text === null || box.readOnly) return;
    box.value = text;
    changed();
  }
  function changed() {
    remember();
    recount();
    rest();
  }
  /** Show a text beside the box; only what was written for the picture that is shown may go into its box. */
  function lay(words, draft) {
    laid = draft;
    const { id, home } = model.get("shown");
    const here = draft.id === id && draft.home === home;
    mine.show(words, draft.text, here, !here && draft.home === home, true);
  }
  function draw() {
    const shown = model.get("shown");
    view.hidden = !shown.id;
    if (!shown.id) return;
    const fate = verdict({ key, text: box.value, original, revision }, shown, sent);
    if (fate === "show") change(shown);
    if (fate === "show" || fate === "adopt") [original, revision, unread] = [shown.caption, shown.revision, shown.unread];
    remember();
    offer();
    conflict = fate === "conflict";
    picture.name(shown);
    parts.reject.hidden = Boolean(shown.closed);
    drawAsked();
    drawOther(shown);
    drawNote();
    lock();
    recount();
  }
  /** Put the kernel's caption into the box; what was written there and not saved is laid beside it. */
  function change(shown) {
    const now = `${shown.home}:${shown.id}`;
    const left = now !== key || (sent?.kind === "again" && box.value !== shown.caption);
    const unsaved = left && key !== null && box.value !== original && box.value.trim()
      ? { ...place, name, text: box.value } : null;
    if (now !== key) {
      if (key !== null) stepsKept.keep(key, revision, steps);
      steps = stepsKept.take(now, shown.revision, shown.caption);
      tokens = null;
      written = false;
      autosave.cancel();
      laid = null;
      mine.hide();
    }
    if (unsaved) lay(`Your text for ${name}, which was not saved:`, unsaved);
    [key, place, name] = [now, { home: shown.home, id: shown.id }, shown.name];
    if (box.value === shown.caption) return;
    const caret = box.selectionStart;
    const follows = sent && sent.kind === "save";
    box.value = shown.caption;
    steps.note(shown.caption, "elsewhere", performance.now());
    if (follows) box.setSelectionRange(caret, caret);
  }
  function drawOther(shown) {
    if (conflict && !shown.unread) {
      const gone = shown.revision === "none";
      other.show(gone ? "On the disk there is no caption any more." : "On the disk it now reads:", gone ? null : shown.caption, true, true);
    } else if (shown.unread && (conflict || unread)) {
      const words = shown.closed ? shown.unread : `The caption cannot be read. ${shown.unread}`;
      other.show(conflict ? `${shown.unread} Your text is still in the box.` : words, null, !shown.closed);
    } else other.hide();
  }
  function drawNote() {
    const told = model.get("wrong") || !conflict;
    note.textContent = told ? model.get("note")
      : "The caption was changed on the disk while you wrote. Nothing of yours is lost; choose which text to keep.";
    note.classList.toggle("lb-captions-wrong", model.get("wrong") || conflict);
  }
  /** The buttons that let a model look at this picture, and what came of it. */
  function drawAsked() {
    const shown = model.get("shown"), asked = model.get("asked");
    parts.model.hidden = Boolean(shown.closed);
    parts.tag.disabled = parts.describe.disabled = Boolean(asked.busy || unread || box.readOnly);
    parts.stop.hidden = !asked.busy;
    parts.told.textContent = asked.home === shown.home && (asked.busy || asked.id === shown.id) ? asked.words ?? "" : "";
    parts.told.classList.toggle("lb-captions-wrong", Boolean(asked.wrong));
  }
  function drawSteps() {
    parts.undo.disabled = box.readOnly || !steps.canUndo();
    parts.redo.disabled = box.readOnly || !steps.canRedo();
  }
  function recount() {
    const tags = count(box.value);
    const state = box.value !== original ? box.value.trim() ? "not saved yet" : "empty, so it is not saved" : "saved";
    const none = revision === "none" && !box.value;
    parts.remove.hidden = !original || Boolean(unread);
    number.textContent = [`${tags} ${tags === 1 ? "tag" : "tags"}`, tokens?.words, none ? "no caption yet" : state]
      .filter(Boolean).join(" · ");
    number.classList.toggle("lb-over", Boolean(tokens?.over));
    if (counted !== box.value || !tokens) recountTokens();
    chips.draw();
    drawSteps();
  }
  let asked = -Infinity, askedIn = null;
  function needed() {
    const { home } = model.get("shown");
    if (performance.now() - asked < 20000 && askedIn === home) return;
    model.send({ kind: "tags", lists: askedIn !== home });   // the taggers' lists are long, and told once in a project
    [asked, askedIn] = [performance.now(), home];
  }
  function received(message) {
    if (message.kind === "tokens" && message.text === box.value) {
      tokens = message;
      recount();
    } else if (message.kind === "tags") chips.know(message.tags, message.listed);
  }
  function setMode(mode) {
    model.set("mode", mode);
    model.save_changes();
  }
  function drawMode() {
    const tags = model.get("mode") === "tags";
    parts.asTags.setAttribute("aria-pressed", String(tags));
    parts.asText.setAttribute("aria-pressed", String(!tags));
    box.hidden = tags;
    chips.view.hidden = !tags;
    chips.draw();
  }
  function enter() {
    if (model.get("mode") === "tags") chips.input.focus();
    else box.focus();
  }
  function press(kind) {
    if (kind === "undo") step(steps.undo());
    else if (kind === "redo") step(steps.redo());
    else ask(kind);
  }
  function pressed(event) {
    const kind = wish(event);
    if (event.key === "Escape" && !event.defaultPrevented) escaped();
    if (!kind) return;
    event.preventDefault();
    if (!event.repeat || kind === "undo" || kind === "redo") press(kind);
  }
  function wrote() {
    steps.note(box.value, "typing", performance.now());
    changed();
  }
  view.addEventListener("keydown", pressed);
  box.addEventListener("input", wrote);
  const watched = [["shown", draw], ["note", drawNote], ["wrong", drawNote], ["answer", answered], ["mode", drawMode], ["asked", drawAsked],
    ["picture", picture.draw], ["unseen", picture.draw]];
  for (const [trait, act] of watched) model.on(`change:${trait}`, act);
  drawMode();
  draw();
  picture.draw();
  return {
    view,
    received,
    enter() { if (box.readOnly) focusNext = true; else enter(); },
    open(row) { ask("open", String(row)); },
    showsKey: () => model.get("shown").id,
    /** Whether the person goes from picture to picture here. */
    steps: () => Boolean(sent) && ["next", "previous"].includes(sent.kind),
    picture: picture.draw,
    leave() {
      autosave.now();
      view.removeEventListener("keydown", pressed);
      box.removeEventListener("input", wrote);
      for (const [trait, act] of watched) model.off(`change:${trait}`, act);
      autosave.cancel();
      recountTokens.cancel();
      clearTimeout(slow);
      chips.leave();
      picture.leave();
    },
  };
}
