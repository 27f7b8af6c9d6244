function render({ model, el }) {
  el.classList.add("lb-log");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  pre.dataset.testid = "log";
  details.append(summary, pre);
  el.append(details);

  function draw() {
    const text = model.get("text");
    const atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24;
    el.classList.toggle("lb-log-empty", !text);
    const count = text ? text.split("\n").length : 0;
    summary.textContent = `${model.get("title")} (${count} ${count === 1 ? "line" : "lines"})`;
    pre.setAttribute("aria-label", model.get("title"));
    pre.textContent = text;
    details.open = model.get("opened");
    if (atEnd) pre.scrollTop = pre.scrollHeight;
  }
  function toggled() {
    if (details.open === model.get("opened")) return;
    model.set("opened", details.open);
    model.save_changes();
    pre.scrollTop = pre.scrollHeight;
  }
  details.addEventListener("toggle", toggled);
  const names = ["text", "title", "opened"];
  for (const name of names) model.on(`change:${name}`, draw);
  draw();
  return () => {
    details.removeEventListener("toggle", toggled);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { render };
