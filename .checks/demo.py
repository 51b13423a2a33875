"""Plays the vendor's first day against a real binary and a throw-away file, printing each step.

    python3 .checks/demo.py .build/goldfish

It uses the real APIs, the sample and the SDK as the appliance serves them, and a second process that watches the
back office's live socket. It fails when a device that comes online, an announcement or an order is not seen both
there and by the client. Python's standard library alone.
"""

import base64
import csv
import io
import json
import os
import queue
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

FIRST, PASSWORD = "admin1314159", "Demo-Vendor-2026!"
PATIENCE = 60.0
passed = 0


class Failed(Exception):
    """A step did not do what it must."""


def step(text):
    global passed
    passed += 1
    print("%2d  %s" % (passed, text), flush=True)


def need(holds, what):
    if not holds:
        raise Failed(what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Lines:
    """A process whose printed lines are read as they come."""

    def __init__(self, command, **options):
        self.seen = []
        self.queue = queue.Queue()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            encoding="utf-8", errors="replace", **options)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)

    def until(self, *words):
        """The next line that holds all words."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                line = self.queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed("waited in vain for %r; it said:\n  %s" % (words, "\n  ".join(self.seen))) from None
            if line is None:
                raise Failed("it ended before %r; it said:\n  %s" % (words, "\n  ".join(self.seen)))
            self.seen.append(line)
            if all(word in line for word in words):
                return line

    def ends(self):
        """The exit code, once it has ended by itself."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed("it did not end; it said:\n  %s" % "\n  ".join(self.seen)) from None

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close() if not self.reader.is_alive() else None


class API:
    """The back office as a script sees it."""

    def __init__(self, url):
        self.url, self.token = url, ""

    def raw(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode("utf-8")
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read()

    def call(self, method, path, body=None):
        status, raw = self.raw(method, path, body)
        return status, json.loads(raw)

    def data(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        need(status < 300 and answer["success"], "%s %s gave %d %s" % (method, path, status, answer))
        return answer["data"]


class Live:
    """The least of a WebSocket client (RFC 6455): text frames both ways."""

    def __init__(self, host, port, path):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n"
                             % (path, host, port, key)).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.exactly(1)
        need(b" 101 " in head.split(b"\r\n")[0], "no upgrade: %r" % head)

    def exactly(self, size):
        got = b""
        while len(got) < size:
            part = self.socket.recv(size - len(got))
            need(part, "the live socket closed")
            got += part
        return got

    def frame(self, opcode, payload):
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([0x80 | opcode]) + (bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def send(self, message):
        self.frame(1, json.dumps(message).encode())

    def receive(self):
        while True:
            first, second = self.exactly(2)
            size = second & 0x7F
            if size == 126:
                size, = struct.unpack(">H", self.exactly(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.exactly(8))
            payload = self.exactly(size)
            opcode = first & 15
            if opcode == 1:
                return json.loads(payload)
            if opcode == 9:
                self.frame(10, payload)
            need(opcode != 8, "the live socket was closed: %r" % payload)


def watch(url, token):
    """The second process: prints what the back office's live socket tells."""
    api = API(url)
    api.token = token
    host, port = url.split("//")[1].split(":")
    live = Live(host, int(port), "/api/v1/admin/ws")
    live.send({"type": "hello", "ticket": api.data("POST", "/api/v1/admin/ws-ticket", {})["ticket"], "after": 0})
    while True:
        message = live.receive()
        kind = message["type"]
        if kind == "welcome":
            print("watching", flush=True)
        elif kind == "event":
            print("event", message["event"]["kind"], message["event"]["object"].get("id", ""), flush=True)
        elif kind == "presence":
            device = message["device"]
            print("device", "online" if device["online"] else "offline", device["device_id"], flush=True)


class Demo:
    def __init__(self, binary, folder):
        self.binary, self.folder = os.path.abspath(binary), folder
        self.console, self.client = ("http://127.0.0.1:%d" % free_port() for _ in range(2))
        self.api, self.server, self.watcher = API(self.console), None, None
        self.apps = []

    def start_server(self):
        self.server = Lines([
            self.binary, "serve", "--data", os.path.join(self.folder, "data"),
            "--machine-key", os.path.join(self.folder, "conf", "machine.key"),
            "--console-listen", self.console[7:], "--api-listen", self.client[7:]])
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self.api.raw("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            need(self.server.process.poll() is None, "the appliance ended with %s" % self.server.process.poll())
            need(time.monotonic() < deadline, "the appliance did not become ready")
            time.sleep(0.05)

    def stop_server(self):
        self.server.process.send_signal(signal.SIGTERM)
        need(self.server.ends() == 0, "the appliance did not stop cleanly")
        self.server.kill()

    def vendor(self):
        status, _ = self.api.call("POST", "/api/v1/auth/login", {"username": "admin", "password": "Wrong-Password-1"})
        need(status == 401, "a wrong password gave %d" % status)
        status, answer = self.api.call("POST", "/api/v1/auth/login", {"username": "admin", "password": FIRST})
        need(status == 200 and answer["token_type"] == "Bearer", "the first sign-in gave %d" % status)
        self.api.token = answer["access_token"]
        status, answer = self.api.call("GET", "/api/v1/admin/apps")
        need(status == 403 and answer["code"] == "password_change_required", "before the change: %d %s" % (status, answer))
        status, answer = self.api.call("POST", "/api/v1/auth/password", {"old_password": FIRST, "new_password": PASSWORD})
        need(status == 200, "the change gave %d %s" % (status, answer))
        self.api.token = answer["access_token"]
        step("the vendor signed in, could do nothing, and changed the first password")

    def make_app(self):
        self.app = self.api.data("POST", "/api/v1/admin/apps", {"name": {"zh": "演示程序", "en": "Demo"}})
        sample = self.api.data("GET", "/api/v1/admin/apps/%s/sample" % self.app["id"])
        self.home = os.path.join(self.folder, "app")
        os.mkdir(self.home)
        with open(os.path.join(self.home, "sample_app.py"), "w", encoding="utf-8") as f:
            f.write(sample["text"])
        status, sdk = API(self.client).raw("GET", "/sdk/goldfish.py")
        need(status == 200, "the SDK gave %d" % status)
        with open(os.path.join(self.home, "goldfish.py"), "wb") as f:
            f.write(sdk)
        step("app %s, its sample filled in, the SDK taken from the appliance" % self.app["id"])

    def make_keys(self):
        made = self.api.data("POST", "/api/v1/admin/batches", {
            "app_id": self.app["id"], "name": "demo", "count": 1000,
            "validity": {"kind": "duration", "seconds": 30 * 24 * 3600}})
        deadline = time.monotonic() + PATIENCE
        while True:
            job = self.api.data("GET", "/api/v1/admin/jobs/" + made["job"]["id"])
            if job["state"] == "done":
                break
            need(job["state"] == "running" and time.monotonic() < deadline, "the job is %s" % job)
            time.sleep(0.02)
        status, raw = self.api.raw("GET", "/api/v1/admin/exports/cards?format=csv&batch_id=" + made["batch"]["id"])
        need(status == 200 and raw.startswith(b"\xef\xbb\xbf"), "the export gave %d" % status)
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
        self.keys = [row[0] for row in rows[1:]]
        need(len(set(self.keys)) == 1000 and all(len(k) == 19 for k in self.keys), "%d keys in the CSV" % len(self.keys))
        step("1,000 keys of 30 days, exported as CSV with a UTF-8 mark")

    def run_app(self, state, *options, clock=0):
        """The sample as a customer runs it; clock moves its local clock as a cheat would."""
        env = dict(os.environ, HOME=state, XDG_STATE_HOME=os.path.join(state, "state"),
                   XDG_CONFIG_HOME=os.path.join(state, "config"), PYTHONIOENCODING="utf-8",
                   GOLDFISH_PASSWORD="Demo-Customer-1!")
        os.makedirs(state, exist_ok=True)
        start = "import sys, time, runpy; real = time.time; time.time = lambda: real() + (%d); sys.path.insert(0, '.')\n" \
                "sys.argv[0] = 'sample_app.py'; runpy.run_path('sample_app.py', run_name='__main__')" % clock
        app = Lines([sys.executable, "-c", start, "--lang", "en", *options], cwd=self.home, env=env)
        self.apps.append(app)
        return app

    def customer(self):
        self.pc = os.path.join(self.folder, "pc")
        typed = self.keys[0].lower().replace("-", " ").translate({ord(c): ord(c) + 0xFEE0 for c in "23456789"})
        app = self.run_app(self.pc, "--username", "demo_customer", "--register", "--card-key", typed)
        app.until("GOLDFISH signed-in")
        app.until("GOLDFISH licence run valid")
        step("a customer registered and activated a key typed as %r" % typed)
        card = self.api.data("POST", "/api/v1/admin/cards/find", {"key": self.keys[0]})["items"][0]
        need(card["state"] == "active" and card["account"]["username"] == "demo_customer", "the console sees %s" % card)
        self.card, self.running = card, app
        self.watcher.until("device online")
        step("the console saw the device come online")

    def announce(self):
        self.running.until("push=yes")
        self.api.data("POST", "/api/v1/admin/announcements", {
            "app_ids": [self.app["id"]], "type": "notice", "priority": "high", "publish": True,
            "title": {"zh": "你好", "en": "Hello from the vendor"}, "body": {"zh": "正文", "en": "It works."}})
        self.running.until("GOLDFISH notice announcement", "Hello from the vendor")
        self.watcher.until("event announcement.published")
        step("an announcement reached the running client and the watching console")

    def restart_and_offline(self):
        self.running.kill()
        app = self.run_app(self.pc)
        app.until("GOLDFISH licence run valid online=yes")
        need(not any("signed-in" in line for line in app.seen), "it signed in again")
        app.kill()
        step("restarted, it verified by its device key without signing in")
        self.watcher.kill()
        self.stop_server()
        app = self.run_app(self.pc)
        app.until("GOLDFISH licence run", "online=no")
        app.kill()
        step("with the appliance stopped, it ran on its lease")
        app = self.run_app(self.pc, "--once", clock=-3 * 24 * 3600)
        app.until("clock_back")
        need(app.ends() == 1, "with the clock set back it started")
        step("offline with the clock set back, it did not start")
        self.start_server()
        app = self.run_app(self.pc, "--once", clock=-3 * 24 * 3600)
        app.until("GOLDFISH licence run valid online=yes")
        need(app.ends() == 0, "online with the clock set back it did not start")
        step("online with the clock set back, it did")

    def second_device(self):
        app = self.run_app(os.path.join(self.folder, "pc2"), "--pretend-device", "another", "--username",
                           "demo_customer", "--card-key", self.keys[0], "--once")
        line = app.until("device_limit")
        need(app.ends() == 1 and len(line) > 60, "the second device: %r" % line)
        step("a second device was refused: " + line.split("device_limit ", 1)[1])

    def disable(self):
        self.start_watching()
        app = self.run_app(self.pc)
        app.until("push=yes")
        changed = self.api.data("POST", "/api/v1/admin/cards/disable", {"ids": [self.card["id"]], "reason": "demo"})
        need(changed["changed"] == 1, "disabling: %s" % changed)
        self.watcher.until("event card_key.disabled")
        app.until("GOLDFISH stop card_disabled")
        need(app.ends() == 3, "it did not stop")
        step("disabled: the running client got the signed order and stopped, the console saw it")

    def disabled_while_offline(self):
        pc = os.path.join(self.folder, "pc3")
        app = self.run_app(pc, "--pretend-device", "third", "--username", "demo_customer", "--card-key", self.keys[1], "--once")
        app.until("GOLDFISH licence run valid")
        need(app.ends() == 0, "the third device did not activate")
        card = self.api.data("POST", "/api/v1/admin/cards/find", {"key": self.keys[1]})["items"][0]
        self.api.data("POST", "/api/v1/admin/cards/disable", {"ids": [card["id"]]})
        app = self.run_app(pc, "--pretend-device", "third", "--once")
        app.until("card_disabled")
        need(app.ends() == 1, "it ran although its key is disabled")
        step("a client that was offline when its key was disabled stopped at its next verification")

    def start_watching(self):
        self.watcher = Lines([sys.executable, os.path.abspath(__file__), "--watch", self.console],
                             env=dict(os.environ, GOLDFISH_DEMO_TOKEN=self.api.token))
        self.watcher.until("watching")

    def play(self):
        self.start_server()
        step("the appliance runs: console %s, client API %s" % (self.console, self.client))
        self.vendor()
        self.make_app()
        self.make_keys()
        self.start_watching()
        self.customer()
        self.announce()
        self.restart_and_offline()
        self.second_device()
        self.disable()
        self.disabled_while_offline()
        self.watcher.kill()
        self.stop_server()
        step("the appliance stopped cleanly")

    def clean_up(self):
        for process in [*self.apps, self.watcher, self.server]:
            if process is not None:
                process.kill()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--watch":
        watch(sys.argv[2], os.environ["GOLDFISH_DEMO_TOKEN"])
        return 0
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    folder = tempfile.mkdtemp(prefix="goldfish-demo-")
    demo = Demo(sys.argv[1], folder)
    try:
        demo.play()
    except Failed as problem:
        print("FAILED after step %d: %s" % (passed, problem))
        if demo.server is not None:
            while not demo.server.queue.empty():
                print("  server:", demo.server.queue.get())
        print("demo: %d passed, 1 failed" % passed)
        return 1
    finally:
        demo.clean_up()
        shutil.rmtree(folder, ignore_errors=True)
    print("demo: %d passed, 0 failed" % passed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
