/** How strongly a cell is coloured, 0 to 1; the square root lets small numbers be seen beside large ones. */
export function strength(count, most) {
  return most > 0 && count > 0 ? Math.sqrt(count / most) : 0;
}

/** What a cell is called by those who cannot see it. */
export function label(row, column, count, thin) {
  const few = count === 0 ? ", none" : count <= thin ? ", few" : "";
  return `${row}, ${column}: ${count} ${count === 1 ? "picture" : "pictures"}${few}. Show them in the gallery.`;
}

function render({ model, el }) {
  el.classList.add("lb-matrix");
  el.dataset.testid = "matrix";
  const title = make("div", "lb-matrix-title"), holder = make("div", "lb-matrix-holder");
  el.append(title, holder);

  function head(words, scope, row, column) {
    const cell = make("th");
    cell.scope = scope;
    if (!words) return cell;
    const button = make("button", "", words);
    button.type = "button";
    button.dataset.row = row;
    button.dataset.column = column;
    button.setAttribute("aria-label", `${words}: show all of them in the gallery.`);
    cell.append(button);
    return cell;
  }
  function draw() {
    const rows = model.get("rows"), columns = model.get("columns"), counts = model.get("counts"), thin = model.get("thin");
    const most = Math.max(0, ...counts.flat());
    title.textContent = model.get("title");
    el.hidden = !rows.length;
    const table = make("table"), first = make("tr");
    first.append(make("td"), ...columns.map((words) => head(words, "col", "", words)));
    table.append(first, ...rows.map((row, place) => {
      const line = make("tr");
      line.append(head(row, "row", row, ""), ...columns.map((column, side) => {
        const count = counts[place]?.[side] ?? 0, cell = make("td");
        const button = make("button", count <= thin ? "lb-thin" : "", String(count));
        button.type = "button";
        button.dataset.row = row;
        button.dataset.column = column;
        button.style.setProperty("--lb-much", `${Math.round(70 * strength(count, most))}%`);
        button.disabled = !count;
        button.setAttribute("aria-label", label(row, column, count, thin));
        cell.append(button);
        return cell;
      }));
      return line;
    }));
    holder.replaceChildren(table);
  }
  function pressed(event) {
    const button = event.target.closest("button");
    if (button) model.send({ row: button.dataset.row, column: button.dataset.column });
  }
  const hold = (event) => event.stopPropagation();
  el.dataset.lmSuppressShortcuts = "true";
  el.addEventListener("click", pressed);
  el.addEventListener("keydown", hold);
  const names = ["rows", "columns", "counts", "thin", "title"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    el.removeEventListener("click", pressed);
    el.removeEventListener("keydown", hold);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { render };
