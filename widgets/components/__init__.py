"""Small self-contained widgets (anywidget): one .py, one .js and one .css each. They know nothing of `core`."""
