/** Why a file is not sent at all; empty when it is. `kinds`: {endings, tables, junk, videos} in small letters. */
export function unfit(path, size, kinds) {
  const parts = path.toLowerCase().split("/"), name = parts[parts.length - 1];
  const ending = name.lastIndexOf(".") > 0 ? name.slice(name.lastIndexOf(".")) : "";
  if (parts.some((part) => part.startsWith(".") || kinds.junk.includes(part))) return "hidden";
  if (kinds.videos.includes(ending)) return "It is a video, not an image.";
  if (!kinds.endings.includes(ending) && !kinds.tables.includes(name)) return "It is neither a picture, nor a caption, nor an archive.";
  return size === 0 ? "It is empty." : "";
}

/** Captions go last, so that a picture has its name before its caption asks for it. */
export function isCaption(path) { return /\.(txt|caption|json)$/i.test(path); }

/** Files with the reason why they are left out: [{file, path, state, reason}]; hidden ones are passed over. */
export function judged(found, kinds) {
  return found.map((one) => ({ ...one, fault: unfit(one.path, one.file?.size ?? 1, kinds) })).filter((one) => one.fault !== "hidden")
    .map(({ fault, ...one }) => ({ ...one, reason: one.reason ?? fault })).map((one) => (one.reason ? { ...one, state: "left" } : one));
}

/** All files of a drop, folders looked through: [{file, path}], or [{path, reason}] for what cannot be read. Must be called while the drop event lasts. */
export function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return Promise.all(entries.filter(Boolean).map((entry) => (entry instanceof File ? [{ file: entry, path: entry.name }] : within(entry))))
    .then((found) => found.flat());
}

async function within(entry) {
  const path = entry.fullPath.replace(/^\//, ""), found = [];
  try {
    if (entry.isFile) return [{ file: await new Promise((got, failed) => { entry.file(got, failed); }), path }];
    const reader = entry.createReader();
    for (;;) { // a hundred at a time
      const part = await new Promise((got, failed) => { reader.readEntries(got, failed); });
      if (!part.length) return found;
      for (const inner of part) found.push(...await within(inner));
    }
  } catch (problem) { // gone, locked, or a name that the browser cannot open: the rest is taken
    return [...found, { path, reason: `It cannot be read (${(problem.message || problem.name).replace(/\.$/, "")}).` }];
  }
}

/** What was chosen in a dialog: [{file, path}]. */
export function chosen(files) { return [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name })); }

/** "1.4 GB" */
export function bytes(count) {
  if (count === 1) return "1 byte";
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let value = count, unit = 0;
  while (value >= 1000 && unit < units.length - 1) { value /= 1000; unit += 1; }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** "about 3 min left"; empty while it is not known. */
export function timeLeft(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds))} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min left`;
}

/** Bytes a second of the last five seconds. */
export class Speed {
  constructor() { this.marks = []; }
  note(count, now) { this.marks.push([now, count]); this.forget(now); }
  forget(now) { while (this.marks.length > 2 && now - this.marks[0][0] > 5000) this.marks.shift(); }
  now(now) {
    this.forget(now);
    if (!this.marks.length) return 0;
    const seconds = (now - this.marks[0][0]) / 1000;
    return seconds > 0.3 ? this.marks.slice(1).reduce((sum, mark) => sum + mark[1], 0) / seconds : 0;
  }
}
