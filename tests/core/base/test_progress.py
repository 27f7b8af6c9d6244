"""What is told of a phase that goes on where an earlier one stopped."""

from core.base.jobs import Job, JobProgress, write_order
from core.base.progress import Progress


def test_what_was_there_before_does_not_make_it_look_quick(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    progress = Progress()
    progress.start("Downloading", 1000, done=800)
    assert progress.seconds_left() is None
    now[0] += 10
    progress.advance(by=100)
    assert (progress.done, progress.seconds_left()) == (900, 10.0)


def test_a_job_that_goes_on_shows_from_where_and_how_fast(tmp_path):
    write_order(tmp_path, {"stage": "x", "project": "", "settings": {}})
    progress = JobProgress(tmp_path)
    progress.start("Downloading", 10, done=4)
    job = Job(tmp_path)
    assert job.status().done == 4
    progress.advance("5.0 MiB/s")
    assert (job.status().done, job.status().item) == (5, "5.0 MiB/s")
    progress.start("Checking", 3)
    assert (job.status().done, job.status().item, job.status().seconds_left) == (0, "", None)
