"""What was typed and is not saved, kept in the tab's storage: the pure JavaScript, run in node."""

import json
import shutil
import subprocess

import pytest

from widgets.components.assembling import module_text

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")
STORE = """const held = new Map(); const store = { getItem: key => held.get(key) ?? null, setItem: (key, text) => held.set(key, text),
    removeItem: key => held.delete(key) };
const draft = (home, id, text) => ({ home, id, name: id, text });
const drafts = m.createDrafts(store);"""


@pytest.fixture(scope="module")
def js(tmp_path_factory):
    """The value of an expression after statements, in which the module's exports are in reach as `m`."""
    module = tmp_path_factory.mktemp("js") / "gallery.mjs"
    module.write_text(module_text("gallery"), encoding="utf-8")

    def value(statements: str, expression: str):
        code = (f"import * as m from {json.dumps(module.as_uri())}; {STORE} {statements}; "
                f"console.log(JSON.stringify({expression}) ?? 'null');")
        done = subprocess.run([NODE, "--input-type=module", "-e", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return value


def test_the_newest_draft_of_each_picture_is_kept_by_project(js):
    put = "drafts.keep(draft('/a', '1.png', 'x')); drafts.keep(draft('/a', '2.png', 'y')); drafts.keep(draft('/b', '1.png', 'z')); "
    assert js(put + "drafts.keep(draft('/a', '1.png', 'xx'))", "drafts.of('/a').map(one => [one.id, one.text])") == [
        ["1.png", "xx"], ["2.png", "y"]]
    assert js(put + "drafts.drop('/a', '1.png')", "[drafts.of('/a').length, drafts.of('/b').length]") == [1, 1]
    assert js("drafts.keep(draft('/a', '1.png', 'x')); drafts.drop('/a', '1.png')", "held.size") == 0


def test_only_so_many_are_kept(js):
    assert js("for (let number = 0; number < 50; number += 1) drafts.keep(draft('/a', `${number}`, 'x'))",
              "drafts.of('/a').map(one => Number(one.id)).slice(-1)") == [20]


@pytest.mark.parametrize("store", [
    "null", "{ getItem() { throw new Error('shut'); }, setItem() { throw new Error('full'); }, removeItem() {} }",
    "{ getItem: () => '{broken', setItem() {}, removeItem() {} }", "{ getItem: () => '[null, 5, {}]', setItem() {}, removeItem() {} }"])
def test_a_storage_that_is_shut_full_or_damaged_breaks_nothing(js, store):
    assert js(f"const other = m.createDrafts({store}); other.keep(draft('/a', '1', 'x')); other.drop('/a', '1')", "other.of('/a')") == []
