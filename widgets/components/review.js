/** What a key means; null: nothing here. Letters work whatever their case. */
export function meaning(key) {
  return { k: "keep", ArrowRight: "keep", d: "drop", ArrowLeft: "drop", ArrowDown: "down", ArrowUp: "up", n: "next", Enter: "next",
    p: "previous", z: "undo", Home: "first", End: "last" }[key.length === 1 ? key.toLowerCase() : key] ?? null;
}

/** The first tag at or behind a place (going round) that is not decided; -1: all are. */
export function undecided(tags, decisions, from) {
  for (let step = 0; step < tags.length; step++) {
    const place = (from + step) % tags.length;
    if (!(tags[place].name in decisions)) return place;
  }
  return -1;
}

/** Decisions as two lists. */
export function sorted(decisions) {
  const of = (word) => Object.keys(decisions).filter((name) => decisions[name] === word);
  return { keep: of("keep"), drop: of("drop") };
}

/** A score in words for those who cannot see the bar. */
export function inWords(tag, decision) {
  const state = decision ? (decision === "keep" ? "kept" : "dropped") : tag.present ? "in the caption" : "not in the caption";
  return `${tag.name}: scored ${tag.score.toFixed(2)}, threshold ${tag.threshold.toFixed(2)}, ${state}`;
}

const KEYS = "→ or K keeps, ← or D drops, ↑ ↓ choose a tag, Enter or N the next picture, P the one before, Z takes back.";

function render({ model, el }) {
  el.classList.add("lb-review");
  const frame = make("div", "lb-review-frame");
  const picture = make("div", "lb-review-picture"), image = make("img");
  const unseen = make("p", "lb-review-unseen");
  picture.append(image, unseen);
  const side = make("div", "lb-review-side");
  const head = make("div", "lb-review-head");
  const name = make("b", "lb-review-name"), where = make("span", "lb-review-where");
  head.append(name, where);
  const list = make("ul", "lb-review-tags");
  list.tabIndex = 0;
  list.dataset.testid = "doubts";
  list.dataset.lbKeys = "";   // a press anywhere in the panel gives it the keys
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Doubtful tags of this picture. " + KEYS);
  const bar = make("div", "lb-review-bar");
  const buttons = { drop: "Drop", keep: "Keep", previous: "Previous", next: "Next picture", undo: "Take back" };
  const labels = { drop: "Drop the chosen tag (left arrow or D)", keep: "Keep the chosen tag (right arrow or K)",
    previous: "The picture before (P)", next: "The next picture (Enter or N)", undo: "Take back the last decision (Z)" };
  const made = {};
  const acts = {};
  for (const [act, words] of Object.entries(buttons)) {
    made[act] = make("button", `lb-review-${act}`, words);
    made[act].type = "button";
    made[act].setAttribute("aria-label", labels[act]);
    made[act].title = labels[act];
    acts[act] = () => { doIt(act); list.focus(); };
    made[act].addEventListener("click", acts[act]);
    bar.append(made[act]);
  }
  const help = make("p", "lb-review-help", KEYS);
  const said = make("span", "lb-review-said");
  said.setAttribute("aria-live", "polite");
  side.append(head, list, bar, help, said);
  const nothing = make("p", "lb-review-nothing");
  frame.append(picture, side);
  el.append(frame, nothing);

  let decisions = {}, order = [], chosen = 0, address = "", leaving = false, further = 0;
  const tags = () => model.get("image").tags ?? [];

  function draw() {
    list.replaceChildren(...tags().map((tag, place) => {
      const decision = decisions[tag.name];
      const item = make("li", `lb-review-tag ${decision ? `lb-${decision}` : ""}`);
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(place === chosen));
      item.setAttribute("aria-label", inWords(tag, decision));
      item.id = `${el.dataset.id}-${place}`;
      const meter = make("span", "lb-review-meter"), mark = make("i", "lb-review-mark");
      meter.style.setProperty("--score", `${tag.score * 100}%`);
      mark.style.left = `${tag.threshold * 100}%`;
      meter.append(mark);
      item.append(make("span", "lb-review-word", tag.name), meter, make("span", "lb-review-score", tag.score.toFixed(2)),
        make("span", "lb-review-state", decision === "keep" ? "kept" : decision === "drop" ? "dropped" : tag.present ? "in caption" : "left out"));
      return item;
    }));
    list.setAttribute("aria-activedescendant", `${el.dataset.id}-${chosen}`);
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    made.undo.disabled = false;
    made.previous.disabled = model.get("place") <= 0;
  }
  function renew() {
    const shown = model.get("image"), there = Boolean(shown.token);
    decisions = {}; order = []; chosen = 0; leaving = false;
    frame.hidden = !there;
    nothing.hidden = there;
    words();
    draw();
    if (further && there) { further -= 1; leave(1); } else further = 0;
  }
  function words() {
    const there = Boolean(model.get("image").token);
    nothing.textContent = model.get("nothing");
    name.textContent = model.get("image").name ?? "";
    where.textContent = there ? `${(model.get("place") + 1).toLocaleString("en")} of ${model.get("total").toLocaleString("en")}` : "";
  }
  function show() {
    if (address) URL.revokeObjectURL(address);
    const bytes = model.get("picture");
    address = bytes && bytes.byteLength ? URL.createObjectURL(new Blob([bytes])) : "";
    image.hidden = !address;
    if (address) image.src = address; else image.removeAttribute("src");
    image.alt = model.get("image").name ?? "";
    unseen.textContent = model.get("unseen");
    unseen.hidden = !unseen.textContent;
  }
  function leave(way) {
    if (leaving) return;
    leaving = true;
    model.send({ kind: "turn", way, token: model.get("image").token, ...sorted(decisions) });
  }
  function decide(word) {
    const tag = tags()[chosen];
    if (!tag || leaving) return;
    decisions[tag.name] = word;
    order = [...order.filter((one) => one !== tag.name), tag.name];
    said.textContent = `${tag.name}: ${word === "keep" ? "kept" : "dropped"}.`;
    const next = undecided(tags(), decisions, chosen);
    if (next >= 0) chosen = next;
    draw();
    if (next < 0) leave(1);
  }
  function takeBack() {
    const last = order.pop();
    if (!last) { model.send({ kind: "undo", token: model.get("image").token ?? "" }); return; }
    delete decisions[last];
    chosen = Math.max(0, tags().findIndex((tag) => tag.name === last));
    draw();
  }
  function doIt(act) {
    if (act === "keep" || act === "drop") decide(act);
    else if (act === "undo") takeBack();
    else if (act === "next" && leaving) further += 1;   // pressed quickly: it counts, though the next picture is not here yet
    else if (act === "next") leave(1);
    else if (act === "previous") { if (model.get("place") > 0) leave(-1); }
    else if (tags().length) {
      const last = tags().length - 1;
      chosen = { down: Math.min(last, chosen + 1), up: Math.max(0, chosen - 1), first: 0, last }[act];
      draw();
    }
  }
  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter")) return;
    const act = meaning(event.key);
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    doIt(act);
  }
  function clicked(event) {
    const item = event.target.closest("li");
    if (item) { chosen = [...list.children].indexOf(item); draw(); }
  }
  /** What was asked for is here: its keys work at once, unless somebody writes elsewhere meanwhile. */
  function received(message) {
    const at = document.activeElement;
    if (message.kind === "focus" && (!at || at.contains(el) || el.closest(".lb-panel")?.contains(at))) list.focus({ preventScroll: true });
  }
  el.dataset.id = `lb-review-${Math.random().toString(36).slice(2)}`;
  list.addEventListener("keydown", pressed);
  list.addEventListener("click", clicked);
  model.on("msg:custom", received);
  model.on("change:image", renew);
  model.on("change:place", words);
  model.on("change:nothing", words);
  model.on("change:picture", show);
  model.on("change:unseen", show);
  renew();
  show();
  return () => {
    list.removeEventListener("keydown", pressed);
    list.removeEventListener("click", clicked);
    for (const act of Object.keys(made)) made[act].removeEventListener("click", acts[act]);
    model.off("msg:custom", received);
    model.off("change:image", renew);
    for (const trait of ["place", "nothing"]) model.off(`change:${trait}`, words);
    for (const trait of ["picture", "unseen"]) model.off(`change:${trait}`, show);
    if (address) URL.revokeObjectURL(address);
  };
}
export default { render };
