"""The hub's HTTP interface on loopback, as the real `huggingface_hub`, `datasets` and `transformers` use it: info of a
data set or a model, tree, paths, files with ETag and commit, large ones behind a redirect, ranges. Repositories are
folders or mappings of files; what is asked is counted; faults can be planted."""

import hashlib
import json
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

import yaml

LARGE = (".parquet", ".safetensors", ".gz")  # what the hub keeps in its large file storage
TOKEN = "hf_WhatNobodyMaySee"
MISSING = {"RepoNotFound": "Repository not found", "EntryNotFound": "Entry not found"}


@dataclass
class Repository:
    """The commits of a data set or a model, each a mapping of files, and its branches."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False

    def commit(self, files: dict[str, bytes], ref: str = "main") -> str:
        """Put a branch at a new commit with these files; return the commit."""
        name = hashlib.sha1(b"".join(f"{path} ".encode() + content for path, content in sorted(files.items())))
        self.commits[name.hexdigest()] = files
        self.refs[ref] = name.hexdigest()
        return name.hexdigest()


@dataclass
class Fault:
    """What goes wrong with requests whose path holds `where`: a status, `cut`, `half` or `slow`, so many `times`."""

    what: int | str
    where: str
    times: float = float("inf")


def folder_files(folder: Path) -> dict[str, bytes]:
    """A folder's files by path, as a commit."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def oids(path: str, content: bytes) -> dict:
    """What the hub calls a file's content."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:%d\n"
    sha256 = hashlib.sha256(content).hexdigest()
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    large = {"sha256": sha256, "oid": sha256, "size": len(content), "pointerSize": len(pointer)}
    return {"blob": blob, "lfs": large if path.endswith(LARGE) else None, "sha256": sha256}


class Hub:
    """The server's state: `repositories` by kind (`datasets`, `models`) and id, the `requests` by method and path, the
    planted `faults`, and the `tokens` that were sent, by host."""

    def __init__(self):
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.tokens: set[tuple[str, str]] = set()
        self.blobs: dict[str, bytes] = {}
        self.url = self.blobs_url = ""

    def repository(self, kind: str, name: str) -> Repository:
        return self.repositories.setdefault((kind, name), Repository())

    def fault_of(self, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.where in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.answer()

    def answer(self):
        address = urlparse(self.path)
        path = unquote(address.path)
        self.hub.requests[f"{self.command} {path}"] += 1
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.hub.tokens |= {(self.headers["Host"].partition(":")[0], token)} if token else set()
        self.fault = self.hub.fault_of(path)
        if self.fault and isinstance(self.fault.what, int):
            return self.refuse(self.fault.what, {401: "GatedRepo", 404: "RepoNotFound"}.get(self.fault.what, ""))
        if self.fault and self.fault.what == "slow":
            time.sleep(3)
        if match := re.fullmatch(r"/blobs/(\w+)", path):
            return self.send(self.hub.blobs[match[1]], {"ETag": f'"{match[1]}"'})
        if match := re.fullmatch(r"/api/(datasets|models)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/(.+))?", path):
            return self.answer_api(match[1], match[2], match[3], match[4] or "main", parse_qs(address.query), token)
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/(.+)", path):
            return self.answer_file("datasets" if match[1] else "models", match[2], match[3], token)
        return self.refuse(404, "EntryNotFound")

    def found(self, kind: str, name: str, rest: str) -> tuple[Repository, str, str] | None:
        """The repository, the commit and the path below it that `revision/path` names; a revision may hold slashes."""
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            self.refuse(401, "RepoNotFound")  # as the hub: whether it exists is nobody's business
            return None
        revisions = {**{commit: commit for commit in repository.commits}, **repository.refs}
        for revision, commit in revisions.items():
            if rest == revision or rest.startswith(f"{revision}/"):
                return repository, commit, rest[len(revision) + 1 :]
        self.refuse(404, "RevisionNotFound")
        return None

    def answer_api(self, kind, name, what, rest, query, token):
        if (found := self.found(kind, name, rest)) is None:
            return
        repository, commit, below = found
        files = repository.commits[commit]
        if what == "tree":
            rows = [self.row(path, files[path]) for path in sorted(files) if not below or path.startswith(f"{below}/")]
            return self.send_json(rows if rows or not below else [])
        if what == "paths-info":
            wanted = parse_qs(self.body).get("paths", []) or json.loads(self.body or "{}").get("paths", [])
            rows = [self.row(path, files[path]) for path in wanted if path in files]
            folders = [path for path in wanted if any(one.startswith(f"{path}/") for one in files)]
            return self.send_json([*rows, *({"type": "directory", "path": path, "oid": "0" * 40} for path in folders)])
        siblings = [{"rfilename": path} for path in sorted(files)]
        if query.get("blobs"):
            for row in siblings:
                content, names = files[row["rfilename"]], oids(row["rfilename"], files[row["rfilename"]])
                row |= {"size": len(content), "blobId": names["blob"]} | ({"lfs": names["lfs"]} if names["lfs"] else {})
        main = repository.commits.get(repository.refs.get("main", ""), {})  # whose card other revisions have, too
        readme = files.get("README.md") or main.get("README.md", b"")
        card = re.match(r"---\n(.*?)\n---", readme.decode(), re.S)
        self.send_json(
            {"id": name, "sha": commit, "private": False, "disabled": False, "tags": [], "siblings": siblings}
            | {"gated": "auto" if repository.gated else False, "cardData": yaml.safe_load(card[1]) if card else None}
        )

    @staticmethod
    def row(path: str, content: bytes) -> dict:
        names = oids(path, content)
        row = {"type": "file", "path": path, "size": len(content), "oid": names["blob"]}
        return row | ({"lfs": names["lfs"]} if names["lfs"] else {})

    def answer_file(self, kind, name, rest, token):
        if (found := self.found(kind, name, rest)) is None:
            return
        repository, commit, path = found
        if repository.gated and token != TOKEN:
            return self.refuse(401, "GatedRepo")
        if (content := repository.commits[commit].get(path)) is None:
            return self.refuse(404, "EntryNotFound", {"X-Repo-Commit": commit})
        names, headers = oids(path, content), {"X-Repo-Commit": commit}
        if names["lfs"]:
            self.hub.blobs[names["sha256"]] = content
            headers |= {"X-Linked-Etag": f'"{names["sha256"]}"', "X-Linked-Size": str(len(content))}
            return self.send(b"", headers | {"Location": f"{self.hub.blobs_url}/{names['sha256']}"}, 302)
        return self.send(content, headers | {"ETag": f'"{names["blob"]}"'})

    def send_json(self, content):
        self.send(json.dumps(content).encode(), {"Content-Type": "application/json"})

    def refuse(self, status: int, code: str, headers: dict | None = None):
        known = {"X-Error-Code": code, "X-Error-Message": MISSING.get(code, code)} if code else {}
        self.send(b"{}", known | ({"Retry-After": "0"} if status == 429 else {}) | (headers or {}), status)

    def send(self, content: bytes, headers: dict, status: int = 200):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and status == 200:
            first, last = int(asked[1]), int(asked[2] or len(content) - 1)
            headers |= {"Content-Range": f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"}
            content, status = content[first : last + 1], 206
        self.send_response(status)
        what = self.fault.what if self.fault else None
        length = len(content) // 2 if what == "half" else len(content)
        for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:0] if what == "cut" else content[:length])
        if what == "cut":
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that went away


@contextmanager
def serve():
    """A running hub, at its `url`."""
    hub = Hub()
    server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    hub.blobs_url = f"http://localhost:{server.server_address[1]}/blobs"  # another host, as a CDN is
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
