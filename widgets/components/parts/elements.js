/** An element with its class and its words. */
export function make(tag, className = "", words = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = words;
  return element;
}

/** A button that does something when it is pressed. */
export function makeButton(words, act, testid = "", className = "") {
  const button = make("button", className, words);
  button.type = "button";
  if (testid) button.dataset.testid = testid;
  button.onclick = act;
  return button;
}

/** Calls `act` once, `wait` milliseconds after the last call; `cancel` forgets it, `now` does what is due at once. */
export function rested(act, wait) {
  let timer = null;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { timer = null; act(); }, wait);
  };
  later.cancel = () => { clearTimeout(timer); timer = null; };
  later.now = () => { if (timer !== null) { later.cancel(); act(); } };
  return later;
}
