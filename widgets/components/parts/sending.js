const WINDOW = 4;           // messages under way at once: more would only lie in memories
const LANES = 3;            // files, or bundles of small files, at once
const SMALL = 1024 * 1024;  // up to here a file goes in a bundle
const BUNDLE = 200;         // files in one
const STUCK = 5;            // tries without a byte more
const PATIENCE = 4;         // the longest rest, in usual ones, before a file that cannot be read is read for the last time
const QUIET = 8000;         // milliseconds without an answer until it is asked what is the matter

export class Lost extends Error {}      // no answer: a message or its answer went down
export class Again extends Error {}     // a piece was lost or came out different
export class Busy extends Error {}      // another window has the file
export class Halt extends Error {}      // nothing more can be taken: a full disk
export class Refused extends Error {}   // this file is not taken
class Dropped extends Error {}          // the person stopped it

/** The next piece's size: as large as keeps the answers coming within a second or so, whole blocks, at most `most`. */
export function nextPiece(size, seconds, most) {
  if (seconds < 0.7) return Math.min(most, size * 2);
  if (seconds > 4) return Math.max(BLOCK, Math.floor(size / 2 / BLOCK) * BLOCK);
  return size;
}

/** How many blocks are the same, from the first. */
export function sameBlocks(own, theirs) {
  let block = 0;
  while (32 * (block + 1) <= Math.min(own.length, theirs.length)) {
    for (let at = 32 * block; at < 32 * (block + 1); at += 1) if (own[at] !== theirs[at]) return block;
    block += 1;
  }
  return block;
}

/** Questions and answers over one comm, at most WINDOW at once; finds out which were lost. */
export class Wire {
  constructor(send, now = () => performance.now()) {
    this.send = send;
    this.now = now;
    this.client = Array.from({ length: 4 }, () => Math.random().toString(36).slice(2, 8)).join("");
    this.serial = 0;
    this.waiting = new Map();
    this.taken = 0;
    this.queue = [];
    this.heard = now();
    this.asked = 0;
  }

  /** Wait for a place among those that are under way. */
  slot() {
    if (this.taken < WINDOW) { this.taken += 1; return Promise.resolve(); }
    return new Promise((go) => { this.queue.push(go); });
  }

  /** Send in a place that `slot` gave. Returns: the answer. */
  post(message, buffers = []) {
    return new Promise((resolve, reject) => { this.dispatch(message, buffers, resolve, reject, true); });
  }

  async call(message, buffers = []) { await this.slot(); return this.post(message, buffers); }

  dispatch(message, buffers, resolve, reject, counted) {
    const serial = this.serial += 1;
    if (!this.waiting.size) this.heard = this.now();
    this.waiting.set(serial, { resolve, reject, counted, hello: message.kind === "hello" });
    try {
      this.send({ ...message, serial, client: this.client }, buffers);
    } catch {
      this.settle(serial)?.reject(new Lost("The kernel is gone."));
    }
  }

  settle(serial) {
    const call = this.waiting.get(serial);
    this.waiting.delete(serial);
    if (call?.counted) {
      const next = this.queue.shift();
      if (next) next(); else this.taken -= 1;
    }
    return call;
  }

  receive(message, buffers) {
    if (message?.client !== this.client) return;
    this.heard = this.now();
    const call = this.settle(message.serial);
    if (!call) return;
    if (call.hello) this.forget(message.serial);
    if (message.trouble === undefined) call.resolve({ ...message, buffers });
    else call.reject(new ({ again: Again, busy: Busy, all: Halt }[message.scope] ?? Refused)(message.trouble));
  }

  /** All questions before that one are lost: the kernel answers in their order. */
  forget(serial) {
    for (const earlier of [...this.waiting.keys()]) if (earlier < serial) this.settle(earlier).reject(new Lost("The connection was lost."));
  }

  /** Whether an answer is overdue. */
  isSilent() { return this.waiting.size > 0 && this.now() - this.heard > QUIET; }

  /** Called every second: asks the kernel for a word when it is silent. */
  look() {
    if (!this.isSilent() || this.now() - this.asked < QUIET) return;
    this.asked = this.now();
    this.dispatch({ kind: "hello" }, [], () => {}, () => {}, false);
  }
}

/** What is to be uploaded into one project; it outlives the kernel, for the browser keeps the files that were dropped. */
export function emptyLoad(home) { return { home, upload: "", entries: [], paused: false, trouble: "", ended: true, sender: null }; }

/** Sends the files of a load. `options`: {most: largest piece, changed: called after each step, wait: milliseconds before another try}. */
export class Sender {
  constructor(load, wire, options) {
    Object.assign(this, { load, wire, ...options });
    this.wait ??= 2000;
    this.piece = Math.min(SMALL, this.most);
    this.speed = new Speed();
    this.jobs = new Set();
    this.wakers = [];
    this.stopped = this.running = this.cancelled = this.inVain = false;
    load.sender?.stop();
    load.sender = this;
    for (const entry of load.entries) if (entry.state === "sending") Object.assign(entry, { state: "waiting", sent: 0 });
  }

  /** More files: [{file, path, state, reason}]. */
  add(entries) {
    if (!this.running && this.load.ended) this.load.entries = [];
    const known = new Set(this.load.entries.filter((entry) => entry.state === "waiting" || entry.state === "sending").map(sameFile));
    for (const entry of entries) {
      if (known.has(sameFile(entry))) continue;
      known.add(sameFile(entry));
      this.load.entries.push({ sent: 0, tries: 0, name: "", reason: "", state: "waiting", ...entry });
    }
    this.load.ended = false;
    this.start();
  }

  start() {
    if (this.running || this.stopped || this.load.ended) { this.changed(); return; }
    this.running = true;
    this.run().catch((problem) => { this.load.trouble = String(problem); }).finally(() => { this.running = false; this.changed(); });
  }

  pause() { this.load.paused = true; this.tell("pause"); this.changed(); }
  goOn() {
    Object.assign(this.load, { paused: false, trouble: "" });
    this.tell("go");
    this.wake();
    this.start();
    this.changed();
  }
  /** The person wants no more of it; what is here stays. */
  cancel() {
    this.cancelled = true;
    for (const entry of this.load.entries) if (entry.state === "waiting") Object.assign(entry, { state: "dropped", reason: "You stopped it." });
    this.goOn();
  }
  /** Another sender takes over. */
  stop() { this.stopped = true; this.wake(); }

  wake() { this.wakers.splice(0).forEach((go) => go()); }
  tell(kind) { this.ask({ kind }).catch(() => {}); }
  ask(message, buffers) { return this.wire.call({ home: this.load.home, upload: this.load.upload, ...message }, buffers); }
  async gate() {
    while (this.load.paused && !this.stopped) await new Promise((go) => { this.wakers.push(go); });
    if (this.stopped) throw new Lost("Another window took over.");
  }
  rest(times = 1) { return new Promise((go) => { setTimeout(go, times * this.wait); this.wakers.push(go); }); }

  async run() {
    while (!this.stopped) {
      try {
        await this.gate();
        if (!this.load.upload) this.load.upload = (await this.ask({ kind: "begin", ...this.totals() })).upload;
        const work = this.jobs.size < LANES ? this.next() : null;
        if (work) {
          const job = (Array.isArray(work) ? this.sendBundle(work) : this.sendLarge(work)).finally(() => { this.jobs.delete(job); this.changed(); });
          this.jobs.add(job);
        } else if (this.jobs.size) await Promise.race(this.jobs);
        else if (this.load.entries.some((entry) => entry.state === "waiting")) await this.rest();
        else {
          await this.ask({ kind: "end", stopped: this.cancelled, ...this.totals() });
          if (this.load.entries.some((entry) => entry.state === "waiting")) continue;
          Object.assign(this.load, { upload: "", ended: true });
          this.cancelled = false;
          return;
        }
      } catch (problem) {
        if (problem instanceof Halt) this.halt(problem);
        else if (problem instanceof Refused) { this.halt(problem); this.load.upload = ""; }
        else if (!this.stopped) await this.rest();
      }
    }
  }

  totals() {
    const all = this.load.entries.filter((entry) => entry.state !== "left");
    return { files: all.length, bytes: all.reduce((sum, entry) => sum + entry.file.size, 0) };
  }

  /** The next large file, or a bundle of small ones, never two of one path at once; null while there is nothing to begin with now. */
  next() {
    const busy = new Set(this.load.entries.filter((entry) => entry.state === "sending").map((entry) => entry.path));
    const waiting = this.load.entries.filter((entry) => entry.state === "waiting" && !busy.has(entry.path) && busy.add(entry.path));
    const pictures = waiting.filter((entry) => !isCaption(entry.path));
    if (!pictures.length && this.jobs.size && !this.captions) return null;
    this.captions = !pictures.length;
    const line = pictures.length ? pictures : waiting, bundle = [], limit = Math.min(SMALL, this.most);
    let size = 0;
    for (const entry of line) {
      if (entry.file.size > limit) { if (!bundle.length) { entry.state = "sending"; return entry; } continue; }
      if (bundle.length === BUNDLE || (bundle.length && size + entry.file.size > this.piece)) break;
      bundle.push(entry);
      size += entry.file.size;
    }
    for (const entry of bundle) entry.state = "sending";
    return bundle.length ? bundle : null;
  }

  async sendBundle(entries) {
    const read = await Promise.all(entries.map(async (entry) => {
      try {
        const data = new Uint8Array(await this.read(entry.file));
        return { entry, data, digests: await blockDigests(data.buffer) };
      } catch (problem) { this.unreadable(entry, problem); return null; }
    }));
    const ready = read.filter(Boolean), begun = performance.now();
    if (!ready.length) return;
    try {
      const files = ready.map(({ entry, data }) => ({ path: entry.path, size: data.length }));
      const answer = await this.ask({ kind: "small", files }, [joined(ready.map((one) => one.data)), joined(ready.map((one) => one.digests))]);
      this.adapt(performance.now() - begun, ready.reduce((sum, { data }) => sum + data.length, 0));
      ready.forEach(({ entry }, place) => this.settle(entry, answer.files[place]));
    } catch (problem) {
      for (const { entry } of ready) this.later(entry, problem);
    }
  }

  async sendLarge(entry) {
    let best = 0;
    for (;;) {
      try {
        await this.gate();
        await this.sendOnce(entry);
        return;
      } catch (problem) {
        if (problem instanceof Again || problem instanceof Busy || (problem instanceof Lost && !this.stopped)) {
          if (entry.sent > best) { best = entry.sent; entry.tries = 0; }
          if (problem instanceof Lost) this.piece = Math.max(BLOCK, Math.floor(this.piece / 2 / BLOCK) * BLOCK);
          entry.tries += 1;
          if (entry.tries <= STUCK) { if (!(problem instanceof Again)) await this.rest(); continue; }
        }
        this.later(entry, problem);
        return;
      }
    }
  }

  async sendOnce(entry) {
    const file = entry.file, about = { path: entry.path, size: file.size };
    const standing = await this.ask({ kind: "open", ...about });
    let digests = new Uint8Array(32 * Math.ceil(file.size / BLOCK)), from = 0;
    if (standing.have) {
      const theirs = asBytes(standing.buffers[0]);
      from = await this.compare(file, standing.have, theirs, digests);
    }
    const answer = await this.ask({ kind: "from", ...about, blocks: from });
    if (answer.state) { this.settle(entry, answer); return; }
    entry.sent = answer.have;
    await this.stream(entry, answer.have, digests);
    this.settle(entry, await this.ask({ kind: "finish", path: entry.path, root: await rootOf(digests) }));
  }

  /** How many of the kernel's blocks the file has too; their digests are kept. */
  async compare(file, have, theirs, digests) {
    for (let at = 0; at < have; at += 16 * BLOCK) {
      const data = await this.slice(file, at, Math.min(file.size, have, at + 16 * BLOCK));
      const own = await blockDigests(data), place = (at / BLOCK) * 32;
      const same = sameBlocks(own, theirs.subarray(place));
      digests.set(own.subarray(0, 32 * same), place);
      if (32 * same < own.length) return at / BLOCK + same;
    }
    return Math.ceil(have / BLOCK);
  }

  async stream(entry, from, digests) {
    const flying = new Set();
    let at = from, failed = null;
    while (at < entry.file.size && !failed) {
      await this.gate();
      if (this.cancelled) { failed = new Dropped("You stopped it."); break; }
      const data = await this.slice(entry.file, at, Math.min(entry.file.size, at + this.piece));
      const own = await blockDigests(data), offset = at, begun = performance.now();
      digests.set(own, (at / BLOCK) * 32);
      await this.wire.slot();
      const call = this.wire.post({ kind: "piece", home: this.load.home, upload: this.load.upload, path: entry.path, offset }, [data, own])
        .then((answer) => {
          entry.sent = answer.have;
          this.speed.note(data.byteLength, performance.now());
          this.adapt(performance.now() - begun, data.byteLength);
          this.changed();
        }, (problem) => { failed ??= problem; })
        .finally(() => { flying.delete(call); });
      flying.add(call);
      at += data.byteLength;
    }
    await Promise.all(flying);
    if (failed) throw failed;
  }

  async slice(file, from, to) {
    try { return await this.read(file.slice(from, to)); } catch (problem) { throw new Refused(readable(problem)); }
  }
  /** Again after a while, and after a longer one: a virus scanner or a drive that falls asleep holds a file for a moment. A drive that is
   *  gone holds all of them for good: once that was in vain, each is read only once, until one can be read again. */
  async read(blob) {
    for (let turn = 1; ; turn *= 2) {
      try { return await this.readOnce(blob); } catch (problem) {
        if (problem.name !== "NotReadableError" || this.inVain || this.stopped) throw problem;
        if (turn > PATIENCE) { this.inVain = true; throw problem; }
      }
      await this.rest(turn);
    }
  }
  async readOnce(blob) {
    const data = await blob.arrayBuffer();
    this.inVain = false;
    return data;
  }
  adapt(milliseconds, size) { if (2 * size >= this.piece) this.piece = nextPiece(this.piece, milliseconds / 1000, this.most); }

  settle(entry, outcome) {
    if (outcome.state === "again") { this.later(entry, new Again("It came out different on the way.")); return; }
    if (outcome.state === "here" && entry.sent < entry.file.size) this.speed.note(entry.file.size - entry.sent, performance.now());
    const state = outcome.state === "refused" ? "failed" : outcome.state;
    Object.assign(entry, { state, name: outcome.name ?? "", reason: outcome.reason ?? "", sent: state === "failed" ? 0 : entry.file.size });
    this.changed();
  }

  /** It did not go: once more later, or not at all. */
  later(entry, problem) {
    if (problem instanceof Halt) { entry.state = "waiting"; this.halt(problem); return; }
    if (problem instanceof Dropped) { Object.assign(entry, { state: "dropped", reason: problem.message }); return; }
    entry.tries += 1;
    if (problem instanceof Lost || (problem instanceof Again && entry.tries <= STUCK)) entry.state = "waiting";
    else Object.assign(entry, { state: "failed", reason: problem.message, sent: 0 });
    this.changed();
  }
  unreadable(entry, problem) { Object.assign(entry, { state: "failed", reason: readable(problem) }); }
  halt(problem) { Object.assign(this.load, { paused: true, trouble: problem.message }); this.changed(); }
}

/** Equal for one file that was dropped twice; another version of it has another size or date. */
function sameFile({ path, file }) { return JSON.stringify([path, file?.size, file?.lastModified]); }

function readable(problem) { return `Your browser cannot read it (any more): it was changed, moved or removed. Drop it again. (${problem.name})`; }

function asBytes(buffer) { return buffer instanceof DataView ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength) : new Uint8Array(buffer); }

/** Several Uint8Arrays as one ArrayBuffer. */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole.buffer;
}
