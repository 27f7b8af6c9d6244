/** Into the clipboard. Returns: whether the browser let it; it does not where the page came without https. */
export async function copied(text, clipboard = globalThis.navigator?.clipboard) {
  if (!clipboard) return false;
  try {
    await clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function render({ model, el }) {
  el.classList.add("lb-copy-table");
  el.dataset.testid = "copy-table";
  const table = make("table"), note = make("div", "lb-copy-note");
  note.setAttribute("role", "status");
  el.append(table, note);

  function line([name, value]) {
    const row = make("tr"), head = make("th", "", name), cell = make("td"), code = make("code", "", value), last = make("td");
    head.scope = "row";
    const button = make("button", "", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy ${name}`);
    button.onclick = async () => {
      if (await copied(value)) {
        note.textContent = `${name} is in the clipboard.`;
        return;
      }
      const range = document.createRange(), selection = window.getSelection();
      range.selectNodeContents(code);
      selection.removeAllRanges();
      selection.addRange(range);
      note.textContent = `${name} is marked: press Ctrl+C (⌘C on a Mac). This browser lets no page without https copy by itself.`;
    };
    cell.append(code);
    last.append(button);
    row.append(head, cell, last);
    return row;
  }
  function draw() {
    el.hidden = !model.get("rows").length;
    note.textContent = "";
    table.replaceChildren(...model.get("rows").map(line));
  }
  model.on("change:rows", draw);
  draw();
  return () => model.off("change:rows", draw);
}
export default { render };
