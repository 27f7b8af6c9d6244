const REST = 60;   // ms without scrolling after which what is seen is asked for

/** Whether a section's button is the one that stands out: the chosen one where they are a choice, else the first. */
export function isMain(section, name, place) {
  return typeof section.pressed === "string" ? section.pressed === name : place === 0;
}

/** Keys of cards that are seen and have no thumbnail yet, without doubles. */
export function wanted(seen, have, failed) {
  return [...new Set(seen)].filter((key) => !have.has(key) && !failed.has(key));
}

/** Where this page stands among all: "1–10 of 42 groups". */
export function whereabouts(place, here, total, what) {
  if (!total) return "";
  const number = (value) => value.toLocaleString("en");
  return `${number(place + 1)}–${number(Math.min(total, place + here))} of ${number(total)} ${what}${total === 1 ? "" : "s"}`;
}

/** The place that an arrow key leads to among `count` cards; -1: none. */
export function neighbour(place, count, key) {
  const next = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: count - 1 }[key];
  return next === undefined || next < 0 || next >= count ? -1 : next;
}

/** Places of the cards that are shown large: the one looked at, in a group beside the one that is kept. */
export function besides(cards, at, together) {
  if (!together || cards.length < 2) return [at];
  const kept = Math.max(0, cards.findIndex((one) => one.chosen));
  return [kept, at === kept ? (kept ? 0 : 1) : at];
}

/** The next card to look at closely; -1: there is none. */
export function onward(cards, at, way, together) {
  const shown = besides(cards, at, together);
  const others = cards.map((_, place) => place).filter((place) => shown.length === 1 || place !== shown[0]);
  return others[others.indexOf(shown.at(-1)) + way] ?? -1;
}

function render({ model, el }) {
  el.classList.add("lb-cards");
  el.dataset.testid = "cards";
  const addresses = new Map(), failed = new Map(), seen = new Set();
  const large = new Map();   // key of a picture in the dialog → its address; empty while it is on the way
  let timer = 0, looked = null, contents = new Map();
  const nothing = make("p", "lb-cards-nothing");
  const bar = make("div", "lb-cards-bar");
  const back = make("button", "", "Earlier"), where = make("span", "lb-cards-where"), on = make("button", "", "Further");
  back.type = on.type = "button";
  where.setAttribute("aria-live", "polite");
  bar.append(back, where, on);
  const list = make("div", "lb-cards-list");
  const below = bar.cloneNode(true);
  const [belowBack, belowWhere, belowOn] = below.children;
  const dialog = make("dialog", "lb-cards-large");
  dialog.tabIndex = -1;
  const pair = make("div", "lb-cards-pair"), steps = make("div", "lb-cards-bar");
  const earlier = make("button", "", "Previous"), later = make("button", "", "Next"), shut = make("button", "lb-cards-main", "Close");
  for (const button of [earlier, later, shut]) button.type = "button";
  steps.append(earlier, later, shut);
  dialog.append(pair, steps);
  el.append(nothing, bar, list, below, dialog);

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const key = entry.target.dataset.key;
      if (entry.isIntersecting) seen.add(key); else seen.delete(key);
    }
    clearTimeout(timer);
    timer = setTimeout(ask, REST);
  }, { rootMargin: "300px" });

  function ask() {
    const keys = wanted(seen, addresses, failed);
    if (keys.length) model.send({ kind: "want", keys });
  }
  function put(holder, key) {
    const img = make("img");
    img.alt = "";
    img.src = addresses.get(key);
    holder.replaceChildren(img);
  }
  function received(message, buffers) {
    if (message?.thumbs) {
      message.thumbs.forEach((key, place) => {
        if (!addresses.has(key)) addresses.set(key, URL.createObjectURL(new Blob([buffers[place]], { type: "image/jpeg" })));
      });
      for (const [key, words] of Object.entries(message.troubles)) failed.set(key, words);
      for (const holder of list.querySelectorAll(".lb-card-picture")) fill(holder);
      if (looked) drawLarge();
    } else if (message?.large !== undefined && looked?.section.cards.some((one) => one.key === message.large)) {
      if (!large.get(message.large)) large.set(message.large, URL.createObjectURL(new Blob([buffers[0]])));
      drawLarge();
    }
  }

  function look(section, at) {
    looked = { section, at };
    for (const { key } of shownLarge()) if (!large.has(key)) { large.set(key, ""); model.send({ kind: "large", key }); }
    drawLarge();
    if (!dialog.open) { dialog.showModal(); dialog.focus(); }   // arrows work from the first moment on
  }
  const together = () => model.get("what") === "group";
  const shownLarge = () => besides(looked.section.cards, looked.at, together()).map((place) => looked.section.cards[place]);
  function drawLarge() {
    const { section, at } = looked, shown = shownLarge();
    pair.replaceChildren(...shown.map((one) => {
      const figure = make("figure"), words = make("figcaption");
      const address = large.get(one.key), picture = address ? make("img") : make("span", "lb-card-trouble", failed.get(one.key) ?? "…");
      if (address) { picture.src = address; picture.alt = one.title; }
      words.append(make("b", "", [one.title, one.badge].filter(Boolean).join(" · ")), ...one.lines.map((line) => make("span", "", line)));
      if (shown.length > 1 && !one.chosen && model.get("press")) {
        const keep = make("button", "", "Keep this one");
        keep.type = "button";
        keep.dataset.press = one.key;
        keep.dataset.section = section.key;
        words.append(keep);
      }
      figure.append(picture, words);
      return figure;
    }));
    pair.classList.toggle("lb-cards-two", shown.length > 1);
    const more = section.cards.length > shown.length;
    earlier.hidden = later.hidden = !more;
    earlier.disabled = onward(section.cards, at, -1, together()) < 0;
    later.disabled = onward(section.cards, at, 1, together()) < 0;
    if (dialog.open && !dialog.contains(el.getRootNode().activeElement)) dialog.focus();   // what had the keyboard is gone
  }
  function step(way) {
    const next = onward(looked.section.cards, looked.at, way, together());
    if (next >= 0) look(looked.section, next);
  }
  function closed() {
    for (const address of large.values()) URL.revokeObjectURL(address);
    large.clear();
    looked = null;
  }
  function fill(holder) {
    const key = holder.dataset.key;
    if (holder.firstChild) return;
    if (addresses.has(key)) put(holder, key);
    else if (failed.has(key)) holder.replaceChildren(make("span", "lb-card-trouble", failed.get(key)));
  }

  function card(section, one) {
    const item = make("div", `lb-card${one.chosen ? " lb-chosen" : ""}`);
    const button = make("button", "lb-card-press");
    button.type = "button";
    button.setAttribute("aria-pressed", one.chosen ? "true" : "false");
    const words = [one.title, one.badge, ...one.lines].filter(Boolean).join(", ");
    button.setAttribute("aria-label", `${words}. ${model.get("press")}`);
    button.title = model.get("press");
    button.dataset.press = one.key;
    button.dataset.section = section.key;
    const holder = make("span", "lb-card-picture");
    holder.dataset.key = one.key;
    fill(holder);
    watcher.observe(holder);
    button.append(holder);
    if (one.badge) button.append(make("span", "lb-card-badge", one.badge));
    const text = make("div", "lb-card-text");
    text.append(make("b", "", one.title), ...one.lines.map((line) => make("span", "", line)));
    const closer = make("button", "lb-card-look", "Look closer");
    closer.type = "button";
    closer.dataset.large = one.key;
    closer.dataset.section = section.key;
    closer.setAttribute("aria-label", `Look closer at ${one.title}`);
    text.append(closer);
    item.append(button, text);
    return item;
  }
  function sectionOf(section) {
    const box = make("section", "lb-cards-section");
    box.setAttribute("aria-label", section.title);
    const head = make("div", "lb-cards-head");
    head.append(make("b", "", section.title));
    section.actions.forEach(([name, words], place) => {
      const button = make("button", isMain(section, name, place) ? "lb-cards-main" : "", words);
      if (typeof section.pressed === "string") button.setAttribute("aria-pressed", String(section.pressed === name));
      button.type = "button";
      button.dataset.act = name;
      button.dataset.section = section.key;
      head.append(button);
    });
    const row = make("div", "lb-cards-row");
    row.append(...section.cards.map((one) => card(section, one)));
    box.append(head, row);
    if (section.change.length) {
      const text = make("p", "lb-cards-change");
      const [before, after] = section.change;
      if (before) text.append(marked(before, after));
      else text.append(make("span", "lb-diff-cut", "new: "), document.createTextNode(after));   // nothing to compare it with
      const side = make("div", "lb-cards-beside");
      side.append(row, text);
      box.append(side);
    }
    return box;
  }
  function forget(shown) {   // what is not shown any more, or is another picture under the same key
    const gone = (key) => shown.get(key) !== contents.get(key);
    for (const [key, address] of addresses) if (gone(key)) { URL.revokeObjectURL(address); addresses.delete(key); }
    for (const [key, address] of large) if (gone(key)) { URL.revokeObjectURL(address); large.delete(key); }
    for (const key of failed.keys()) if (gone(key)) failed.delete(key);
    contents = shown;
  }
  function draw() {
    const sections = model.get("sections"), total = model.get("total"), place = model.get("place"), page = model.get("page");
    const active = el.getRootNode().activeElement?.closest?.("[data-press], [data-act]");
    const focused = active && el.contains(active) ? { ...active.dataset } : null;
    watcher.disconnect();
    seen.clear();
    forget(new Map(sections.flatMap((section) => section.cards.map((one) => [one.key, one.content]))));
    list.replaceChildren(...sections.map(sectionOf));
    nothing.textContent = sections.length ? "" : model.get("nothing");
    nothing.hidden = !nothing.textContent;
    bar.hidden = below.hidden = total <= page;
    where.textContent = belowWhere.textContent = whereabouts(place, page, total, model.get("what"));
    back.disabled = belowBack.disabled = place <= 0;
    on.disabled = belowOn.disabled = place + page >= total;
    el.hidden = !sections.length && !model.get("nothing");
    if (looked) {
      const section = sections.find((one) => one.key === looked.section.key);
      const at = section ? section.cards.findIndex((one) => one.key === looked.section.cards[looked.at].key) : -1;
      if (at < 0) dialog.close();
      else look(section, at);
    }
    if (focused) {
      const same = [...list.querySelectorAll("[data-press], [data-act]")].find((node) =>
        node.dataset.section === focused.section && node.dataset.press === focused.press && node.dataset.act === focused.act);
      same?.focus({ preventScroll: true });
    }
  }

  function turn(way) {
    model.send({ kind: "turn", place: model.get("place") + way * model.get("page") });
    list.scrollTop = 0;
  }
  function pressed(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.press !== undefined) model.send({ kind: "press", section: button.dataset.section, key: button.dataset.press });
    else if (button.dataset.act !== undefined) model.send({ kind: "act", section: button.dataset.section, name: button.dataset.act });
    else if (button.dataset.large !== undefined) {
      const section = model.get("sections").find((one) => one.key === button.dataset.section);
      if (section) look(section, section.cards.findIndex((one) => one.key === button.dataset.large));
    } else if (button === shut) dialog.close();
    else if (button === earlier) step(-1);
    else if (button === later) step(1);
    else if (button === back || button === belowBack) turn(-1);
    else if (button === on || button === belowOn) turn(1);
  }
  function keyed(event) {
    event.stopPropagation();
    if (looked && ["ArrowLeft", "ArrowRight"].includes(event.key)) { step(event.key === "ArrowLeft" ? -1 : 1); return; }
    const button = event.target.closest?.(".lb-card-press");
    if (!button) return;
    const row = [...button.closest(".lb-cards-row").querySelectorAll(".lb-card-press")];
    const next = neighbour(row.indexOf(button), row.length, event.key);
    if (next >= 0) { event.preventDefault(); row[next].focus(); }
  }
  el.dataset.lmSuppressShortcuts = "true";
  el.addEventListener("click", pressed);
  el.addEventListener("keydown", keyed);
  dialog.addEventListener("close", closed);
  model.on("msg:custom", received);
  const names = ["sections", "total", "place", "nothing"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    clearTimeout(timer);
    watcher.disconnect();
    el.removeEventListener("click", pressed);
    el.removeEventListener("keydown", keyed);
    model.off("msg:custom", received);
    for (const name of names) model.off(`change:${name}`, draw);
    closed();
    forget(new Map());
  };
}
export default { render };
