const MOST = 400;   // parts of one text that are compared; longer ones are shown whole, one under the other
const RUN = 8, EDGE = 3;

/** The parts of a text: its tags, or its words where it is written in sentences. */
export function parts(text) {
  if (!text) return [];
  const tags = text.split(/, */);
  const words = text.split(/\s+/).length;
  return words / tags.length > 5 ? text.split(/\s+/) : tags;
}

/** Whether both are shown as words (a space between them) or as tags (a comma). */
export function joint(before, after) {
  const text = after || before;
  return text.split(/\s+/).length / text.split(/, */).length > 5 ? " " : ", ";
}

/** What stays, goes and comes, in order: [["same" | "gone" | "new", part], …] (longest common subsequence). */
export function difference(before, after) {
  const a = parts(before), b = parts(after);
  if (a.length > MOST || b.length > MOST) return [...(before ? [["gone", before]] : []), ...(after ? [["new", after]] : [])];
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { found.push(["same", a[i]]); i++; j++; }
    else if (i < a.length && (j === b.length || table[i + 1][j] >= table[i][j + 1])) found.push(["gone", a[i++]]);
    else found.push(["new", b[j++]]);
  }
  return found;
}

/** Long stretches that stay are cut to their ends: ["cut", number] stands for what is left out. */
export function shortened(pieces) {
  const found = [];
  for (let i = 0; i < pieces.length;) {
    let end = i;
    while (end < pieces.length && pieces[end][0] === "same") end++;
    if (end - i > RUN) found.push(...pieces.slice(i, i + EDGE), ["cut", end - i - 2 * EDGE], ...pieces.slice(end - EDGE, end));
    else found.push(...pieces.slice(i, end));
    if (end === i) found.push(pieces[end++]);
    i = end;
  }
  return found;
}

/** Both texts in one: what goes is struck out, what comes is underlined. */
export function marked(before, after) {
  const text = document.createDocumentFragment(), between = joint(before, after);
  shortened(difference(before, after)).forEach(([kind, part], place) => {
    if (place) text.append(document.createTextNode(between));
    if (kind === "cut") text.append(make("span", "lb-diff-cut", `… ${part} more …`));
    else text.append(make({ gone: "del", new: "ins", same: "span" }[kind], "", part));
  });
  return text;
}
