"""The upload's JavaScript without a browser, run in node: hashes, what is taken, window, lost answers, order."""

import hashlib
import json
import shutil
import subprocess

import pytest

from widgets.components.assembling import module_text

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")
STAGE = """
class Named extends Blob { constructor(data) { super([data]); } }
const file = (size, fill = 7) => new Named(new Uint8Array(size).fill(fill));
const rest = (ms = 5) => new Promise((go) => setTimeout(go, ms));
// A kernel that keeps what it is sent; `odd(message)` may return "drop", "mute" (done, but not answered) or a refusal.
class Kernel {
  constructor(odd = () => null) { Object.assign(this, { odd, files: new Map(), seen: [], most: 0, open: 0 });
    this.wire = new m.Wire((...g) => this.take(...g), () => this.now ?? 0);
  }
  take(message, buffers) {
    this.seen.push(message); this.open += 1; this.most = Math.max(this.most, this.open);
    const odd = this.odd(message, this);
    setTimeout(() => {
      this.open -= 1;
      if (odd === "drop") return;
      const answer = odd && odd !== "mute" ? odd : this.answer(message, buffers);
      if (odd === "mute") return;
      this.wire.receive({ ...answer, client: message.client, serial: message.serial }, answer.buffers ?? []);
    }, 1);
  }
  answer({ kind, path, size, offset, files, blocks }, buffers) {
    if (kind === "begin") return { upload: "u" };
    if (kind === "small") return { files: files.map((one) => ({ state: "here", name: one.path })) };
    if (kind === "open") { const part = this.files.get(path) ?? { have: 0, digests: [] }; this.files.set(path, part);
      return { have: part.have, buffers: [Uint8Array.from(part.digests.flat())] }; }
    if (kind === "from") { const part = this.files.get(path);
      part.have = Math.min(part.have, blocks * m.BLOCK);
      part.digests.length = part.have / m.BLOCK;
      return { have: part.have }; }
    if (kind === "piece") { const part = this.files.get(path);
      if (offset !== part.have) return { trouble: "lost", scope: "again" };
      part.have += buffers[0].byteLength;
      for (let at = 0; at < buffers[1].length; at += 32) part.digests.push([...buffers[1].slice(at, at + 32)]);
      return { have: part.have }; }
    if (kind === "finish") return { state: "here", name: path };
    return {};
  }
}
const sender = (kernel) => new m.Sender(m.emptyLoad("home"), kernel.wire, { most: 4 * m.BLOCK, changed() {}, wait: 5 });
const done = async (one, ms = 8000) => {
  for (const end = Date.now() + ms; Date.now() < end && !one.load.ended;) await rest();
  return one.load.ended;
};
"""


@pytest.fixture(scope="module")
def js(tmp_path_factory):
    """The value of the body of an async function in which the module's exports are in reach as `m`."""
    module = tmp_path_factory.mktemp("js") / "upload.mjs"
    module.write_text(module_text("upload"), encoding="utf-8")

    def value(body: str):
        code = (f"import * as m from {json.dumps(module.as_uri())};\n{STAGE}\n"
                f"console.log(JSON.stringify(await (async () => {{ {body} }})()) ?? 'null'); process.exit(0);")
        done = subprocess.run([NODE, "--input-type=module", "-e", code], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return value


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 262_144])
def test_the_own_sha256_is_the_right_one(js, size):
    data = bytes(number * 7 % 251 for number in range(size))
    found = js(f"return Buffer.from(m.sha256(Uint8Array.from({{length: {size}}}, (_, n) => n * 7 % 251))).toString('hex');")
    assert found == hashlib.sha256(data).hexdigest()


def test_blocks_are_hashed_alike_with_and_without_the_browsers_own_hash(js):
    own, pure = js("""const data = Uint8Array.from({ length: m.BLOCK + 9 }, (_, n) => n % 253).buffer;
      const own = await m.blockDigests(data);
      Object.defineProperty(globalThis.crypto, "subtle", { value: undefined });
      return [[...own], [...await m.blockDigests(data)]];""")
    data = bytes(number % 253 for number in range(262_144 + 9))
    assert bytes(own) == bytes(pure) == hashlib.sha256(data[:262_144]).digest() + hashlib.sha256(data[262_144:]).digest()


@pytest.mark.parametrize(("path", "size", "words"), [
    ("a/b.PNG", 5, ""), ("a.txt", 5, ""), ("x/metadata.jsonl", 5, ""), ("a/.DS_Store", 5, "hidden"), ("__MACOSX/a.png", 5, "hidden"),
    (".git/a.png", 5, "hidden"), ("a.mov", 5, "video"), ("a.psd", 5, "neither"), ("png", 5, "neither"), ("a.png", 0, "empty")])
def test_what_is_no_part_of_a_dataset_is_not_sent(js, path, size, words):
    kinds = '{endings: [".png", ".txt"], tables: ["metadata.jsonl"], junk: ["__macosx"], videos: [".mov"]}'
    found = js(f"return m.unfit({json.dumps(path)}, {size}, {kinds});")
    assert words in found if words else found == ""


def test_what_cannot_be_read_in_a_dropped_folder_is_named_and_the_rest_is_taken(js):
    found = js("""const no = (name, message) => Object.assign(new Error(message), { name });
      const named = (path) => ({ isFile: true, fullPath: `/${path}`, file: (got) => got(new File(["x"], path.split("/").pop())) });
      const gone = { isFile: true, fullPath: "/d/gone.png", file: (got, failed) => failed(no("NotFoundError", "It is gone.")) };
      const folder = (path, parts) => ({ isFile: false, fullPath: `/${path}`, createReader: () => ({ readEntries: (got, failed) => {
        const part = parts.length ? parts.shift() : [];
        if (part instanceof Error) failed(part); else got(part); } }) });
      const locked = folder("d/locked", [[named("d/locked/c.png")], no("NotReadableError", "")]);
      const hidden = { ...gone, fullPath: "/d/.git" };
      const all = [hidden, gone, folder("d", [[named("d/a.png"), locked], [named("d/b.png")]])];
      const found = await m.dropped({ items: all.map((entry) => ({ kind: "file", webkitGetAsEntry: () => entry })) });
      const kinds = { endings: [".png"], tables: [], junk: [], videos: [] };
      return m.judged(found, kinds).map(({ file, path, state, reason }) => [file?.name ?? null, path, state, reason]);""")
    assert found == [[None, "d/gone.png", "left", "It cannot be read (It is gone)."], ["a.png", "d/a.png", None, ""],
                     ["c.png", "d/locked/c.png", None, ""], [None, "d/locked", "left", "It cannot be read (NotReadableError)."],
                     ["b.png", "d/b.png", None, ""]]
    states, left = js("""const kernel = new Kernel(), one = sender(kernel);
      one.add([{ path: "gone.png", reason: "It cannot be read.", state: "left" }, { path: "a.png", file: file(5) }]);
      await done(one);
      return [one.load.entries.map((entry) => entry.state), m.tally(one.load.entries).left];""")
    assert (states, left) == (["left", "here"], 1)


HELD = """
const held = (size, times, name = "NotReadableError", reads = []) => {
  const made = file(size), slice = made.slice.bind(made), read = (blob, get = blob.arrayBuffer.bind(blob)) => () => {
    reads.push(1);
    if (times-- > 0) throw new DOMException("It is held.", name);
    return get(); };
  made.arrayBuffer = read(made);
  made.slice = (...span) => { const part = slice(...span); part.arrayBuffer = read(part); return part; };
  return Object.assign(made, { reads }); };
const rests = (one, rest = one.rest.bind(one)) => { let count = 0; one.rest = () => { count += 1; return rest(); }; return () => count; };
"""


@pytest.mark.parametrize("size", ["9", "5 * m.BLOCK"])
def test_a_file_that_is_held_for_a_while_is_read_three_times_more(js, size):
    states = js(HELD + """const kernel = new Kernel(), states = [];
      for (const times of [1, 3, 4]) {
        const one = sender(kernel);
        one.add([{ path: `${times}.png`, file: held(SIZE, times) }]);
        await done(one);
        states.push(...one.load.entries.map((entry) => [entry.state, entry.reason.slice(0, 26)]));
      }
      return states;""".replace("SIZE", size))
    assert states == [["here", ""], ["here", ""], ["failed", "Your browser cannot read i"]]


@pytest.mark.parametrize("size", ["9", "5 * m.BLOCK"])
def test_on_a_drive_that_is_gone_only_the_first_file_is_waited_for_until_one_can_be_read_again(js, size):
    waited, reads, states = js(HELD + """const kernel = new Kernel(), one = sender(kernel), count = rests(one), seen = [], counts = [];
      for (const times of [9, 9, 9, 0, 1, 9, 9]) {
        seen.push(held(SIZE, times)); one.add([{ path: `${seen.length}.png`, file: seen.at(-1) }]); await done(one); counts.push(count());
      }
      return [counts, seen.map(({ reads }) => reads.length), one.load.entries[0].state];""".replace("SIZE", size))
    assert waited == [3, 3, 3, 3, 4, 7, 7] and states == "failed"
    assert [min(times, 2) for times in reads] == [2, 1, 1, 2 if size != "9" else 1, 2, 2, 1]


def test_a_file_that_is_no_longer_there_is_not_waited_for(js):
    assert js(HELD + """const kernel = new Kernel(), one = sender(kernel), count = rests(one), gone = held(9, 9, "NotFoundError");
      one.add([{ path: "a.png", file: gone }, { path: "b.png", file: held(5 * m.BLOCK, 9, "NotFoundError") }]);
      await done(one);
      return [count(), gone.reads.length, one.load.entries.map(({ state }) => state)];""") == [0, 1, ["failed", "failed"]]


def test_pieces_grow_with_quick_answers_shrink_with_slow_ones_and_stay_whole_blocks(js):
    block = 262_144
    sizes = js("""let size = m.BLOCK; const seen = [];
      for (const seconds of [0.1, 0.1, 0.1, 2, 9, 9, 9, 9]) seen.push(size = m.nextPiece(size, seconds, 3 * m.BLOCK));
      return seen;""")
    assert sizes == [2 * block, 3 * block, 3 * block, 3 * block, block, block, block, block]


def test_progress_is_told_in_words(js):
    sum_ = '{files: 40, here: 11, already: 1, open: 28, sent: 120e6, bytes: 300e6, failed: 2, left: 1}'
    assert js(f"return m.progressWords({sum_}, 30e6, false);") == \
        "12 of 40 files, 120 MB of 300 MB, 30 MB/s, about 6 s left, 2 not taken, 1 left out"
    assert js(f"return m.progressWords({sum_}, 30e6, true);").startswith("12 of 40 files, 120 MB of 300 MB, paused")
    assert js("return [0, 1, 999, 1400, 98e6, 4.2e9].map(m.bytes);") == ["0 bytes", "1 byte", "999 bytes", "1.4 KB", "98 MB", "4.2 GB"]
    assert js("return [5, 100, 8000, NaN].map(m.timeLeft);") == ["about 5 s left", "about 2 min left", "about 2 h 13 min left", ""]


def test_the_speed_is_that_of_the_last_seconds(js):
    assert js("""const speed = new m.Speed();
      for (let s = 0; s <= 20; s += 1) speed.note(s < 10 ? 1 : 100, s * 1000);
      return speed.now(20000);""") == pytest.approx(100)


def test_never_more_than_four_messages_are_under_way_and_all_of_it_comes(js):
    most, state, sent = js("""const kernel = new Kernel(), one = sender(kernel);
      one.add([{ path: "big.zip", file: file(41 * m.BLOCK + 5) }, { path: "b.zip", file: file(9 * m.BLOCK) }]);
      await done(one); return [kernel.most, one.load.entries.map((entry) => entry.state), kernel.files.get("big.zip").have];""")
    assert most <= 4 and state == ["here", "here"] and sent == 41 * 262_144 + 5


def test_captions_come_after_all_pictures(js):
    order = js("""const kernel = new Kernel(), one = sender(kernel);
      one.add([{ path: "a.txt", file: file(3) }, { path: "a.png", file: file(9 * m.BLOCK) }, { path: "b.png", file: file(5) },
               { path: "b.txt", file: file(3) }]);
      await done(one);
      return kernel.seen.flatMap(({ kind, path, files }) => (kind === "small" ? files.map((one) => one.path)
        : kind === "finish" ? [path] : []));""")
    assert set(order[:2]) == {"a.png", "b.png"} and set(order[2:]) == {"a.txt", "b.txt"}


def test_small_files_go_in_bundles(js):
    counts = js("""const kernel = new Kernel(), one = sender(kernel);
      one.add(Array.from({ length: 450 }, (_, n) => ({ path: `${n}.png`, file: file(10) })));
      await done(one); return kernel.seen.filter(({ kind }) => kind === "small").map(({ files }) => files.length);""")
    assert counts == [200, 200, 50]


def test_another_file_of_a_path_that_is_on_its_way_waits_for_it_and_comes_too(js):
    states, seen = js("""const kernel = new Kernel(), one = sender(kernel);
      const dated = (size, when) => Object.assign(file(size), { lastModified: when });
      one.add([{ path: "big.zip", file: dated(9 * m.BLOCK, 1) }, { path: "a.png", file: dated(5, 1) },
               { path: "a.png", file: dated(5, 2) }]);
      await rest(3);
      one.add([{ path: "big.zip", file: dated(9 * m.BLOCK, 1) }, { path: "big.zip", file: dated(7 * m.BLOCK, 1) },
               { path: "a.png", file: dated(6, 1) }, { path: "a.png", file: dated(6, 1) }]);
      await done(one);
      return [one.load.entries.map(({ state, path, file }) => [state, path, file.size, file.lastModified]),
        kernel.seen.flatMap(({ kind, path, files }) => (kind === "small" ? [files.map((one) => `${one.path} ${one.size}`)]
          : ["open", "finish"].includes(kind) ? [`${kind} ${path}`] : []))];""")
    assert states == [["here", "big.zip", 9 * 262_144, 1], ["here", "a.png", 5, 1], ["here", "a.png", 5, 2],
                      ["here", "big.zip", 7 * 262_144, 1], ["here", "a.png", 6, 1]]
    assert [one for one in seen if isinstance(one, list)] == [["a.png 5"], ["a.png 5"], ["a.png 6"]]
    assert [one for one in seen if isinstance(one, str)] == ["open big.zip", "finish big.zip"] * 2


def test_a_lost_piece_and_a_lost_answer_are_made_up_for(js):
    for odd in ("drop", "mute"):
        state, have, hellos = js(f"""let lost = 0;
          const kernel = new Kernel((message) => (message.kind === "piece" && message.offset && lost++ === 2 ? "{odd}" : null));
          const one = sender(kernel);
          one.add([{{ path: "big.zip", file: file(40 * m.BLOCK) }}]);
          const clock = setInterval(() => {{ kernel.now = (kernel.now ?? 0) + 4000; kernel.wire.look(); }}, 20);
          await done(one);
          return [one.load.entries[0].state, kernel.files.get("big.zip").have,
                  kernel.seen.filter(({{ kind }}) => kind === "hello").length];""")
        assert state == "here" and have == 40 * 262_144 and hellos >= 1


def test_only_what_differs_is_sent_when_a_part_is_there(js):
    sent = js("""const kernel = new Kernel(), data = file(20 * m.BLOCK), digests = await m.blockDigests(await data.arrayBuffer());
      const parts = Array.from({ length: 12 }, (_, n) => [...digests.slice(32 * n, 32 * n + 32)]);
      parts[10][3] ^= 1;
      kernel.files.set("big.zip", { have: 12 * m.BLOCK, digests: parts });
      const one = sender(kernel);
      one.add([{ path: "big.zip", file: data }]);
      await done(one);
      return [kernel.seen.filter(({ kind }) => kind === "piece")[0].offset / m.BLOCK, one.load.entries[0].state];""")
    assert sent == [10, "here"]


def test_a_file_that_never_fits_is_given_up_and_the_rest_comes(js):
    states, reason = js("""const odd = ({ kind }) => (kind === "piece" ? { trouble: "It came out different.", scope: "again" } : null);
      const kernel = new Kernel(odd), one = sender(kernel);
      one.add([{ path: "big.zip", file: file(9 * m.BLOCK) }, { path: "a.png", file: file(5) }]);
      await done(one); return [one.load.entries.map(({ state }) => state), one.load.entries[0].reason];""")
    assert states == ["failed", "here"] and reason == "It came out different."


def test_a_full_disk_pauses_everything_until_the_person_goes_on(js):
    paused, trouble, states = js("""let full = true;
      const odd = ({ kind }) => (full && (kind === "piece" || kind === "small") ? { trouble: "No space left.", scope: "all" } : null);
      const kernel = new Kernel(odd), one = sender(kernel);
      one.add([{ path: "big.zip", file: file(9 * m.BLOCK) }, { path: "a.png", file: file(5) }]);
      while (!one.load.paused) await rest(20);
      const was = [one.load.paused, one.load.trouble];
      full = false;
      for (let tries = 0; tries < 400 && !one.load.ended; tries += 1) { if (one.load.paused) one.goOn(); await rest(20); }
      return [...was, one.load.entries.map(({ state }) => state)];""")
    assert paused and trouble == "No space left." and states == ["here", "here"]


def test_a_stopped_upload_keeps_what_is_here_and_says_so_at_the_end(js):
    states, ended = js("""const kernel = new Kernel(), one = sender(kernel);
      const large = Array.from({ length: 6 }, (_, n) => ({ path: `${n}.zip`, file: file(200 * m.BLOCK) }));
      one.add([{ path: "a.png", file: file(5) }, ...large]);
      await rest(60); one.cancel(); await done(one);
      return [one.load.entries.map(({ state }) => state), kernel.seen.at(-1).kind === "end" && kernel.seen.at(-1).stopped];""")
    assert states[0] == "here" and "dropped" in states and set(states) <= {"here", "dropped"} and ended


def test_a_new_kernel_goes_on_with_the_files_that_the_page_still_has(js):
    states, have = js("""const dead = new Kernel(({ kind }, kernel) => (kernel.seen.length > 9 ? "drop" : null)), first = sender(dead);
      first.add([{ path: "big.zip", file: file(60 * m.BLOCK) }, { path: "a.png", file: file(5) }]);
      await rest(150);
      const alive = new Kernel();
      alive.files = dead.files;
      const second = new m.Sender(first.load, alive.wire, { most: 4 * m.BLOCK, changed() {}, wait: 5 });
      second.start(); await done(second);
      return [second.load.entries.map(({ state }) => state), alive.files.get("big.zip").have];""")
    assert states == ["here", "here"] and have == 60 * 262_144


def test_a_file_that_went_away_is_named_and_the_rest_comes(js):
    states, reason = js("""const kernel = new Kernel(), one = sender(kernel), gone = file(5), cut = file(9 * m.BLOCK);
      gone.arrayBuffer = async () => { throw new DOMException("gone", "NotFoundError"); };
      cut.slice = () => { throw new DOMException("gone", "NotReadableError"); };
      one.add([{ path: "a.png", file: gone }, { path: "big.zip", file: cut }, { path: "b.png", file: file(5) }]);
      await done(one); return [one.load.entries.map(({ state }) => state), one.load.entries.map(({ reason }) => reason)];""")
    assert states == ["failed", "failed", "here"] and "Drop it again. (NotFoundError)" in reason[0] and "NotReadableError" in reason[1]


def test_answers_to_another_window_are_passed_over(js):
    assert js("""const wire = new m.Wire(() => {}); const asked = wire.call({ kind: "begin" }); await rest();
      wire.receive({ client: "another", serial: 1, upload: "wrong" }, []);
      wire.receive({ client: wire.client, serial: 1, upload: "right" }, []); return (await asked).upload;""") == "right"
