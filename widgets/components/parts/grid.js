/* The virtualised grid: only rows on screen are elements; thumbnails come as bytes for what is looked at. */

export const ZOOMS = [96, 128, 168, 220, 300];
const GAP = 8;
const NAME_HEIGHT = 22;
const KEPT_THUMBS = 900;

/** Columns, and the width and height of a cell. */
export function measures(width, size, gap = GAP) {
  const columns = Math.max(1, Math.round((width + gap) / (size + gap)));
  const cell = Math.floor((width - gap * (columns - 1)) / columns);
  return { columns, cell, pitch: Math.min(cell, Math.round(size * 1.35)) + NAME_HEIGHT + gap };
}

/** First and last + 1 line of cells that are drawn. */
export function linesOnScreen(top, height, pitch, total, columns, beyond = 1) {
  const lines = Math.ceil(total / columns);
  const first = Math.max(0, Math.floor(top / pitch) - beyond);
  return [Math.min(first, lines), Math.min(lines, Math.ceil((top + height) / pitch) + beyond)];
}

/** The row that a key goes to; null for a key that moves nothing. */
export function goal(key, row, columns, linesPerPage, total) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -columns * linesPerPage,
    PageDown: columns * linesPerPage };
  if (key === "Home") return 0;
  if (key === "End") return total - 1;
  if (!(key in steps)) return null;
  const to = row + steps[key];
  if (key === "ArrowUp" && to < 0) return row;
  if (key === "ArrowDown" && to >= total) return Math.floor(row / columns) < Math.floor((total - 1) / columns) ? total - 1 : row;
  return Math.max(0, Math.min(total - 1, to));
}

/** Rows in the order in which they are needed: what is on screen from the top, then what lies just beyond. */
export function urgent(first, last, seenFirst, seenLast) {
  const rows = [];
  for (let row = seenFirst; row < seenLast; row += 1) rows.push(row);
  for (let row = seenLast; row < last; row += 1) rows.push(row);
  for (let row = seenFirst - 1; row >= first; row -= 1) rows.push(row);
  return rows;
}

/** What is read out of a picture in the grid. */
export function spoken(info) {
  if (!info) return "A picture that is being fetched";
  const words = [info.name];
  if (info.rejected !== null) words.push(info.rejected ? `rejected: ${info.rejected}` : "rejected");
  words.push(info.tags ? `${info.tags} ${info.tags === 1 ? "tag" : "tags"}` : "no caption");
  if (info.versions) words.push(`versions: ${info.versions}`);
  if (info.trouble) words.push(info.trouble);
  return words.join(", ");
}

/**
 * The grid of a model that has a trait `view`. Calls: `opened(row, info, enter)` for the picture that is looked at, `act(kind)` for keys
 * that act on the selection, `changed()` when the selection changed.
 */
export function createGrid(model, { opened, act, changed }) {
  const view = make("div", "lb-grid");
  const sheet = make("div", "lb-grid-sheet");
  view.setAttribute("role", "grid");
  view.setAttribute("aria-multiselectable", "true");
  view.setAttribute("aria-label", "Pictures");
  view.dataset.testid = "grid";
  view.tabIndex = -1;
  sheet.setAttribute("role", "presentation");
  view.append(sheet);

  const infos = new Map(), urls = new Map(), lines = new Map(), troubles = new Map();
  let zoom = 2, size = measures(600, ZOOMS[2]), version = -1, total = 0, stamp = 0;
  let active = 0, anchor = 0, selected = [], openKey = "";
  let renewal = false, serial = 0, waiting = null, again = false, frame = null, overdue = null, unknown = new Set();

  function place() {
    const width = view.clientWidth - 2;
    if (width <= 0) return;
    size = measures(width, Math.min(ZOOMS[zoom], width));
    view.style.setProperty("--lb-cell", `${size.cell}px`);
    view.style.setProperty("--lb-pitch", `${size.pitch}px`);
    view.style.setProperty("--lb-columns", size.columns);
    sheet.style.height = `${Math.ceil(total / size.columns) * size.pitch}px`;
    view.setAttribute("aria-colcount", size.columns);
    view.setAttribute("aria-rowcount", Math.ceil(total / size.columns));
    const held = view.contains(document.activeElement);
    for (const line of lines.values()) line.remove();
    lines.clear();
    draw();
    if (held) cellOf(active)?.focus({ preventScroll: true });
  }
  function draw() {
    frame = null;
    const [first, last] = linesOnScreen(view.scrollTop, view.clientHeight, size.pitch, total, size.columns);
    const wanted = new Set();
    for (let line = first; line < last; line += 1) wanted.add(line);
    if (total) wanted.add(Math.floor(active / size.columns)); // the active cell keeps the focus when it is scrolled away
    for (const [line, element] of lines) if (!wanted.has(line)) { element.remove(); lines.delete(line); }
    for (const line of [...wanted].sort((a, b) => a - b)) if (!lines.has(line)) addLine(line);
    want();
  }
  function addLine(line) {
    const element = make("div", "lb-grid-line");
    element.setAttribute("role", "row");
    element.setAttribute("aria-rowindex", line + 1);
    element.style.transform = `translateY(${line * size.pitch}px)`;
    const from = line * size.columns;
    for (let row = from; row < Math.min(total, from + size.columns); row += 1) {
      const cell = make("div", "lb-cell");
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-colindex", row - from + 1);
      cell.dataset.row = row;
      const img = document.createElement("img");
      img.alt = "";
      img.decoding = "async";
      img.draggable = false;
      cell.append(img, make("span", "lb-cell-name"), make("span", "lb-cell-versions"));
      element.append(cell);
      fill(cell);
    }
    const after = [...lines.keys()].filter((other) => other > line).sort((a, b) => a - b)[0];
    sheet.insertBefore(element, after === undefined ? null : lines.get(after));
    lines.set(line, element);
  }
  function cellOf(row) {
    return lines.get(Math.floor(row / size.columns))?.children[row % size.columns] ?? null;
  }
  function fill(cell) {
    const row = Number(cell.dataset.row);
    const info = infos.get(row);
    const [img, name, versions] = cell.children;
    cell.tabIndex = row === active ? 0 : -1;
    cell.setAttribute("aria-selected", String(isIn(selected, row)));
    cell.setAttribute("aria-label", spoken(info));
    const url = info && urls.get(info.key);
    if (url) { if (img.getAttribute("src") !== url) img.src = url; } else img.removeAttribute("src");
    const words = info ? info.name : "";
    if (name.textContent !== words) name.textContent = words;
    name.dataset.count = info?.tags || "";
    if (versions.textContent !== (info?.versions ?? "")) versions.textContent = info?.versions ?? "";
    cell.title = info ? [info.name, info.rejected, info.versions && `Versions: ${info.versions}`, info.trouble || info.caption].filter(Boolean).join("\n") : "";
    cell.classList.toggle("lb-open", Boolean(info) && info.key === openKey);
    cell.classList.toggle("lb-untagged", Boolean(info) && !info.tags);
    cell.classList.toggle("lb-rejected", Boolean(info) && info.rejected !== null);
    cell.classList.toggle("lb-trouble", Boolean(info && troubles.has(info.key)));
  }
  function refill() {
    for (const line of lines.values()) for (const cell of line.children) fill(cell);
  }
  /** Ask for what is on screen and not here. One question at a time: the next one knows where the person has scrolled meanwhile. */
  function want() {
    if (waiting !== null) { again = true; return; }
    const [first, last] = linesOnScreen(view.scrollTop, view.clientHeight, size.pitch, total, size.columns);
    const [seenFirst, seenLast] = linesOnScreen(view.scrollTop, view.clientHeight, size.pitch, total, size.columns, 0);
    const cut = (line) => Math.min(total, line * size.columns);
    const rows = urgent(cut(first), cut(last), cut(seenFirst), cut(seenLast)).filter(isMissing);
    if (!rows.length || !view.clientHeight) return;
    serial += 1;
    waiting = serial;
    model.send({ kind: "want", version, serial, rows, seen: rows.filter((row) => urls.has(infos.get(row)?.key)) });
    clearTimeout(overdue);
    overdue = setTimeout(() => { waiting = null; want(); }, 4000);
  }
  function isMissing(row) {
    const info = infos.get(row);
    return !info || unknown.has(row) || (!urls.has(info.key) && !troubles.has(info.key));
  }
  /** What the kernel found: facts of rows, and thumbnails by key. */
  function received(message, buffers) {
    if (message.version === version) {
      for (const info of message.rows) { infos.set(info.row, info); unknown.delete(info.row); }
    }
    message.thumbs.forEach((key, number) => keep(key, buffers[number]));
    for (const [key, words] of Object.entries(message.troubles)) troubles.set(key, words);
    for (const line of lines.values()) for (const cell of line.children) {
      const info = infos.get(Number(cell.dataset.row));
      if (info && troubles.has(info.key)) info.trouble = troubles.get(info.key);
      fill(cell);
    }
    if (message.serial && message.serial === waiting) {
      waiting = null;
      clearTimeout(overdue);
      if (again) { again = false; want(); }
    }
  }
  function keep(key, bytes) {
    if (urls.has(key)) URL.revokeObjectURL(urls.get(key));
    urls.delete(key);
    urls.set(key, URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })));
    if (urls.size <= KEPT_THUMBS) return;
    const shown = new Set([...lines.values()].flatMap((line) => [...line.children]).map((cell) => infos.get(Number(cell.dataset.row))?.key));
    for (const [old, url] of urls) {
      if (urls.size <= KEPT_THUMBS * 0.8) break;
      if (!shown.has(old)) { URL.revokeObjectURL(url); urls.delete(old); }
    }
  }
  /** The kernel shows other rows, or tells that what is known of them may have changed. */
  function renewed() {
    const now = model.get("view");
    if (now.version !== version) {
      const openRow = [...infos.values()].find((info) => info.key === openKey)?.row;
      [version, total, stamp] = [now.version, now.total, now.stamp];
      infos.clear();
      unknown.clear();
      selected = now.selected;
      active = Math.max(0, Math.min(total - 1, selected.length ? selected[0][0] : now.keep ? active : openRow ?? 0));
      anchor = active;
      renewal = true;
      waiting = null;
      if (!now.keep) view.scrollTop = 0;
      place();
      changed();
    } else if (now.stamp !== stamp) {
      stamp = now.stamp;
      for (const key of now.stale ?? []) { URL.revokeObjectURL(urls.get(key)); urls.delete(key); troubles.delete(key); }
      unknown = new Set(infos.keys());
      want();
    }
  }
  function select(row, keys = {}, { focus = true, open = true } = {}) {
    if (!total) return;
    renewal = false;
    ({ ranges: selected, anchor } = selectBy(selected, anchor, row, keys));
    activate(row, focus);
    changed();
    if (open && !keys.shift && !keys.command) opened(row, infos.get(row), false);
  }
  function activate(row, focus) {
    active = row;
    const top = Math.floor(row / size.columns) * size.pitch;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + size.pitch > view.scrollTop + view.clientHeight) view.scrollTop = top + size.pitch - view.clientHeight;
    draw();
    refill();
    if (focus) cellOf(row)?.focus({ preventScroll: true });
  }
  function pressed(event) {
    const command = event.ctrlKey || event.metaKey;
    const to = total && !event.altKey ? goal(event.key, active, size.columns, Math.max(1, Math.floor(view.clientHeight / size.pitch)), total) : null;
    if (to !== null) {
      if (command && !event.shiftKey && event.key !== "Home" && event.key !== "End") activate(to, true);
      else select(to, { shift: event.shiftKey });
    } else if (command && event.key.toLowerCase() === "a") {
      selected = total ? [[0, total]] : [];
      refill();
      changed();
    } else if (event.key === " ") {
      select(active, { command: true, shift: event.shiftKey });
    } else if (event.key === "Enter") {
      select(active, {}, { open: false });
      opened(active, infos.get(active), true);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      act("reject");
    } else if (event.key === "Escape" && selected.length) {
      selected = [];
      refill();
      changed();
    } else return;
    event.preventDefault();
  }
  function clicked(event) {
    const cell = event.target.closest(".lb-cell");
    if (!cell) return;
    select(Number(cell.dataset.row), { shift: event.shiftKey, command: event.ctrlKey || event.metaKey });
  }
  function doubled(event) {
    const cell = event.target.closest(".lb-cell");
    if (cell) opened(Number(cell.dataset.row), infos.get(Number(cell.dataset.row)), true);
  }
  function scrolled() {
    if (frame === null) frame = requestAnimationFrame(draw);
  }
  function held(event) {
    if (event.shiftKey) event.preventDefault(); // else the browser selects text from the last place to this one
  }
  view.addEventListener("keydown", pressed);
  view.addEventListener("click", clicked);
  view.addEventListener("dblclick", doubled);
  view.addEventListener("mousedown", held);
  view.addEventListener("scroll", scrolled, { passive: true });
  let width = 0, height = 0;
  const watcher = new ResizeObserver(() => {
    if (view.clientWidth === width && view.clientHeight === height) return;
    const top = Math.floor(view.scrollTop / size.pitch) * size.columns;
    const same = view.clientWidth === width;
    [width, height] = [view.clientWidth, view.clientHeight];
    if (same) { scrolled(); return; }
    place();
    view.scrollTop = Math.floor(top / size.columns) * size.pitch;
  });
  watcher.observe(view);
  return {
    view,
    received,
    renewed,
    select,
    selection: () => ({ version, ranges: selected }),
    count: () => sizeOf(selected),
    url: (key) => urls.get(key),
    zoom: () => zoom,
    focus() { cellOf(active)?.focus({ preventScroll: true }); },
    /** Mark the picture that is in the editor. Args: follows: it was gone to from there, and the grid goes along. */
    show(key, row, follows) {
      openKey = key;
      if (follows && row >= 0 && row < total && row !== active) {
        selected = [[row, row + 1]];
        anchor = row;
        activate(row, view.contains(document.activeElement));
        changed();
      } else if (renewal && row >= 0 && row < total && row !== active) {
        const held = view.contains(document.activeElement); // the picture stands elsewhere since rows came or went
        [active, anchor] = [row, row];
        draw();
        refill();
        if (held) cellOf(row)?.focus({ preventScroll: true });
      } else refill();
    },
    setZoom(step) {
      const middle = Math.floor(view.scrollTop / size.pitch) * size.columns;
      zoom = Math.max(0, Math.min(ZOOMS.length - 1, step));
      place();
      view.scrollTop = Math.floor(middle / size.columns) * size.pitch;
      draw();
    },
    leave() {
      view.removeEventListener("keydown", pressed);
      view.removeEventListener("click", clicked);
      view.removeEventListener("dblclick", doubled);
      view.removeEventListener("mousedown", held);
      view.removeEventListener("scroll", scrolled);
      watcher.disconnect();
      cancelAnimationFrame(frame);
      clearTimeout(overdue);
      for (const url of urls.values()) URL.revokeObjectURL(url);
    },
  };
}
