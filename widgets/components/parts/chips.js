/* A caption as tags: drag or Shift+arrows to move one, click or Delete to take one out, a box to add some. */

/** 1,000 and 2,5; the digits of "score_9,1girl" are parts of words. */
const NUMBER = /(^|[^\p{L}\p{N}_])(\p{Nd}+(?:,\p{Nd}+)+)(?![\p{L}\p{N}_])/gu;

/**
 * The words of a caption between commas, without empty ones. A comma inside brackets, as in (red hair, smile:1.2), or inside a number
 * parts nothing; where brackets do not match, as in :(, they are drawing.
 */
export function tagsOf(written) {
  const text = written.replace(NUMBER, (_, before, number) => before + number.replaceAll(",", "\0"));
  const cut = (bracketed) => {
    const parts = [];
    let depth = 0, from = 0;
    for (let at = 0; at < text.length; at += 1) {
      const sign = text[at];
      if (sign === "\\") at += 1;
      else if (bracketed && "([{".includes(sign)) depth += 1;
      else if (bracketed && ")]}".includes(sign)) { if (depth === 0) return null; depth -= 1; }
      else if (sign === "," && depth === 0) {
        parts.push(text.slice(from, at));
        from = at + 1;
      }
    }
    return depth ? null : [...parts, text.slice(from)];
  };
  return (cut(true) ?? cut(false)).map((tag) => tag.replaceAll("\0", ",").trim()).filter(Boolean);
}

/** Tags as a caption. */
export function captionOf(tags) {
  return tags.join(", ");
}

/** What makes two spellings one tag (`tag_key` in core): case, underscores and outer spaces do not count; faces (^_^, x_x) stay as they are. */
export function keyOf(tag) {
  const text = tag.trim().toLowerCase();
  return /[\p{L}\p{N}]{2}|[\p{L}\p{N}]_[\p{L}\p{N}]_[\p{L}\p{N}]/u.test(text) ? text.replaceAll("_", " ") : text;
}

/** The tag at `from` put before the one that is at `to` now (the number of tags: behind the last). */
export function moved(tags, from, to) {
  const rest = tags.filter((_, place) => place !== from);
  rest.splice(to > from ? to - 1 : to, 0, tags[from]);
  return rest;
}

/** With new tags behind the others; those that are there already are left out. */
export function added(tags, text) {
  const known = new Set(tags.map(keyOf));
  return [...tags, ...tagsOf(text).filter((tag) => !known.has(keyOf(tag)) && known.add(keyOf(tag)))];
}

/**
 * At most `most` tags that go on with what is typed, the usual ones first: those that begin so, then those with a word that begins so.
 * known: [tag, count] pairs, the most frequent first. present: tags that the caption has.
 */
export function completions(known, typed, present, most = 8) {
  const start = keyOf(typed);
  if (!start) return [];
  const there = new Set(present.map(keyOf));
  const begin = [], within = [];
  for (const [tag, count] of known) {
    const key = keyOf(tag);
    if (there.has(key)) continue;
    if (key.startsWith(start)) begin.push([tag, count]);
    else if (key.includes(` ${start}`)) within.push([tag, count]);
    if (begin.length >= most) break;
  }
  return [...begin, ...within].slice(0, most);
}

/** Completions out of the project's own tags, then out of those that taggers know: [tag, ""] pairs. listed: tags, the most frequent first. */
export function offered(known, listed, typed, present, most = 8) {
  const own = completions(known, typed, present, most);
  if (own.length >= most) return own;
  const used = new Set(known.map(([tag]) => keyOf(tag)));
  const start = keyOf(typed);
  const near = start ? listed.filter((tag) => keyOf(tag).includes(start) && !used.has(keyOf(tag))).map((tag) => [tag, ""]) : [];
  return [...own, ...completions(near, typed, present, most - own.length)];
}

/** Chips and the box to add. Calls: `text()` gives the caption, `write(text)` changes it, `needed()` asks for known tags. */
export function createChips({ text, write, needed }) {
  const view = make("div", "lb-tags");
  const list = make("ul", "lb-chips");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", "Tags");
  const adder = make("div", "lb-adder");
  const input = document.createElement("input");
  input.type = "text";
  input.placeholder = "Add a tag";
  input.dataset.testid = "add-tag";
  input.spellcheck = false;
  input.autocomplete = "off";
  const offers = make("ul", "lb-offers");
  offers.id = `lb-offers-${Math.random().toString(36).slice(2)}`;
  offers.setAttribute("role", "listbox");
  offers.setAttribute("aria-label", "Known tags");
  for (const [name, value] of Object.entries({ role: "combobox", "aria-label": "Add a tag", "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": offers.id })) input.setAttribute(name, value);
  offers.hidden = true;
  adder.append(input, offers);
  view.append(list, adder);
  let known = [], listed = [], marked = -1, focused = 0, drag = null, shut = false, shown = null;

  function draw() {
    const tags = tagsOf(text());
    const now = JSON.stringify([tags, shut]);
    if (now === shown) return;
    shown = now;
    const held = list.contains(document.activeElement);
    focused = Math.max(0, Math.min(focused, tags.length - 1));
    list.replaceChildren(...tags.map((tag, place) => {
      const item = make("li");
      const chip = makeButton(tag, null, "", "lb-chip");
      chip.dataset.place = place;
      chip.disabled = shut;
      chip.tabIndex = place === focused ? 0 : -1;
      chip.title = `Remove ${tag} (drag it to move it)`;
      chip.setAttribute("aria-label", `${tag}, tag ${place + 1} of ${tags.length}. Delete takes it out, Shift with arrows moves it.`);
      item.append(chip);
      return item;
    }));
    input.disabled = shut;
    if (held) chipAt(focused)?.focus();
  }
  function chipAt(place) {
    return list.children[place]?.firstChild;
  }
  function remove(place) {
    write(captionOf(tagsOf(text()).filter((_, other) => other !== place)));
  }
  function add(words) {
    const tags = tagsOf(text());
    const now = added(tags, words);
    input.value = "";
    offer();
    if (now.length !== tags.length) write(captionOf(now));
  }
  function offer() {
    const found = offered(known, listed, input.value, tagsOf(text()));
    marked = -1;
    offers.replaceChildren(...found.map(([tag, count], place) => {
      const option = make("li", "lb-offer", tag);
      option.id = `${offers.id}-${place}`;
      option.dataset.tag = tag;
      option.dataset.count = count;
      if (count === "") option.title = "From a tagger's list; your captions do not have it yet.";
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      return option;
    }));
    offers.hidden = !found.length;
    input.setAttribute("aria-expanded", String(Boolean(found.length)));
    input.removeAttribute("aria-activedescendant");
  }
  function mark(place) {
    const count = offers.children.length;
    if (!count) return;
    marked = (place + count + 1) % (count + 1) === count ? -1 : (place + count + 1) % (count + 1);
    [...offers.children].forEach((option, other) => option.setAttribute("aria-selected", String(other === marked)));
    if (marked < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", offers.children[marked].id);
  }
  function typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || (event.key === "," && input.value.trim())) add(marked >= 0 ? offers.children[marked].dataset.tag : input.value);
    else if (event.key === "ArrowDown") mark(marked + 1);
    else if (event.key === "ArrowUp") mark(marked < 0 ? offers.children.length - 1 : marked - 1);
    else if (event.key === "Escape" && !offers.hidden) { offers.hidden = true; input.setAttribute("aria-expanded", "false"); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function chosen(event) {
    const option = event.target.closest(".lb-offer");
    if (!option) return;
    event.preventDefault();
    add(option.dataset.tag);
    input.focus();
  }
  function keyed(event) {
    const chip = event.target.closest(".lb-chip");
    if (!chip || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = Number(chip.dataset.place), tags = tagsOf(text());
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (event.key === "Delete" || event.key === "Backspace") remove(place);
    else if (step && event.shiftKey) {
      const to = place + step;
      if (to < 0 || to >= tags.length) return;
      focused = to;
      write(captionOf(moved(tags, place, step > 0 ? to + 1 : to)));
    } else if (step || event.key === "Home" || event.key === "End") {
      focused = event.key === "Home" ? 0 : event.key === "End" ? tags.length - 1 : Math.max(0, Math.min(tags.length - 1, place + step));
      for (const item of list.children) item.firstChild.tabIndex = Number(item.firstChild.dataset.place) === focused ? 0 : -1;
      chipAt(focused).focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function down(event) {
    const chip = event.target.closest(".lb-chip");
    if (!chip || chip.disabled || event.button) return;
    drag = { from: Number(chip.dataset.place), x: event.clientX, y: event.clientY, to: null, chip };
    chip.setPointerCapture(event.pointerId);
  }
  function over(event) {
    if (!drag) return;
    if (drag.to === null && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 6) return;
    drag.to = dropPlace([...list.children].map((item) => item.getBoundingClientRect()), event.clientX, event.clientY);
    drag.chip.classList.add("lb-dragged");
    [...list.children].forEach((item, place) => {
      item.classList.toggle("lb-drop", place === drag.to);
      item.classList.toggle("lb-drop-behind", place === list.children.length - 1 && drag.to === list.children.length);
    });
  }
  function up() {
    if (!drag) return;
    const { from, to, chip } = drag;
    chip.classList.remove("lb-dragged");
    for (const item of list.children) item.classList.remove("lb-drop", "lb-drop-behind");
    if (to !== null) {
      drag = "ended"; // the click that follows a drag takes nothing out
      setTimeout(() => { if (drag === "ended") drag = null; });
      if (to !== from && to !== from + 1) { focused = to > from ? to - 1 : to; write(captionOf(moved(tagsOf(text()), from, to))); }
    } else drag = null;
  }
  function cancelled() {
    if (drag && drag !== "ended") drag.chip.classList.remove("lb-dragged");
    for (const item of list.children) item.classList.remove("lb-drop", "lb-drop-behind");
    drag = null;
  }
  function clicked(event) {
    const chip = event.target.closest(".lb-chip");
    if (!chip || drag === "ended") return;
    focused = Number(chip.dataset.place);
    remove(focused);
  }
  function left() {
    setTimeout(() => { if (!view.contains(document.activeElement)) { offers.hidden = true; input.setAttribute("aria-expanded", "false"); } }, 150);
  }
  const listened = [[list, "pointerdown", down], [list, "pointermove", over], [list, "pointerup", up], [list, "pointercancel", cancelled],
    [list, "click", clicked], [list, "keydown", keyed], [input, "keydown", typed], [input, "input", offer], [input, "focus", needed],
    [input, "blur", left], [offers, "mousedown", chosen]];
  for (const [element, name, act] of listened) element.addEventListener(name, act);
  return {
    view,
    draw,
    input,
    know(tags, others) {
      known = tags;
      listed = others ?? listed;
      if (document.activeElement === input) offer();
    },
    shut(now) { shut = now; draw(); },
    leave() { for (const [element, name, act] of listened) element.removeEventListener(name, act); },
  };
}

/** Before which box a thing is dropped: the first whose line holds the pointer and whose middle lies right of it. */
export function dropPlace(boxes, x, y) {
  let last = boxes.length;
  for (let place = 0; place < boxes.length; place += 1) {
    const { left, right, top, bottom } = boxes[place];
    if (y < top) return last === boxes.length ? place : last;
    if (y > bottom) continue;
    if (x < (left + right) / 2) return place;
    last = place + 1;
  }
  return last;
}
