function render({ model, el }) {
  el.classList.add("lb-page");
  el.dataset.testid = "page";
  const note = document.createElement("span");
  note.className = "lb-page-note";
  note.setAttribute("role", "status");
  const addresses = [];
  let tab = null;

  function button(act) {
    const made = document.createElement("button");
    made.type = "button";
    made.onclick = act;
    el.append(made);
    return made;
  }
  const open = button(() => {
    note.textContent = "";
    tab = window.open("", "_blank"); // now, as long as the click counts as the person's wish; the page comes a moment later
    if (tab) model.send({ want: "open" });
    else note.textContent = "The browser did not let a new tab open. Download it instead.";
  });
  const save = button(() => { note.textContent = ""; model.send({ want: "download" }); });
  el.append(note);

  function received(message, buffers) {
    if (!message || message.page === undefined) return;
    if (!message.there) {
      note.textContent = "The file is gone. Write it again.";
      if (message.page === "open") tab?.close();
      return;
    }
    const address = URL.createObjectURL(new Blob([buffers[0]], { type: "text/html" }));
    addresses.push(address);
    if (message.page === "open") { if (tab) tab.location.href = address; tab = null; return; }
    const link = document.createElement("a");
    link.href = address;
    link.download = model.get("name");
    link.click();
  }
  function draw() {
    el.hidden = !model.get("name");
    open.textContent = `Open the ${model.get("what")}`;
    save.textContent = `Download ${model.get("name")}`;
  }
  const names = ["name", "what"];
  for (const name of names) model.on(`change:${name}`, draw);
  model.on("msg:custom", received);
  draw();
  return () => {
    for (const name of names) model.off(`change:${name}`, draw);
    model.off("msg:custom", received);
    for (const address of addresses) URL.revokeObjectURL(address);
  };
}
export default { render };
