/* A selection of rows as sorted, disjoint ranges [from, to): all of 100,000 rows are one pair of numbers. */

/** Whether a row is selected. */
export function isIn(ranges, row) {
  let low = 0, high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (row < ranges[middle][0]) high = middle - 1;
    else if (row >= ranges[middle][1]) low = middle + 1;
    else return true;
  }
  return false;
}

/** How many rows are selected. */
export function sizeOf(ranges) {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

/** With [from, to) selected too. */
export function withRange(ranges, from, to) {
  if (to <= from) return ranges;
  const result = [];
  let [low, high] = [from, to];
  for (const [a, b] of ranges) {
    if (b < low || a > high) result.push([a, b]);
    else [low, high] = [Math.min(a, low), Math.max(b, high)];
  }
  result.push([low, high]);
  return result.sort((one, other) => one[0] - other[0]);
}

/** Without [from, to). */
export function withoutRange(ranges, from, to) {
  return ranges.flatMap(([a, b]) => [[a, Math.min(b, from)], [Math.max(a, to), b]].filter(([low, high]) => low < high));
}

/** With a row turned on or off. */
export function toggled(ranges, row) {
  return isIn(ranges, row) ? withoutRange(ranges, row, row + 1) : withRange(ranges, row, row + 1);
}

/**
 * What a click or a move of the keyboard selects: plain selects one, shift from the anchor to it, ctrl turns it on or off.
 * Gives the ranges and the anchor from which the next shift reaches.
 */
export function selectBy(ranges, anchor, row, { shift = false, command = false } = {}) {
  if (shift) {
    const span = [Math.min(anchor, row), Math.max(anchor, row) + 1];
    return { ranges: command ? withRange(ranges, ...span) : [span], anchor };
  }
  return { ranges: command ? toggled(ranges, row) : [[row, row + 1]], anchor: row };
}
