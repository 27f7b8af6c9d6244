/** Rows of cells, null where there is no picture. */
export function arrange(rows, columns, pictures) {
  const grid = Array.from({ length: rows }, () => Array(columns).fill(null));
  for (const picture of pictures) if (grid[picture.row] && picture.column < columns) grid[picture.row][picture.column] = picture;
  return grid;
}

/** Keys that no picture of the grid bears any more. */
export function stale(keys, pictures) {
  const there = new Set(pictures.map((picture) => picture.key));
  return [...keys].filter((key) => !there.has(key));
}

/** Numbers (from 1) of the first and last column that are whole in sight; null where none is. Args: edges: left and right of each. */
export function inSight(edges, left, right) {
  const whole = edges.flatMap(([from, to], i) => (from >= left - 2 && to <= right + 2 ? [i + 1] : []));
  return whole.length ? [whole[0], whole.at(-1)] : null;
}

/** By how many pixels to scroll so that the next column that is cut off comes in sight, as first or as last one. Args: way: 1 or -1. */
export function towards(edges, left, right, way) {
  const next = way > 0 ? edges.find(([, to]) => to > right + 2) : edges.findLast(([from]) => from < left - 2);
  if (!next) return 0;
  return way > 0 ? Math.max(1, next[0] - left) : Math.min(-1, next[1] - right);
}

function render({ model, el }) {
  el.classList.add("lb-samples");
  el.dataset.testid = "samples";
  const addresses = new Map();
  const waiting = new Map();
  let opened = null;
  const dialog = document.createElement("dialog");
  dialog.className = "lb-samples-large";
  const large = document.createElement("img");
  const caption = document.createElement("p");
  const shut = document.createElement("button");
  shut.type = "button";
  shut.textContent = "Close";
  dialog.append(large, caption, shut);
  const holder = document.createElement("div");
  holder.className = "lb-samples-holder";
  holder.tabIndex = 0;
  holder.setAttribute("role", "region");
  holder.setAttribute("aria-label", "Pictures");
  const more = document.createElement("div");
  more.className = "lb-samples-more";
  more.hidden = true;
  const back = mover("◀", "Columns to the left", -1);
  const words = document.createElement("span");
  const on = mover("▶", "Columns to the right", 1);
  more.append(back, words, on);
  el.append(more, holder, dialog);

  function mover(sign, title, way) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    button.title = title;
    button.setAttribute("aria-label", title);
    button.onclick = () => holder.scrollBy({ left: towards(edges(), ...room(), way) });
    return button;
  }
  /** Left and right end of what is in sight, without the words that stay at the left. */
  function room() {
    const box = holder.getBoundingClientRect();
    const words = holder.querySelector('th[scope="row"]');
    return [words ? words.getBoundingClientRect().right : box.left, box.right];
  }
  /** Left and right of each column. */
  function edges() {
    const heads = [...holder.querySelectorAll('th[scope="col"]')].filter((th) => th.textContent);
    return heads.map((th) => { const box = th.getBoundingClientRect(); return [box.left, box.right]; });
  }
  /** Where columns lie out of sight: which ones are seen, and a way to the others. */
  function tellMore() {
    const all = edges();
    more.hidden = !all.length || holder.scrollWidth <= holder.clientWidth + 8;
    if (more.hidden) return;
    const seen = inSight(all, ...room());
    const which = !seen ? "" : seen[0] === seen[1] ? `Column ${seen[0]} of ${all.length}` : `Columns ${seen[0]} to ${seen[1]} of ${all.length}`;
    words.textContent = which || `${all.length} columns`;
    back.disabled = holder.scrollLeft <= 2;
    on.disabled = holder.scrollLeft + holder.clientWidth >= holder.scrollWidth - 2;
  }
  const sizes = new ResizeObserver(tellMore);
  sizes.observe(holder);
  holder.addEventListener("scroll", tellMore, { passive: true });

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      watcher.unobserve(entry.target);
      want(entry.target.dataset.key, entry.target);
    }
  }, { rootMargin: "300px" });

  function want(key, img) {
    if (addresses.has(key)) return put(img, addresses.get(key));
    if (!waiting.has(key)) { waiting.set(key, []); model.send({ want: key }); }
    waiting.get(key).push(img);
  }
  function put(img, address) {
    img.onload = () => img.classList.toggle("lb-small", img.naturalWidth < 160);
    img.src = address;
  }
  function received(message, buffers) {
    if (!message || message.picture === undefined) return;
    const imgs = waiting.get(message.picture) ?? [];
    waiting.delete(message.picture);
    if (!shown().has(message.picture) || addresses.has(message.picture)) return;
    if (!message.there) { for (const img of imgs) img.closest("button").replaceWith("The file is gone."); return; }
    const address = URL.createObjectURL(new Blob([buffers[0]]));
    addresses.set(message.picture, address);
    for (const img of imgs) put(img, address);
    if (message.picture === opened) enlarge();
  }
  function shown() {
    return new Set(model.get("pictures").map((picture) => picture.key));
  }
  /** Let go of the pictures that are no longer in the grid. */
  function forget() {
    for (const key of stale(addresses.keys(), model.get("pictures"))) {
      URL.revokeObjectURL(addresses.get(key));
      addresses.delete(key);
    }
  }
  function open(picture) {
    opened = picture.key;
    large.alt = caption.textContent = picture.label;
    enlarge();
    dialog.showModal();
  }
  /** Show the picture whose place was pressed; it may still be on its way. */
  function enlarge() {
    const address = addresses.get(opened);
    large.hidden = !address;
    if (address) put(large, address);
  }
  const close = () => dialog.close();
  const keep = (event) => { if (dialog.open) event.stopPropagation(); };

  function cell(picture) {
    const td = document.createElement("td");
    if (!picture) return td;
    const button = document.createElement("button");
    button.type = "button";
    button.title = picture.label;
    button.setAttribute("aria-label", `${picture.label}. Show larger.`);
    const img = document.createElement("img");
    img.alt = "";
    img.dataset.key = picture.key;
    button.onclick = () => open(picture);
    button.append(img);
    td.append(button);
    if (addresses.has(picture.key)) put(img, addresses.get(picture.key)); else watcher.observe(img);
    return td;
  }
  function head(words, scope) {
    const th = document.createElement("th");
    th.scope = scope;
    th.textContent = words;
    return th;
  }
  /** The words of a row under its pictures; they stay in sight while the pictures are scrolled. */
  function captionRow(words, columns) {
    const tr = document.createElement("tr");
    tr.className = "lb-samples-words";
    const td = document.createElement("td");
    td.colSpan = columns;
    const div = document.createElement("div");
    div.textContent = words;
    td.append(div);
    tr.append(td);
    return tr;
  }
  function draw() {
    const [rows, columns, pictures] = [model.get("rows"), model.get("columns"), model.get("pictures")];
    watcher.disconnect();
    waiting.clear();
    forget();
    if (!pictures.length) {
      const p = document.createElement("p");
      p.textContent = model.get("nothing");
      holder.replaceChildren(p);
      tellMore();
      return;
    }
    const below = model.get("below");
    const table = document.createElement("table");
    const first = document.createElement("tr");
    first.append(...(below ? [] : [head("", "col")]), ...columns.map((words) => head(words, "col")));
    table.append(first, ...arrange(rows.length, columns.length, pictures).flatMap((line, i) => {
      const tr = document.createElement("tr");
      tr.append(...(below ? [] : [head(rows[i], "row")]), ...line.map(cell));
      return below ? [tr, captionRow(rows[i], columns.length)] : [tr];
    }));
    // Pictures that come by and by are followed; a comparison, with its words at the left, begins there.
    const grows = below || holder.scrollWidth > holder.clientWidth + 8;
    const atEnd = grows && holder.scrollLeft + holder.clientWidth >= holder.scrollWidth - 8;
    holder.replaceChildren(table);
    if (atEnd) holder.scrollLeft = holder.scrollWidth;
    tellMore();
  }

  shut.addEventListener("click", close);
  dialog.addEventListener("keydown", keep);
  el.dataset.lmSuppressShortcuts = "true";
  model.on("msg:custom", received);
  const names = ["rows", "columns", "pictures", "nothing", "below"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    watcher.disconnect();
    sizes.disconnect();
    holder.removeEventListener("scroll", tellMore);
    shut.removeEventListener("click", close);
    dialog.removeEventListener("keydown", keep);
    model.off("msg:custom", received);
    for (const name of names) model.off(`change:${name}`, draw);
    for (const address of addresses.values()) URL.revokeObjectURL(address);
  };
}
export default { render };
