"""The button that takes back the last change of captions."""

import asyncio

from core.dataset.captions.edit_settings import EditSettings
from core.dataset.history import History
from widgets.dataset.tagging import TaggingPanel


def test_two_quick_presses_take_back_one_change_and_complain_of_nothing(session, project):
    for word in ("one", "two"):
        session.dataset.edit(EditSettings.make(add_last=word))

    async def kernel():
        panel = TaggingPanel(session)
        undo = next(button for button, *_ in panel._actions if button.description.startswith("Undo"))
        said = []
        panel.status.observe(lambda change: said.append(change["new"]), "text")
        undo.click()
        undo.click()
        while not panel.status.text.startswith(("Done", "Needs")):
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert panel.status.text.startswith("Done: 'Added two' is undone.") and not [one for one in said if one.startswith("Needs")]
        assert [entry.what for entry in History.of(project).applied()] == ["Added one"]
        assert not undo.disabled and undo.tooltip == "Takes back: Added one."
        panel.close()

    asyncio.run(asyncio.wait_for(kernel(), 20))
