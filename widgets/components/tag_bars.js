const STEP = 60;   // bars that are drawn at first, and more at each press

/** Places of the tags that hold all words of the search, in the order asked for. */
export function arranged(tags, counts, search, order) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const places = tags.map((_, place) => place).filter((place) => words.every((word) => tags[place].toLowerCase().includes(word)));
  if (order === "name") places.sort((a, b) => tags[a].localeCompare(tags[b], "en"));
  else if (order === "rare") places.sort((a, b) => counts[a] - counts[b] || a - b);
  else places.sort((a, b) => counts[b] - counts[a] || a - b);
  return places;
}

/** A share in few signs: 100 %, 42 %, 0.3 %. */
export function percent(count, of) {
  if (!of) return "";
  const share = (100 * count) / of;
  return `${share >= 1 || share === 0 ? Math.round(share) : share.toFixed(1)} %`;
}

function render({ model, el }) {
  el.classList.add("lb-tags");
  const bar = make("div", "lb-tags-bar");
  const search = make("input");
  search.type = "search";
  search.placeholder = "Search a tag";
  search.setAttribute("aria-label", "Search a tag");
  search.dataset.testid = "tag-search";
  const order = make("select");
  order.setAttribute("aria-label", "Order of the tags");
  for (const [value, words] of [["many", "Most frequent first"], ["rare", "Rarest first"], ["name", "By the alphabet"]]) {
    const option = make("option", "", words);
    option.value = value;
    order.append(option);
  }
  bar.append(search, order);
  const chosen = make("div", "lb-tags-chosen");
  const note = make("p", "lb-tags-note");
  note.setAttribute("aria-live", "polite");
  const list = make("div", "lb-tags-list");
  list.dataset.testid = "tags";
  const more = make("button", "lb-tags-more", "Show more");
  more.type = "button";
  el.append(bar, chosen, note, list, more);
  let shown = STEP;

  function barOf(place, counts, tags, captions) {
    const button = make("button", "lb-tag");
    button.type = "button";
    button.dataset.tag = tags[place];
    const fill = make("span", "lb-tag-fill");
    fill.style.width = `${captions ? Math.max(0.5, (100 * counts[place]) / captions) : 0}%`;
    fill.setAttribute("aria-hidden", "true");
    button.append(fill, make("span", "lb-tag-name", tags[place]), make("span", "lb-tag-count", `${counts[place].toLocaleString("en")}`),
      make("span", "lb-tag-share", percent(counts[place], captions)));
    button.setAttribute("aria-label", `${tags[place]}: ${counts[place]} of ${captions} caption${captions === 1 ? "" : "s"}. Narrow to it.`);
    return button;
  }

  function draw() {
    const tags = model.get("tags"), counts = model.get("counts"), captions = model.get("captions"), picked = model.get("chosen");
    const places = arranged(tags, counts, search.value, order.value).filter((place) => !picked.includes(tags[place]));
    chosen.replaceChildren(...picked.map((tag) => {
      const chip = make("button", "lb-tags-chip", `${tag} ×`);
      chip.type = "button";
      chip.dataset.drop = tag;
      chip.setAttribute("aria-label", `No longer narrow to ${tag}`);
      return chip;
    }));
    chosen.hidden = !picked.length;
    const rare = model.get("left_out") ? `, and ${model.get("left_out").toLocaleString("en")} rarer ones that are not listed` : "";
    const many = (number, thing) => `${number.toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
    note.textContent = captions ? `${many(places.length, "tag")} in ${many(captions, "caption")}${picked.length ? " with " + picked.join(" and ") : ""}${rare}.` : "";
    list.replaceChildren(...places.slice(0, shown).map((place) => barOf(place, counts, tags, captions)));
    more.hidden = places.length <= shown;
    el.hidden = !captions && !picked.length;
  }

  function pressed(event) {
    const button = event.target.closest("button");
    if (button?.dataset.tag) model.send({ tag: button.dataset.tag, choose: true });
    else if (button?.dataset.drop) model.send({ tag: button.dataset.drop, choose: false });
  }
  function searched() { shown = STEP; draw(); }
  function grow() { shown += 4 * STEP; draw(); }
  function hold(event) { event.stopPropagation(); }
  el.addEventListener("click", pressed);
  search.addEventListener("input", searched);
  order.addEventListener("change", searched);
  more.addEventListener("click", grow);
  el.dataset.lmSuppressShortcuts = "true";
  el.addEventListener("keydown", hold);
  const names = ["tags", "counts", "captions", "chosen", "left_out"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    el.removeEventListener("click", pressed);
    search.removeEventListener("input", searched);
    order.removeEventListener("change", searched);
    more.removeEventListener("click", grow);
    el.removeEventListener("keydown", hold);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { render };
