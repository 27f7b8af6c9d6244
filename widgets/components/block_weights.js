/** The parts, each with its blocks in their order. */
export function byPart(parts, blocks) {
  return parts.map(([name, title], number) => ({ name, title, blocks: blocks.filter(([part]) => Number(part) === number) }));
}

/** The texts with one of them changed; an empty one is none. */
export function withText(values, name, text) {
  const { [name]: _, ...others } = values;
  return text.trim() ? { ...others, [name]: text.trim() } : others;
}

function render({ model, el }) {
  el.classList.add("lb-block-weights");
  el.dataset.testid = "block-weights";
  el.dataset.lmSuppressShortcuts = "true";

  function field(name, words, spoken, className) {
    const label = make("label", className, ""), input = make("input");
    input.type = "text";
    input.inputMode = "decimal";
    input.autocomplete = "off";
    input.dataset.name = name;
    input.setAttribute("aria-label", `${spoken}, ${model.get("of")}`);
    label.append(make("span", "", words), input);
    return label;
  }
  function draw() {
    el.hidden = !model.get("parts").length;
    el.replaceChildren(...byPart(model.get("parts"), model.get("blocks")).map(({ name, title, blocks }) => {
      const row = make("div", "lb-weights-part"), places = make("div", "lb-weights-blocks");
      places.append(...blocks.filter(([, block]) => block !== name)
        .map(([, block, place]) => field(block, place, `Weight of ${block}`, "lb-weights-block")));
      row.setAttribute("role", "group");
      row.setAttribute("aria-label", title);
      row.append(field(name, title, `Weight of all of ${title}`, "lb-weights-all"), places);
      return row;
    }));
    fill();
  }
  function fill() {
    const values = model.get("values");
    for (const row of el.querySelectorAll(".lb-weights-part")) {
      const whole = row.querySelector(".lb-weights-all input").dataset.name;
      for (const input of row.querySelectorAll("input")) {
        if (input !== document.activeElement || !values[input.dataset.name]) input.value = values[input.dataset.name] ?? "";
        input.placeholder = input.dataset.name === whole ? "1" : values[whole] ?? "1";
      }
    }
  }
  function changed(event) {
    model.set("values", withText(model.get("values"), event.target.dataset.name, event.target.value));
    model.save_changes();
  }
  function hold(event) {
    if (!event.ctrlKey && !event.metaKey && !event.altKey && !(event.shiftKey && event.key === "Enter")) event.stopPropagation();
    if (event.key === "Enter" && !event.shiftKey) event.target.blur?.();
  }
  el.addEventListener("change", changed);
  el.addEventListener("keydown", hold);
  for (const name of ["parts", "blocks", "of"]) model.on(`change:${name}`, draw);
  model.on("change:values", fill);
  draw();
  return () => {
    el.removeEventListener("change", changed);
    el.removeEventListener("keydown", hold);
    for (const name of ["parts", "blocks", "of"]) model.off(`change:${name}`, draw);
    model.off("change:values", fill);
  };
}
export default { render };
