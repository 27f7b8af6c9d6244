"""Which job a panel takes up again."""

from core.base.files import write_json
from widgets.jobs_view import newest_job


def test_the_newest_job_of_a_stage_is_found_and_the_settings_of_others_are_not_read(tmp_path):
    for name, stage in (("20260101-000000-tag", "tag"), ("20260102-000000-tag-2", "tag"), ("20260103-000000-edit", "edit")):
        (tmp_path / "jobs" / name).mkdir(parents=True)
        write_json(tmp_path / "jobs" / name / "settings.json", {"stage": stage, "settings": {}})
    (tmp_path / "jobs" / "20260103-000000-edit" / "settings.json").write_text("half a fi")
    found = newest_job(tmp_path, "tag")
    assert found is not None and found.id == "20260102-000000-tag-2"
    assert newest_job(tmp_path, "caption") is None
