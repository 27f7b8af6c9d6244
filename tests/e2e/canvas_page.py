"""The canvas component alone on a page, without JupyterLab: a pretended model whose traits and messages a test reads and sets."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image, ImageDraw

from widgets.components.assembling import module_text
from widgets.components.canvas import HERE, Canvas

SIZE = (4000, 6000)
PAGE = """async ([text, css, state]) => {
  const { default: component } = await import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  const decode = (words) => Uint8Array.from(atob(words), (one) => one.charCodeAt(0));
  document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const heard = {};
  const told = window.told = [];           // every deed, once
  const change = window.change = (values) => {
    Object.assign(state, values);
    for (const name of Object.keys(values)) (heard[`change:${name}`] ?? []).forEach((act) => act());
  };
  window.traits = state;
  window.answers = true;                   // whether deeds are heard
  const model = {
    get: (name) => state[name],
    set: (name, value) => { if (JSON.stringify(state[name]) !== JSON.stringify(value)) change({ [name]: value }); },
    save_changes: () => {},
    on: (name, act) => (heard[name] ??= []).push(act),
    off: (name, act) => { heard[name] = (heard[name] ?? []).filter((one) => one !== act); },
    send: ({ viewer, deeds }) => { if (window.answers) setTimeout(() => {
      const fresh = deeds.filter(([serial]) => serial > (state.heard[viewer] ?? 0));
      if (!fresh.length) return;
      told.push(...fresh.map(([, deed]) => deed));
      const drawn = [...state.drawn, ...fresh.map(([, deed]) => deed).filter((deed) => deed.op)];
      change({ heard: { ...state.heard, [viewer]: fresh.at(-1)[0] }, drawn });
    }); },
  };
  window.show = (picture, more) => change({ shown: { sheet: state.shown.sheet + 1, version: state.shown.version + 1,
    picture: decode(picture), ...more } });
  window.leave = component.render({ el: document.querySelector("#place"), model });
  window.again = (el) => component.render({ el, model });
}"""
INK = """([x, y]) => { const canvas = document.querySelector(".lb-canvas-mask"), box = canvas.getBoundingClientRect();
  const [right, down] = [canvas.width / box.width, canvas.height / box.height];
  return [...canvas.getContext("2d").getImageData(Math.round((x - box.left) * right), Math.round((y - box.top) * down), 1, 1).data]; }"""
"""The pixel of the mask at a place of the window."""
BODY = "<div id='place'></div>"


def picture(size: tuple[int, int] = SIZE, longest: int = 2048, colour: str = "#7c8a94") -> bytes:
    """A preview with lines every 500 pixels of the true picture, so that a screenshot tells whether marks stand where they belong."""
    scale = min(1.0, longest / max(size))
    image = Image.new("RGB", (round(size[0] * scale), round(size[1] * scale)), colour)
    draw = ImageDraw.Draw(image)
    for x in range(0, size[0], 500):
        draw.line([(x * scale, 0), (x * scale, image.height)], fill="#d5d5d5" if x % 1000 else "#ffffff", width=2)
    for y in range(0, size[1], 500):
        draw.line([(0, y * scale), (image.width, y * scale)], fill="#d5d5d5" if y % 1000 else "#ffffff", width=2)
    draw.ellipse([image.width * 0.3, image.height * 0.3, image.width * 0.7, image.height * 0.6], fill="#b0563c")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def open_canvas(page: Any, body: str = BODY, size: tuple[int, int] = SIZE, data: bytes | None = None, **traits: Any) -> None:
    """Put a canvas with a picture on a page and wait until it is drawn. Args: body: HTML with an element #place."""
    page.set_content(f"<body style='margin: 8px; background: #fff'>{body}</body>")
    canvas = Canvas(lambda deed: None)
    state = {name: value for name, value in canvas.get_state().items() if not name.startswith("_")} | traits
    page.evaluate(PAGE, [module_text("canvas"), (HERE / "canvas.css").read_text(encoding="utf-8"), state])
    page.evaluate("([picture, more]) => show(picture, more)", [base64.b64encode(data or picture(size)).decode(),
                                                              {"width": size[0], "height": size[1], "caption": "grid.png, 4000 × 6000"}])
    page.wait_for_function("() => document.querySelector('[data-testid=zoom-level]').textContent")
    rest(page)


def rest(page: Any) -> None:
    """Until what was done is told and drawn."""
    page.wait_for_timeout(400)


def told(page: Any) -> list[dict[str, Any]]:
    """The deeds that the browser told so far."""
    return page.evaluate("() => told")


def trait(page: Any, name: str) -> Any:
    """A trait's present value."""
    return page.evaluate("name => traits[name]", name)


def ink(page: Any, x: float, y: float) -> list[int]:
    """Red, green, blue and alpha of the mask's canvas at a place of the window."""
    return page.evaluate(INK, [x, y])


def inked(page: Any, number: int = 0) -> int:
    """How many pixels of a view's mask are not empty."""
    return page.evaluate("""number => { const canvas = document.querySelectorAll('.lb-canvas-mask')[number];
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); let count = 0;
      for (let place = 3; place < data.length; place += 4) count += data[place] > 0; return count; }""", number)
