#!/usr/bin/env python3
"""The previous release on the schema of this one, as while instances are exchanged one by one.

    tests/previous_release.py            builds both and runs them; needs git, Rust and python3 with pip
    tests/previous_release.py --old BIN --new BIN

The previous release makes data and stops. This one migrates it and runs as a whole; a command-api and a query-api of the previous one run beside
it. Commands go through both in turn, to the same tasks, some of them again under their keys on the other side. Both read all of it, and
`taskfold verify` of this release proves the rest. Exit code 0 when all of that is so.
"""

import argparse
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid

# The last commit of the previous release.
PREVIOUS = "2d9acaf6d27385f6af56faad18cd42f588b01655"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def build(source, target):
    subprocess.run(["cargo", "build", "--locked", "--bin", "taskfold", "--target-dir", target], cwd=source, check=True)
    return pathlib.Path(target, "debug", "taskfold")


def build_previous(place):
    source = place / "source"
    source.mkdir()
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", source], input=archive, check=True)
    return build(source, place / "target")


class Process:
    def __init__(self, binary, role, *settings):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{address}"
        self.child = subprocess.Popen(
            [binary, role, "--listen", address, "--log", "warn", *settings], stdout=subprocess.DEVNULL
        )
        until(lambda: request(self.url, "GET", "/health/ready")[0] == 200, f"{role} of {binary} is ready")

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(60) == 0, "it ends well"


def until(so, what, limit=120):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            if so():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {limit} s: {what}")


def request(url, method, path, body=None, token=None, key=None):
    headers = {"Content-Type": "application/json", "Prefer": "wait=20"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    data = None if body is None else json.dumps(body).encode()
    sent = urllib.request.Request(url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(sent, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"null")


def ok(answer):
    status, body = answer
    assert status < 300, f"{status}: {body}"
    return body


def commands(here, there, token, project, columns, tasks):
    """Each command once here and once more there, under the same key."""

    def twice(method, path, body=None):
        key = str(uuid.uuid4())
        first = ok(request(here, method, path, body, token, key))
        again = ok(request(there, method, path, body, token, key))
        assert first == again, f"{method} {path}: {first} and {again}"
        return first

    task = twice("POST", f"/v1/projects/{project}/tasks", {"title": "Both", "due_at": "2100-01-01T00:00:00Z"})["id"]
    for one in [task, *tasks]:
        path = f"/v1/tasks/{one}"
        twice("PATCH", path, {"title": f"from {here}", "priority": "high"})
        twice("POST", f"{path}/comments", {"text": "a word"})
        twice("POST", f"{path}/move", {"column_id": columns[1]})
        twice("POST", f"{path}/complete", {})
        twice("POST", f"{path}/reopen", {})
        twice("POST", f"{path}/checklists", {"title": "list"})
    other = tasks[0]
    twice("PUT", f"/v1/tasks/{task}/dependencies/{other}")
    twice("DELETE", f"/v1/tasks/{task}/dependencies/{other}")
    twice("POST", f"/v1/projects/{project}/labels", {"name": str(uuid.uuid4())[:8], "color": "red"})
    twice("DELETE", f"/v1/tasks/{task}")
    twice("POST", f"/v1/tasks/{task}/restore", {})
    return task


def reads(url, token, project, task):
    paths = [f"/v1/projects/{project}{rest}" for rest in ["", "/board", "/tasks", "/members", "/events?since=0"]]
    paths += [f"/v1/tasks/{task}", f"/v1/tasks/{task}/comments", f"/v1/tasks/{task}/history", "/v1/me/notifications"]
    return {path: ok(request(url, "GET", path, token=token)) for path in paths}


def run(old, new, data):
    data = str(data)
    first = Process(old, "all", "--data-dir", data)
    ok(request(first.url, "POST", "/v1/accounts", {"username": "ada", "display_name": "A", "password": "correct horse"}))
    session = ok(request(first.url, "POST", "/v1/sessions", {"username": "ada", "password": "correct horse"}))
    token = session["access_token"]
    project = ok(request(first.url, "POST", "/v1/projects", {"name": "P"}, token))["id"]
    tasks = [
        ok(request(first.url, "POST", f"/v1/projects/{project}/tasks", {"title": f"{n}"}, token))["id"] for n in range(5)
    ]
    columns = [column["id"] for column in ok(request(first.url, "GET", f"/v1/projects/{project}", token=token))["columns"]]
    first.stop()
    print("the previous release has made data")

    now = Process(new, "all", "--data-dir", data)
    running = json.loads(pathlib.Path(data, "run.json").read_text())
    servers = ["--database-url", running["database_url"], "--nats-url", running["nats_url"], "--data-dir", data]
    old_commands = Process(old, "command-api", *servers)
    old_reads = Process(old, "query-api", *servers)
    for round_, (here, there) in enumerate([(old_commands.url, now.url), (now.url, old_commands.url)] * 3):
        task = commands(here, there, token, project, columns, tasks)
        then, today = (reads(url, token, project, task) for url in [old_reads.url, now.url])
        assert then.keys() == today.keys()
        print(f"round {round_}: both take commands, answer the other's keys, and read all of it")
    ok(request(old_commands.url, "POST", "/v1/sessions/refresh", {"refresh_token": session["refresh_token"]}))
    old_commands.stop()
    old_reads.stop()
    until(
        lambda: all(one["state"] == "ok" for one in request(now.url, "GET", "/health/ready")[1]["dependencies"]),
        "all is published",
    )
    subprocess.run([new, "verify", "--data-dir", data, "--log", "warn"], check=True)
    now.stop()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--old", type=pathlib.Path)
    options.add_argument("--new", type=pathlib.Path)
    options = options.parse_args()
    # Below /tmp, where PostgreSQL's user may go when this is root.
    with tempfile.TemporaryDirectory(prefix="taskfold-previous-") as place:
        os.chmod(place, 0o711)
        place = pathlib.Path(place)
        old = options.old or build_previous(place)
        new = options.new or build(ROOT, os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        run(old, new, place / "data")
    print("the previous release works on the schema of this one")


if __name__ == "__main__":
    sys.exit(main())
