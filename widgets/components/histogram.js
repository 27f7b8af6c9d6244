const REST = 70;       // ms between two places of the cut that are told
const STEPS = 1000;

/** Heights of bars, 0 to 1; a bar with anything in it is never invisible. */
export function heights(counts) {
  const most = Math.max(1, ...counts);
  return counts.map((count) => (count ? Math.max(0.03, count / most) : 0));
}

/** Whether the middle of bar `place` of `count` lies beyond the cut. */
export function beyond(place, count, cut, bad) {
  const middle = (place + 0.5) / count;
  return bad === "low" ? middle < cut : middle > cut;
}

function render({ model, el }) {
  el.classList.add("lb-histogram");
  el.dataset.testid = "histogram";
  const title = make("div", "lb-histogram-title");
  const bars = make("div", "lb-histogram-bars");
  bars.setAttribute("aria-hidden", "true");
  const slider = make("input");
  slider.type = "range";
  slider.min = "0";
  slider.max = String(STEPS);
  const ends = make("div", "lb-histogram-ends");
  const low = make("span"), high = make("span");
  ends.append(low, high);
  const words = make("p", "lb-histogram-words");
  words.setAttribute("aria-live", "polite");
  el.append(title, bars, slider, ends, words);
  let timer = 0, told = 0, turn = 0, dragging = false;   // turn: the last place of the cut that was told

  function mark() {
    const counts = model.get("counts"), cut = Number(slider.value) / STEPS, bad = model.get("bad");
    [...bars.children].forEach((bar, place) => bar.classList.toggle("lb-beyond", beyond(place, counts.length, cut, bad)));
    el.style.setProperty("--lb-cut", `${100 * cut}%`);
  }
  function draw() {
    const counts = model.get("counts");
    const tall = heights(counts);
    bars.replaceChildren(...tall.map((height) => {
      const bar = make("span");
      bar.style.height = `${100 * height}%`;
      return bar;
    }));
    title.textContent = model.get("title");
    slider.setAttribute("aria-label", `Cut of ${model.get("title")}`);
    low.textContent = model.get("low");
    high.textContent = model.get("high");
    el.hidden = !counts.length;
    place();
  }
  function place() {
    const owed = timer || model.get("answered") < turn;   // a late answer to an earlier place must not pull the slider back
    if (!dragging && !owed) slider.value = String(Math.round(model.get("cut") * STEPS));
    words.textContent = model.get("words");
    slider.setAttribute("aria-valuetext", model.get("words"));
    mark();
  }
  function tell() {
    timer = 0;
    told = Date.now();
    turn = Math.max(turn, model.get("answered")) + 1;
    model.send({ cut: Number(slider.value) / STEPS, turn });
  }
  function moved() {
    dragging = true;
    mark();
    clearTimeout(timer);
    timer = setTimeout(tell, Math.max(0, REST - (Date.now() - told)));
  }
  function released() {
    dragging = false;
  }
  const hold = (event) => event.stopPropagation();
  slider.addEventListener("input", moved);
  slider.addEventListener("change", released);
  slider.addEventListener("keydown", hold);
  el.dataset.lmSuppressShortcuts = "true";
  const whole = ["counts", "bad", "title", "low", "high"], part = ["answered", "cut", "words"];
  for (const name of whole) model.on(`change:${name}`, draw);
  for (const name of part) model.on(`change:${name}`, place);
  draw();
  return () => {
    clearTimeout(timer);
    slider.removeEventListener("input", moved);
    slider.removeEventListener("change", released);
    slider.removeEventListener("keydown", hold);
    for (const name of whole) model.off(`change:${name}`, draw);
    for (const name of part) model.off(`change:${name}`, place);
  };
}
export default { render };
