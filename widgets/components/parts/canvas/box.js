/* The crop box: [left, top, right, bottom] in whole pixels of the picture. A ratio is width / height; 0 is any. */

/** Corners and sides that can be taken hold of, by what they move: -1 the left or upper edge, 1 the right or lower one, 0 neither. */
export const HANDLES = [[-1, -1], [0, -1], [1, -1], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0]];

/** Where a handle stands. */
export function handlePlace(box, [across, down]) {
  return [across < 0 ? box[0] : across > 0 ? box[2] : (box[0] + box[2]) / 2, down < 0 ? box[1] : down > 0 ? box[3] : (box[1] + box[3]) / 2];
}

/** What lies at a point: a handle, "inside", or null. Args: reach: how far from a handle counts, in pixels of the picture. */
export function grip(box, [x, y], reach) {
  if (!box.length) return null;
  const near = HANDLES.map((handle) => {
    const [hx, hy] = handlePlace(box, handle);
    return { handle, away: Math.hypot(x - hx, y - hy) };
  }).sort((one, other) => one.away - other.away)[0];
  const isInside = x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
  const reachable = Math.min(reach, isInside ? Math.max(1, Math.min(box[2] - box[0], box[3] - box[1]) / 3) : reach); // a small box can still be moved
  if (near.away <= reachable) return near.handle;
  const isBeside = x >= box[0] - reach && x <= box[2] + reach && y >= box[1] - reach && y <= box[3] + reach;
  if (isBeside && !isInside) { // along an edge
    return [x < box[0] ? -1 : x > box[2] ? 1 : 0, y < box[1] ? -1 : y > box[3] ? 1 : 0];
  }
  return isInside ? "inside" : null;
}

/** The box moved, and no further than the picture's edge. */
export function movedBox(box, right, down, size) {
  const dx = Math.max(-box[0], Math.min(size.width - box[2], Math.round(right)));
  const dy = Math.max(-box[1], Math.min(size.height - box[3], Math.round(down)));
  return [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy];
}

/**
 * The box with one corner or side drawn to a point; it keeps the ratio, stays inside the picture and is at least `least` pixels a side
 * (where the picture is). The opposite corner stays where it is; of a side, the middle of the other one.
 */
export function resizedBox(box, handle, [x, y], size, ratio, least) {
  const small = { width: Math.min(least, size.width), height: Math.min(least, size.height) };
  const across = axis(box[0], box[2], handle[0], x, size.width, small.width);
  const down = axis(box[1], box[3], handle[1], y, size.height, small.height);
  let width = across.length, height = down.length;
  if (ratio) {
    if (!handle[0]) width = height * ratio;
    else if (!handle[1]) height = width / ratio;
    else if (width / height > ratio) height = width / ratio; // the larger of both drags wins
    else width = height * ratio;
    const grown = Math.max(1, small.width / width, small.height / height);
    const shrunk = Math.min(1, across.room / (width * grown), down.room / (height * grown));
    width *= grown * shrunk;
    height *= grown * shrunk;
  }
  return whole([...across.span(width), ...down.span(height)], size);
}

/** One direction of a box: how long it becomes, how much room it has, and where it then lies. */
function axis(low, high, side, to, end, least) {
  const clamp = (value, from, until) => Math.max(from, Math.min(until, value));
  if (side < 0) {
    const start = clamp(to, 0, high - Math.min(least, high));
    return { length: high - start, room: high, span: (length) => [high - length, high] };
  }
  if (side > 0) {
    const stop = clamp(to, low + Math.min(least, end - low), end);
    return { length: stop - low, room: end - low, span: (length) => [low, low + length] };
  }
  const middle = (low + high) / 2;
  return { length: high - low, room: end, span: (length) => {
    const start = clamp(middle - length / 2, 0, end - length);
    return [start, start + length];
  } };
}

function whole([left, right, top, bottom], size) {
  const round = (value, end) => Math.max(0, Math.min(end, Math.round(value)));
  const [l, t] = [Math.min(round(left, size.width), size.width - 1), Math.min(round(top, size.height), size.height - 1)];
  return [l, t, Math.max(l + 1, round(right, size.width)), Math.max(t + 1, round(bottom, size.height))];
}

/** A new box between two points. */
export function drawnBox(first, second, size, ratio, least) {
  const start = inside(first, size), side = (from, to) => (to < from ? -1 : 1);
  const handle = [side(first[0], second[0]), side(first[1], second[1])];
  return resizedBox([start[0], start[1], start[0], start[1]], handle, inside(second, size), size, ratio, least);
}

/** The largest box of a ratio, in the middle of the picture; of any ratio: four fifths of it. */
export function largestBox(size, ratio) {
  const width = ratio ? Math.min(size.width, size.height * ratio) : size.width * 0.8;
  const height = ratio ? width / ratio : size.height * 0.8;
  return centred([size.width / 2, size.height / 2], width, height, size);
}

/** The box brought to another ratio: the same middle and area, as far as the picture reaches. */
export function reshapedBox(box, size, ratio) {
  if (!box.length || !ratio) return box;
  const area = (box[2] - box[0]) * (box[3] - box[1]);
  const width = Math.min(Math.sqrt(area * ratio), size.width, size.height * ratio);
  return centred([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], width, width / ratio, size);
}

function centred([x, y], width, height, size) {
  const left = Math.max(0, Math.min(size.width - width, x - width / 2)), top = Math.max(0, Math.min(size.height - height, y - height / 2));
  return whole([left, left + width, top, top + height], size);
}

/** The box after an arrow key: moved, or with `resize` its right or lower edge. Args: step: pixels of the picture. */
export function nudgedBox(box, key, step, resize, size, ratio, least) {
  const [right, down] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key] ?? [0, 0];
  if (!resize) return movedBox(box, right, down, size);
  return resizedBox(box, right ? [1, 0] : [0, 1], [box[2] + right, box[3] + down], size, ratio, least);
}

/** "1024 × 1536 at 100, 200" */
export function boxWords(box) {
  return box.length ? `${box[2] - box[0]} × ${box[3] - box[1]} at ${box[0]}, ${box[1]}` : "";
}
