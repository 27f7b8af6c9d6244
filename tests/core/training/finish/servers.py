"""Hugging Face, Vast.ai and RunPod as they speak HTTP, on the loopback, with the faults that the real ones have."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml


class Server(ABC):
    """Answers while the `with` block runs; `asked` are the requests: method, path, key that came with it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.cuts: list[str] = []
        """Parts of addresses, in the order in which they come: the connection is cut in the middle of such a request."""
        self.query: dict[str, list[str]] = {}

    def __enter__(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # its wait for an answer costs 40 ms a request

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = b"".join(iter(self._chunk, b""))
                key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                server.asked.append((self.command, self.path, key))
                if server.cuts and any(part in self.path for part in server.cuts[:1]):
                    server.cuts.pop(0)
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                server.query = parse_qs(urlsplit(self.path).query)
                status, answer, more = (*server.answer(self.command, urlsplit(self.path).path, key, body), {})[:3]
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **more, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

            def _chunk(self) -> bytes:
                size = int(self.rfile.readline(), 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                return data

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @abstractmethod
    def answer(self, method, path, key, body):
        """The status, the content and perhaps headers."""


class Hub(Server):
    """Repositories of models and data sets, of which no two share a name. `tokens`: token to the names that it may write to."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"hf_good_token": {"me"}, "hf_read_token": set()}
        self.repositories: dict[str, dict[str, tuple[int, str, bool]]] = {}
        self.private: dict[str, bool] = {}
        self.stored: dict[str, bytes] = {}
        self.failing_puts = 0
        self.changed: dict[str, str] = {}
        """Part of a file's name to what is wrong with it at the far end: "size", "hash" or "gone"."""
        self.spoilt: set[str] = set()
        """Files that arrive longer than they are there."""
        self.delay = 0.0
        """Seconds that a file, and a look at the files, take."""
        self.large = (".safetensors",)
        """Ends of names of files that are stored apart (LFS)."""
        self.failing_commits = 0
        """After so many commits the next one fails; 0: none does."""
        self.commits = 0
        self.errors: list[tuple[str, int]] = []
        """Parts of addresses and the error with which such a request is answered, in the order in which they come."""
        self.pulls: dict[str, list[dict]] = {}
        """Pull requests of a repository, the first is number 1: title, author, status, files."""

    def answer(self, method, path, key, body):
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "lfs":
            return self._put(parts[1], body)
        if key not in self.tokens:
            return 401, {"error": "Invalid credentials in Authorization header"}
        if self.errors and self.errors[0][0] in path:
            return self.errors.pop(0)[1], {"error": "the far end has a bad day"}
        if path == "/api/whoami-v2":
            return 200, {"name": "me", "type": "user", "auth": {}}
        if path == "/api/repos/create":
            return self._create(json.loads(body), key)
        if path == "/api/validate-yaml":
            return self._judge_card(json.loads(body)["content"])
        if parts[0] == "datasets":  # its files; of a model they stand without a word before
            parts = parts[1:]
        repo_id = "/".join(parts[2:4]) if parts[0] == "api" else f"{parts[0]}/{parts[1].removesuffix('.git')}"
        if repo_id not in self.repositories:
            return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        files = self._files_at(repo_id, next((part for part in parts if part.startswith("refs/pr/")), "main"))
        if parts[2] == "resolve":
            return self._file(files, "/".join(parts[4:]))
        if parts[4:5] == ["tree"]:
            return 200, self._paths(files, [name for name in files if name.startswith("/".join(parts[6:]) + "/")])
        if parts[4:5] == ["discussions"]:
            told = [{"num": number, "title": one["title"], "status": one["status"], "isPullRequest": True,
                     "author": {"name": one["author"]}, "createdAt": "2026-01-01T00:00:00.000Z", "repo": {"name": repo_id, "type": "model"}}
                    for number, one in enumerate(self.pulls.get(repo_id, []), 1) if [one["status"]] == self.query.get("status")]
            return 200, {"discussions": told, "count": len(told), "start": 0}
        if method == "GET":
            names = [{"rfilename": name} for name in files]
            return 200, {"id": repo_id, "sha": "c" * 40, "private": self.private[repo_id], "siblings": names}
        if parts[-2] == "paths-info":
            return 200, self._paths(files, parse_qs(body.decode())["paths"])
        if "create_pr" in self.query and parts[-2] == "commit":
            return self._propose(repo_id, body)
        if "create_pr" in self.query and parts[-2] == "preupload":
            return self._modes(body)
        if path.endswith("/objects/batch"):
            return 200, {"transfer": "basic", "objects": [
                {"oid": one["oid"], "size": one["size"], "actions": {"upload": {"href": f"{self.address}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"] if one["oid"] not in self.stored] + [
                {"oid": one["oid"], "size": one["size"]} for one in json.loads(body)["objects"] if one["oid"] in self.stored]}
        if repo_id.split("/")[0] not in self.tokens[key]:
            return 403, {"error": "You have read access but not the required permissions for this operation"}
        if parts[-2] == "preupload":
            return self._modes(body)
        return self._commit(repo_id, body, files)

    def _files_at(self, repo_id, revision):
        """The files of a branch, or of a pull request."""
        return self.pulls[repo_id][int(revision.rpartition("/")[2]) - 1]["files"] if revision != "main" else self.repositories[repo_id]

    def _modes(self, body):
        return 200, {"files": [{"path": file["path"], "uploadMode": "lfs" if file["path"].endswith(self.large) else "regular",
                                "shouldIgnore": False} for file in json.loads(body)["files"]]}

    def _propose(self, repo_id, body):
        """A pull request, which anybody with a token may make."""
        head = json.loads(body.decode().splitlines()[0])["value"]
        pulls = self.pulls.setdefault(repo_id, [])
        pulls.append({"title": head["summary"], "author": "me", "status": "open", "files": dict(self.repositories[repo_id])})
        status, answer = self._commit(repo_id, body, pulls[-1]["files"])
        return status, {**answer, "pullRequestUrl": f"{self.address}/{repo_id}/discussions/{len(pulls)}"}

    def _judge_card(self, text):
        try:
            head = yaml.safe_load(text.split("---")[1])
        except (yaml.YAMLError, IndexError) as error:
            return 400, {"errors": [{"message": str(error)}], "warnings": []}
        return 200, {"errors": [] if isinstance(head, dict) else [{"message": "no mapping"}], "warnings": []}

    def _create(self, asked, key):
        owner = asked.get("organization") or "me"
        repo_id = f"{owner}/{asked['name']}"
        if repo_id in self.repositories:
            return 409, {"error": "You already created this model repo", "url": f"{self.address}/{repo_id}"}
        if owner not in self.tokens[key]:
            return 403, {"error": f"You don't have the rights to create a model under the namespace \"{owner}\""}
        self.repositories[repo_id], self.private[repo_id] = {}, asked.get("private") or asked.get("visibility") == "private"
        return 200, {"url": f"{self.address}/{repo_id}", "id": repo_id}

    def _put(self, oid, body):
        time.sleep(self.delay)
        if self.failing_puts:
            self.failing_puts -= 1
            return 403, {"error": "The signed address has expired"}
        assert hashlib.sha256(body).hexdigest() == oid
        self.stored[oid] = body
        return 200, {}

    def _commit(self, repo_id, body, files):
        if self.failing_commits and self.commits >= self.failing_commits:
            return 400, {"error": "the far end is tired"}
        self.commits += 1
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                content = base64.b64decode(value["content"])
                name = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
                self.stored[name] = content
                files[value["path"]] = (len(content), name, False)
            elif entry["key"] == "deletedFile":
                del files[value["path"]]
            elif entry["key"] == "lfsFile":
                files[value["path"]] = (value["size"], value["oid"], True)
        return 200, {"success": True, "commitOid": "c" * 40, "commitUrl": f"{self.address}/{repo_id}/commit/{'c' * 40}"}

    def _file(self, files, path):
        _, name, _ = files[path]
        data = self.stored[name] + b"x" * (path in self.spoilt)
        return 200, data, {"ETag": f'"{name}"', "X-Repo-Commit": "c" * 40}

    def _paths(self, files, paths):
        found = []
        time.sleep(self.delay)
        for path in paths:
            wrong = next((kind for part, kind in self.changed.items() if part in path), "")
            if path not in files or wrong == "gone":
                continue
            size, name, is_lfs = files[path]
            size, name = size + (wrong == "size"), name[::-1] if wrong == "hash" else name
            entry = {"type": "file", "path": path, "size": size, "oid": name if not is_lfs else "1" * 40}
            found.append({**entry, "lfs": {"oid": name, "size": size, "pointerSize": 130}} if is_lfs else entry)
        return found


class Provider(Server):
    """The machines of a provider: `does` are the stops and destructions that it was asked for and has obeyed."""

    def __init__(self, key: str = "key_of_this_machine", faults: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.key, self.faults, self.does = key, list(faults), []
        self.before = lambda: None

    def answer(self, method, path, key, body):
        self.before()
        if self.faults:
            return self.faults.pop(0), {"error": f"no, {key} is not liked"}, {"Retry-After": "0"}
        if key != self.key:
            return 401, {"error": "Unauthorized"}
        return self.obey(method, path, body)

    @abstractmethod
    def obey(self, method, path, body):
        """What it does when it is asked by the right one."""


class Vast(Provider):
    """Vast.ai's console API, one instance: 1234."""

    def obey(self, method, path, body):
        if path != "/instances/1234/":
            return 404, {"success": False, "error": "no_such_instance"}
        if method == "GET":
            return 200, {"instances": {"id": 1234, "dph_total": 0.5, "start_date": 1_700_000_000.5}}
        if method == "PUT" and json.loads(body) == {"state": "stopped"}:
            self.does.append("stop")
        elif method == "DELETE":
            self.does.append("destroy")
        else:
            return 400, {"error": "unknown"}
        return 200, {"success": True}


class RunPod(Provider):
    """RunPod's REST API, one pod: abc123."""

    def obey(self, method, path, body):
        if (method, path) == ("GET", "/pods/abc123"):
            return 200, {"id": "abc123", "costPerHr": "0.74", "adjustedCostPerHr": 0.69, "lastStartedAt": "2024-07-12T19:14:40.144Z"}
        if (method, path) == ("POST", "/pods/abc123/stop"):
            self.does.append("stop")
        elif (method, path) == ("DELETE", "/pods/abc123"):
            self.does.append("destroy")
        else:
            return 404, {"error": "pod not found"}
        return 200, {}
