/* What was typed and is not on the disk yet, in the tab's own storage: it outlives the kernel and a reload of the page. */

const DRAFTS = "lorabook-unsaved-captions";
const MOST_DRAFTS = 30;

/** The tab's storage; null where a page may have none (a sandboxed output). */
function tabStorage() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}

/** Drafts { home, id, name, text } in a storage, the newest first; without one, or where it is full, nothing is kept and nothing breaks. */
export function createDrafts(storage) {
  function read() {
    try {
      const found = JSON.parse(storage?.getItem(DRAFTS) ?? "[]");
      return Array.isArray(found) ? found.filter((one) => one && typeof one.text === "string" && typeof one.id === "string") : [];
    } catch {
      return [];
    }
  }
  function write(drafts) {
    try {
      if (drafts.length) storage?.setItem(DRAFTS, JSON.stringify(drafts.slice(0, MOST_DRAFTS)));
      else storage?.removeItem(DRAFTS);
    } catch {
      // the storage is full or shut; the text is still in the box
    }
  }
  const without = (home, id) => read().filter((one) => one.home !== home || one.id !== id);
  return {
    of: (home) => read().filter((one) => one.home === home),
    keep(draft) { write([draft, ...without(draft.home, draft.id)]); },
    drop(home, id) {
      const left = without(home, id);
      if (left.length !== read().length) write(left);
    },
  };
}
