/* Where the picture stands on the stage. A view: {x, y, scale}: the picture's point in the middle of the stage, and how many pixels of the
   page one pixel of the picture takes. Sizes and stages: {width, height}. */

const EDGE = 14;            // pixels of the page that stay free around a picture, so that its corners can be taken hold of
const MOST_ZOOM = 32;       // pixels of the screen for one of the picture
const STEP = 1.25;

/** The scale at which all of the picture is seen. */
export function fitScale(size, stage) {
  return Math.max(1e-4, Math.min((stage.width - 2 * EDGE) / size.width, (stage.height - 2 * EDGE) / size.height));
}

/** The view in which all of the picture is seen. */
export function fitted(size, stage) {
  return { x: size.width / 2, y: size.height / 2, scale: fitScale(size, stage) };
}

/** The same view with some of the picture in the middle of the stage; one that is seen as a whole stands in the middle itself. */
export function held(view, size, stage) {
  if (view.scale <= fitScale(size, stage) * 1.0001) return { ...fitted(size, stage), scale: view.scale };
  const [x, y] = inside([view.x, view.y], size);
  return { x, y, scale: view.scale };
}

/** Scales between which one may zoom. Args: ratio: pixels of the screen for one of the page. */
export function scales(size, stage, ratio) {
  const least = Math.min(fitScale(size, stage), 1 / ratio);
  return { least, most: Math.max(MOST_ZOOM / ratio, least) };
}

/** The view at another scale, in which the picture's point at (x, y) of the stage stays where it is. */
export function zoomed(view, size, stage, scale, x, y) {
  const point = toPicture(view, stage, x, y);
  return held({ x: point[0] - (x - stage.width / 2) / scale, y: point[1] - (y - stage.height / 2) / scale, scale }, size, stage);
}

/** The view moved by so many pixels of the page. */
export function panned(view, size, stage, right, down) {
  return held({ ...view, x: view.x - right / view.scale, y: view.y - down / view.scale }, size, stage);
}

/** The picture's point at (x, y) of the stage. */
export function toPicture(view, stage, x, y) {
  return [view.x + (x - stage.width / 2) / view.scale, view.y + (y - stage.height / 2) / view.scale];
}

/** Where a point of the picture stands on the stage. */
export function toStage(view, stage, [x, y]) {
  return [(x - view.x) * view.scale + stage.width / 2, (y - view.y) * view.scale + stage.height / 2];
}

/** The point, or the nearest one inside the picture. */
export function inside([x, y], size) {
  return [Math.max(0, Math.min(size.width, x)), Math.max(0, Math.min(size.height, y))];
}

/** The part of the picture that is seen, with a margin around it as a share of its sides: [left, top, right, bottom], whole pixels. */
export function seenBox(view, size, stage, margin = 0) {
  const [wide, tall] = [stage.width / view.scale, stage.height / view.scale];
  const [left, top] = inside([view.x - wide * (0.5 + margin), view.y - tall * (0.5 + margin)], size);
  const [right, bottom] = inside([view.x + wide * (0.5 + margin), view.y + tall * (0.5 + margin)], size);
  return [Math.floor(left), Math.floor(top), Math.ceil(right), Math.ceil(bottom)];
}

/** Whether one box lies within another. */
export function within(inner, outer) {
  return Boolean(outer?.length) && inner[0] >= outer[0] && inner[1] >= outer[1] && inner[2] <= outer[2] && inner[3] <= outer[3];
}

/** Whether what is seen needs more pixels than are there. Args: pixel: pixels of the screen for one of the picture; detail: of what is there. */
export function wantsMore(pixel, detail) {
  return detail < 0.99 && pixel > detail * 1.05;
}

/** A wish for a part of the picture, or {} where none is needed; the present one as long as it serves. */
export function wishFor(present, version, seen, around, pixel, detail) {
  if (!wantsMore(pixel, detail)) return {};
  const scale = Math.min(1, pixel);
  const serves = present.version === version && within(seen, present.box) && present.scale >= scale * 0.95;
  return serves ? present : { version, box: around, scale: Math.round(scale * 1000) / 1000 };
}

/** Where on an element of so many own pixels a place of the window lies, however the page scaled it. Args: rect: its box in the window. */
export function localPlace(rect, stage, clientX, clientY) {
  return [(clientX - rect.left) * stage.width / (rect.width || 1), (clientY - rect.top) * stage.height / (rect.height || 1)];
}

/** The stage's own size, in pixels of the page and of the screen (across, down). Args: entry: of a ResizeObserver. */
export function stageOf({ contentRect: { width, height }, devicePixelContentBoxSize: own }, ratio) {
  return { width, height, across: own?.[0].inlineSize ?? Math.round(width * ratio), down: own?.[0].blockSize ?? Math.round(height * ratio) };
}

/** What a turn of the wheel multiplies the scale by; one notch is about a step. */
export function wheelFactor(deltaY, deltaMode, isPinch) {
  const lines = deltaY * (deltaMode === 1 ? 33 : deltaMode === 2 ? 800 : 1);
  return Math.exp(-Math.max(-300, Math.min(300, lines)) * (isPinch ? 0.01 : 0.0022));
}

/** How many points a line needs: those that lie no further than `tolerance` from it are left out (Douglas and Peucker, 1973). */
export function simplified(points, tolerance) {
  if (points.length < 3) return points.slice();
  const keep = new Uint8Array(points.length), open = [[0, points.length - 1]];
  keep[0] = keep[points.length - 1] = 1;
  while (open.length) {
    const [first, last] = open.pop();
    let farthest = 0, most = tolerance * tolerance;
    for (let place = first + 1; place < last; place += 1) {
      const away = squaredDistance(points[place], points[first], points[last]);
      if (away > most) [farthest, most] = [place, away];
    }
    if (!farthest) continue;
    keep[farthest] = 1;
    open.push([first, farthest], [farthest, last]);
  }
  return points.filter((_, place) => keep[place]);
}

function squaredDistance([x, y], [ax, ay], [bx, by]) {
  const [wide, tall] = [bx - ax, by - ay], length = wide * wide + tall * tall;
  const share = length ? Math.max(0, Math.min(1, ((x - ax) * wide + (y - ay) * tall) / length)) : 0;
  return (x - ax - share * wide) ** 2 + (y - ay - share * tall) ** 2;
}

/** A point with at most two places behind the comma. */
export function shortened([x, y]) {
  return [Math.round(x * 100) / 100, Math.round(y * 100) / 100];
}

/** "100 %", with one place below ten. */
export function percent(zoom) {
  const value = 100 * zoom;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} %`;
}
