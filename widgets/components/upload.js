const SHOWN = 60;   // files in the list at once
const ORDER = ["sending", "failed", "left", "waiting", "dropped", "here", "already"];
const WORDS = { waiting: "waits", sending: "", here: "here", already: "was here already", failed: "was not taken", left: "was left out", dropped: "stopped" };

function registry(name) { return (globalThis.lorabook ??= {})[name] ??= new Map(); }

/** Numbers of a load: files and bytes that go, that are here, and that did not come. */
export function tally(entries) {
  const sum = { files: 0, bytes: 0, sent: 0, here: 0, already: 0, failed: 0, left: 0, open: 0 };
  for (const entry of entries) {
    if (entry.state === "left") { sum.left += 1; continue; }
    sum.files += 1;
    if (entry.state === "failed") { sum.failed += 1; continue; }
    if (entry.state === "dropped") continue;
    sum.bytes += entry.file.size;
    sum.sent += entry.sent;
    if (entry.state === "here" || entry.state === "already") sum[entry.state] += 1;
    else sum.open += 1;
  }
  return sum;
}

/** One line on how far it is. */
export function progressWords(sum, speed, paused) {
  const parts = [`${(sum.here + sum.already).toLocaleString("en")} of ${sum.files.toLocaleString("en")} ${sum.files === 1 ? "file" : "files"}`];
  if (sum.open) parts.push(`${bytes(sum.sent)} of ${bytes(sum.bytes)}`);
  if (sum.open && !paused && speed) parts.push(`${bytes(speed)}/s`, timeLeft((sum.bytes - sum.sent) / speed));
  if (paused && sum.open) parts.push("paused");
  if (sum.failed) parts.push(`${sum.failed} not taken`);
  if (sum.left) parts.push(`${sum.left} left out`);
  return parts.filter(Boolean).join(", ");
}

function initialize({ model }) {
  const wire = new Wire((message, buffers) => { model.send(message, undefined, buffers); });
  const station = { wire, views: new Set(), senders: [] };
  registry("stations").set(model.get("key"), station);
  const changed = () => { for (const draw of station.views) draw(); };
  station.load = () => {
    const home = model.get("home"), loads = registry("loads");
    if (!loads.has(home)) loads.set(home, emptyLoad(home));
    return loads.get(home);
  };
  function follow() {
    const load = station.load();
    if (model.get("home") && load.sender?.wire !== wire) {
      const sender = new Sender(load, wire, { most: model.get("most"), changed });
      station.senders.push(sender);
      sender.start();
    }
    changed();
  }
  function received(message, buffers) { wire.receive(message, buffers); }
  const timer = setInterval(() => { wire.look(); changed(); }, 1000);
  model.on("msg:custom", received);
  model.on("change:home", follow);
  follow();
  return () => {
    clearInterval(timer);
    model.off("msg:custom", received);
    model.off("change:home", follow);
    for (const sender of station.senders) sender.stop();
    registry("stations").delete(model.get("key"));
  };
}

function render({ model, el }) {
  const station = registry("stations").get(model.get("key"));
  el.classList.add("lb-upload");
  el.dataset.lmSuppressShortcuts = "true";
  const zone = make("div", "lb-upload-zone");
  zone.dataset.testid = "drop-zone";
  zone.setAttribute("role", "group");
  zone.setAttribute("aria-label", "Upload files");
  const files = dialog(false), folder = dialog(true);
  const chooseFiles = makeButton("Choose files", () => files.click(), "choose-files");
  const chooseFolder = makeButton("Choose a folder", () => folder.click(), "choose-folder");
  const choices = make("div", "lb-upload-choices");
  choices.append(chooseFiles, chooseFolder, files, folder);
  const target = make("p", "lb-upload-note");
  zone.append(make("p", "lb-upload-call", "Drop pictures, folders or archives here"), choices, target);

  const work = make("div", "lb-upload-work");
  const bar = make("progress");
  bar.setAttribute("aria-label", "Uploaded");
  const words = make("p", "lb-upload-words");
  words.dataset.testid = "upload-words";
  const trouble = make("p", "lb-upload-trouble");
  trouble.dataset.testid = "upload-trouble";
  trouble.setAttribute("role", "alert");
  const pause = makeButton("Pause", () => { const { sender, paused } = station.load(); if (paused) sender?.goOn(); else sender?.pause(); }, "pause");
  const stop = makeButton("Stop", () => station.load().sender?.cancel(), "stop");
  stop.title = "What is here stays; what is half here can be gone on with.";
  const buttons = make("div", "lb-upload-choices");
  buttons.append(pause, stop);
  const list = make("ul", "lb-upload-list");
  list.dataset.testid = "upload-files";
  list.setAttribute("aria-label", "Files");
  list.tabIndex = 0;
  work.append(bar, words, trouble, buttons, list);
  const rest = make("ul", "lb-upload-rest");
  rest.dataset.testid = "unfinished";
  el.append(zone, work, rest);

  function dialog(directory) {
    const input = make("input");
    input.type = "file";
    input.multiple = true;
    input.webkitdirectory = directory;
    input.hidden = true;
    input.dataset.testid = directory ? "folder-input" : "file-input";
    input.onchange = () => { take(chosen(input.files)); input.value = ""; };
    return input;
  }

  function take(found) {
    const entries = judged(found, model.get("kinds"));
    if (entries.length && !model.get("blocked")) station.load().sender?.add(entries);
    draw();
  }

  function row(entry) {
    const line = make("li", `lb-upload-file lb-upload-${entry.state}`);
    const name = make("span", "lb-upload-name", entry.path);
    const state = make("span", "lb-upload-state", WORDS[entry.state]);
    if (entry.state === "sending") state.textContent = `${Math.floor((100 * entry.sent) / entry.file.size)} %`;
    else if (entry.name && entry.name !== entry.path) state.textContent += ` as ${entry.name}`;
    line.append(name, make("span", "lb-upload-size", entry.file ? bytes(entry.file.size) : ""), state);
    if (entry.reason) line.append(make("span", "lb-upload-reason", entry.reason));
    return line;
  }

  let due = 0, last = 0;
  function draw() {
    if (due) return;
    due = setTimeout(() => { due = 0; last = performance.now(); drawNow(); }, Math.max(0, last + 200 - performance.now()));
  }
  function drawNow() {
    const load = station.load(), sum = tally(load.entries), blocked = model.get("blocked"), silent = station.wire.isSilent();
    const speed = load.sender?.speed.now(performance.now()) ?? 0;
    target.textContent = blocked || model.get("target");
    chooseFiles.disabled = chooseFolder.disabled = Boolean(blocked);
    zone.classList.toggle("lb-upload-off", Boolean(blocked));
    work.hidden = !load.entries.length;
    bar.hidden = !sum.open;
    bar.max = Math.max(1, sum.bytes);
    bar.value = sum.sent;
    words.textContent = progressWords(sum, silent ? 0 : speed, load.paused);
    trouble.textContent = load.trouble || (silent ? "No answer from the kernel: it is busy, or the connection is lost. It goes on by itself. "
      + "If the kernel was restarted, run this cell again and leave the page open." : "");
    trouble.hidden = !trouble.textContent;
    pause.textContent = load.paused ? "Go on" : "Pause";
    buttons.hidden = !sum.open;
    const sorted = [...load.entries].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    const rows = sorted.slice(0, SHOWN).map(row);
    if (sorted.length > SHOWN) rows.push(make("li", "lb-upload-more", `and ${(sorted.length - SHOWN).toLocaleString("en")} more`));
    list.replaceChildren(...rows);
    const open = new Set(load.entries.filter((entry) => ["waiting", "sending"].includes(entry.state)).map((entry) => `${entry.path}/${entry.file.size}`));
    rest.replaceChildren(...model.get("unfinished").filter((part) => !open.has(`${part.path}/${part.size}`)).map(partRow));
    rest.hidden = !rest.children.length;
  }

  function partRow(part) {
    const line = make("li", "lb-upload-part");
    line.append(make("span", "", `${part.path}: ${bytes(part.have)} of ${bytes(part.size)} are here. Drop it again, and it goes on from there.`));
    const forget = makeButton("Throw away", () => model.send({ kind: "forget", home: model.get("home"), place: part.place }));
    forget.setAttribute("aria-label", `Throw away what is here of ${part.path}`);
    line.append(forget);
    return line;
  }

  let depth = 0;
  function over(event) {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = model.get("blocked") ? "none" : "copy";
    if (event.type === "dragenter") depth += 1;
    zone.classList.toggle("lb-upload-over", !model.get("blocked"));
  }
  function left() { depth = Math.max(0, depth - 1); if (!depth) zone.classList.remove("lb-upload-over"); }
  function fell(event) {
    event.preventDefault();
    event.stopPropagation();
    depth = 0;
    zone.classList.remove("lb-upload-over");
    dropped(event.dataTransfer).then(take, (problem) => { station.load().trouble = `The drop cannot be read: ${problem.message}`; draw(); });
  }
  function hold(event) { event.stopPropagation(); }
  function beside(event) {   // a file that falls beside the panel would be opened in the notebook's place
    if (event.defaultPrevented || !el.isConnected || ![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none";
  }
  const heard = [["dragenter", over], ["dragover", over], ["dragleave", left], ["drop", fell], ["keydown", hold]];
  for (const [name, act] of heard) el.addEventListener(name, act);
  for (const name of ["dragover", "drop"]) window.addEventListener(name, beside);
  const names = ["blocked", "target", "kinds", "unfinished", "home"];
  for (const name of names) model.on(`change:${name}`, draw);
  station.views.add(draw);
  drawNow();
  return () => {
    clearTimeout(due);
    station.views.delete(draw);
    for (const [name, act] of heard) el.removeEventListener(name, act);
    for (const name of ["dragover", "drop"]) window.removeEventListener(name, beside);
    for (const name of names) model.off(`change:${name}`, draw);
  };
}
export default { initialize, render };
