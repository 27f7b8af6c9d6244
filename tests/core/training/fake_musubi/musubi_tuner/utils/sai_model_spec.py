"""What a file says of itself; as the real one, without the words that call it."""


def build_metadata(state, architecture, timestamp, title=None, **more):
    return {"modelspec.title": title, "modelspec.architecture": architecture}
