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

function render({ model, el }) {
  el.classList.add("lb-cards");
  el.dataset.testid = "cards";
  const addresses = new Map(), failed = new Map(), seen = new Set();
  let timer = 0, opened = "", largeAddress = "", contents = new Map();
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
  const large = make("img"), caption = make("p"), shut = make("button", "", "Close");
  shut.type = "button";
  dialog.append(large, caption, shut);
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
    } else if (message?.large !== undefined && message.large === opened) {
      if (largeAddress) URL.revokeObjectURL(largeAddress);
      largeAddress = URL.createObjectURL(new Blob([buffers[0]]));
      large.src = largeAddress;
      large.hidden = false;
    }
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
    const look = make("button", "lb-card-look", "Look closer");
    look.type = "button";
    look.dataset.large = one.key;
    look.setAttribute("aria-label", `Look closer at ${one.title}`);
    text.append(look);
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
      opened = caption.textContent = large.alt = button.dataset.large;
      large.hidden = true;
      dialog.showModal();
      model.send({ kind: "large", key: opened });
    } else if (button === shut) dialog.close();
    else if (button === back || button === belowBack) turn(-1);
    else if (button === on || button === belowOn) turn(1);
  }
  function keyed(event) {
    event.stopPropagation();
    const button = event.target.closest?.(".lb-card-press");
    if (!button) return;
    const row = [...button.closest(".lb-cards-row").querySelectorAll(".lb-card-press")];
    const next = neighbour(row.indexOf(button), row.length, event.key);
    if (next >= 0) { event.preventDefault(); row[next].focus(); }
  }
  el.dataset.lmSuppressShortcuts = "true";
  el.addEventListener("click", pressed);
  el.addEventListener("keydown", keyed);
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
    if (largeAddress) URL.revokeObjectURL(largeAddress);
    forget(new Map());
  };
}
export default { render };
