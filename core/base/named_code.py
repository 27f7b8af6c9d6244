"""What a pickled file asks for beside tensors, by torch's words when it refused it, and what that would do."""

from __future__ import annotations

import re

NAMED_CODE = re.compile(r"GLOBAL\s+`?([\w.]+)")
"""In torch's words and in ours."""
COMMANDS = frozenset(("posix", "nt", "os", "subprocess", "sys", "shutil", "socket", "pty", "runpy", "importlib", "ctypes", "webbrowser",
                      "builtins", "__builtin__", "eval", "exec", "compile", "open", "getattr", "__import__", "code", "commands", "pip"))
"""Modules and functions with which a file can do anything on a machine."""


def named_code(words: str) -> str:
    """The name of what a file asks for; empty: the words name none. Args: words: of torch's refusal."""
    found = NAMED_CODE.search(words)
    return found[1].rstrip(".") if found else ""


def what_it_does(name: str) -> str:
    """What would come of it, in words behind the name."""
    first = name.partition(".")[0]
    if first in COMMANDS:
        return "which could do anything on this machine"
    return "an object of the program that wrote it" if first == "__main__" else f"an object of {first}, which is built by running code"
