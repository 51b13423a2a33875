"""What the tests share: the frozen vectors, a signer, a world with its own clocks and folders, and a
server on a real socket that is honest until a test tells it otherwise."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import goldfish  # noqa: E402

APP = "0b6a3c1e-4f0d-4a5b-9c8d-7e6f5a4b3c2d"
OTHER_APP = "9a1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d"
SIGNING = hashlib.sha256(b"goldfish tests: current signing key").digest()
STANDBY = hashlib.sha256(b"goldfish tests: standby signing key").digest()
FOREIGN = hashlib.sha256(b"goldfish tests: somebody else's key").digest()
CARD = "Zk3sV0q8yTn1mWc5xRb7Lg"
CARD_KEY = "ABCD-2345-EFGH-6789"
NOW = 1_800_000_000
DAY = 86400
FACTS = {"cpu_id": "test_cpu_123", "motherboard_id": "test_mb_456", "mac_address": "00:11:22:33:44:55"}
OTHER_FACTS = {"cpu_id": "other_cpu", "motherboard_id": "other_mb", "mac_address": "00:11:22:33:44:66"}
PATIENCE = 20.0  # real seconds within which something awaited must happen


def vectors():
    with open(os.path.join(HERE, "..", "..", "vectors.json"), encoding="utf-8") as file:
        return json.load(file)


def public(seed):
    return goldfish._b64u(goldfish._public_key(seed))


def kid(seed):
    return hashlib.sha256(goldfish._public_key(seed)).hexdigest()[:16]


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def token(claims, typ="goldfish-verdict+jwt", seed=SIGNING, header=None, signature=None):
    """A compact JWS; header and signature can be anything a test wants."""
    if header is None:
        header = '{"alg":"EdDSA","kid":"%s","typ":"%s"}' % (kid(seed), typ)
    signed = goldfish._b64u(header.encode()) + "." + goldfish._b64u(compact(claims))
    if signature is None:
        signature = goldfish._sign(seed, signed.encode())
    return signed + "." + goldfish._b64u(signature)


def judge_proof(header, now, text):
    """What a server makes of a Goldfish-Proof header; text(t, key) is R."""
    parts = header.split(".")
    if len(parts) != 4 or parts[0] != "v1":
        return "proof_invalid"
    try:
        t = int(parts[1])
        key, signature = goldfish._unb64u(parts[2]), goldfish._unb64u(parts[3])
    except ValueError:
        return "proof_invalid"
    if str(t) != parts[1] or abs(t) >= 2 ** 63 or len(key) != 32 or len(signature) != 64:
        return "proof_invalid"
    if abs(t - now) > 300:
        return "proof_time"
    return "ok" if goldfish._verify(key, text(parts[1], parts[2]), signature) else "proof_invalid"


def lease_end(iat, grace, beat, card_end):
    """exp of a run verdict."""
    ends = iat + max(min(grace, 90 * DAY), 3 * beat)
    if card_end is not None:
        ends = min(ends, card_end)
    return max(ends, iat)


def eventually(condition, what, seconds=PATIENCE):
    """Waits until condition() is true; fails by name otherwise."""
    give_up = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= give_up:
            raise AssertionError("did not happen: " + what)
        time.sleep(0.005)


class World(goldfish._World):
    """Clocks that stand still until a test moves them, folders of its own, given device facts."""

    patience_seconds = 8.0

    def __init__(self, folder, local=NOW, facts=FACTS):
        super().__init__()
        self.folder = folder
        self.local_now = float(local)
        self.mono_now = 1000.0
        self.facts = facts
        self.dials = 0
        self.cut_off = False
        self.luck = 0.0  # where in its span every random number lies

    def local(self):
        return self.local_now

    def mono(self):
        return self.mono_now

    def advance(self, seconds):
        self.local_now += seconds
        self.mono_now += seconds

    def uniform(self, low, high):
        return low + (high - low) * self.luck

    def wait(self, condition, seconds):
        condition.wait(min(seconds, 0.005))

    def dial(self, target, context, cancel, deadline):
        self.dials += 1
        if self.cut_off:
            raise ConnectionRefusedError("no network in this test")
        return super().dial(target, context, cancel, deadline)

    def device_info(self):
        return dict(self.facts)

    def folders(self):
        return goldfish._Folders(os.path.join(self.folder, "shared"), os.path.join(self.folder, "state"),
                                 os.path.join(self.folder, "second", "record"))

    def store(self, app_id):
        return goldfish._Store(self.folders(), goldfish._FilePlace(self.folders().second))

    def path(self, name):
        return os.path.join(self.folder, "state", name)


class Request:
    """A device call as the server sees it."""

    def __init__(self, method, path, headers, body):
        self.method, self.headers, self.body = method, headers, body
        parts = urllib.parse.urlsplit(path)
        self.path, self.query = parts.path, urllib.parse.parse_qs(parts.query)
        self.json = json.loads(body.decode()) if body else {}
        self.proof = headers.get("Goldfish-Proof", "")
        self.idempotency = headers.get("Idempotency-Key", "")
        self.bearer = headers.get("Authorization", "")[7:]
        _, self.t, self.key, _ = (self.proof.split(".") + [""] * 4)[:4]
        self.req = goldfish._request_hash(self.request_text(self.t, self.key))

    def request_text(self, t, key):
        return goldfish._request_text(self.method, self.path[self.path.find("/api/v1"):], self.json.get("app_id", ""),
                                      t, key, self.idempotency, self.bearer, self.body)

    def proof_is(self, now):
        return judge_proof(self.proof, now, self.request_text)


class Peer:
    """The server's end of a WebSocket."""

    def __init__(self, handler):
        self._read = handler.rfile
        self._write = handler.wfile
        self.closed_with = None
        self.pongs = []

    def raw(self, data):
        self._write.write(data)
        self._write.flush()

    def frame(self, opcode, payload, final=True):
        head = bytes([(0x80 if final else 0) | opcode])
        size = len(payload)
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + struct.pack("!H", size)
        else:
            head += bytes([127]) + struct.pack("!Q", size)
        self.raw(head + payload)

    def send(self, message):
        self.frame(1, compact(message))

    def receive(self):
        """The next message as an object, None once the client has closed."""
        while True:
            head = self._read.read(2)
            if len(head) < 2:
                return None
            opcode, size = head[0] & 15, head[1] & 127
            assert head[1] & 0x80, "a client's frame must be masked"
            if size == 126:
                size = struct.unpack("!H", self._read.read(2))[0]
            mask = self._read.read(4)
            payload = bytes(b ^ mask[i & 3] for i, b in enumerate(self._read.read(size)))
            if opcode == 8:
                self.closed_with = struct.unpack("!H", payload[:2])[0] if payload else 1005
                return None
            if opcode == 10:
                self.pongs.append(payload)
            if opcode == 9:
                self.frame(10, payload)
            if opcode == 1:
                return json.loads(payload.decode())

    def close(self, code):
        self.frame(8, struct.pack("!H", code))


class Server:
    """A miniature of the licence server. Tests replace ``change`` (of a verdict's claims),
    ``sign`` (claims → token), ``respond`` (everything) or ``talk`` (WebSocket)."""

    def __init__(self):
        self.now = NOW
        self.grace = 7 * DAY
        self.claims = {}
        self.status = 200
        self.change = lambda claims, request: claims
        self.sign = token
        self.respond = self.honest
        self.talk = self.polite
        self.extra = {}
        self.announcements = []
        self.requests = []
        self.accounts = {}
        self.tickets = 0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                self.do_POST()

            def do_POST(self):
                server._serve(self)

        self._httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = False
        self.url = "http://127.0.0.1:%d" % self._httpd.server_port
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.01,), name="test-server")
        self._thread.start()

    def close(self):
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()

    def _serve(self, handler):
        handler.close_connection = True
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        request = Request(handler.command, handler.path, handler.headers, body)
        self.requests.append(request)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if request.path.endswith("/api/v1/ws"):
                self._upgrade(handler)
            else:
                self._answer(handler, self.respond(request))

    @staticmethod
    def _answer(handler, answer):
        if callable(answer):  # writes raw bytes itself
            answer(handler.wfile)
            return
        status, value = answer
        data = value if isinstance(value, bytes) else compact(value)
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(data)

    def _upgrade(self, handler):
        key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        handler.wfile.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: %s\r\n\r\n" % accept).encode())
        handler.wfile.flush()
        self.talk(Peer(handler))

    def polite(self, peer):
        hello = peer.receive()
        peer.send({"type": "welcome", "ep": hello["ep"], "seq": 0, "reset": False})
        while peer.receive() is not None:
            pass

    def verdict(self, request, **changes):
        """The claims of an honest answer to this request."""
        parts = goldfish._part_hashes(request.json["app_id"], goldfish._parts(request.json["device_info"]))
        claims = {
            "v": 1, "iss": "5d8f1a90-2b7c-4c3e-9f64-7e0b1d2c3a4f", "aud": request.json["app_id"], "sub": "",
            "iat": self.now, "exp": lease_end(self.now, self.grace, 300, None), "nonce": request.json["nonce"], "req": request.req,
            "act": "run", "code": "valid", "dev": "d48ea1ea6b2cd331adb54bb8513bb175", "key": request.key,
            "parts": list(parts), "tol": 1,
            "card": {"id": CARD, "state": "active", "validity": "duration", "expires_at": NOW + 30 * DAY,
                     "tier": "pro", "features": ["export", "batch.2"]},
            "beat": 300, "ep": 1, "seq": 41, "news": 0,
        }
        claims.update(self.claims)
        claims.update(changes)
        if claims["act"] != "run":
            claims["exp"] = claims["iat"]
        return claims

    def honest(self, request):
        if request.path.startswith("/api/v1/auth/"):
            return self.sign_in(request)
        if request.path == "/api/v1/announcements":
            return 200, {"success": True, "message": "", "data": {"items": self.announcements, "next": ""}}
        claims = self.verdict(request)
        proof = request.proof_is(self.now)
        if proof != "ok":
            claims.update(act="wait", code=proof, exp=claims["iat"])
        claims = self.change(claims, request)
        data = {"device_id": claims.get("dev"), "card_id": CARD, "verdict": self.sign(claims)}
        if request.json.get("ticket"):
            self.tickets += 1
            data["ticket"] = goldfish._b64u(b"ticket %024d" % self.tickets)
        data.update(self.extra)
        if claims.get("act") == "run":
            return self.status, {"success": True, "message": "卡密激活成功", "data": data}
        return problem(409, claims.get("code", ""), "文字 text", verdict=data["verdict"])

    def sign_in(self, request):
        call = request.path.rsplit("/", 1)[1]
        name = request.json.get("username", "")
        user = {"id": "u1", "username": name or "lina", "email": "", "role": "customer"}
        if call == "register":
            self.accounts[name] = request.json["password"]
            return 201, {"success": True, "message": "", "data": {"user": user}}
        if call == "login" and self.accounts.get(name) != request.json["password"]:
            return problem(401, "credentials_wrong", "用户名或密码错误")
        if call in ("login", "refresh"):
            self.tickets += 1
            return 200, {"success": True, "message": "", "access_token": "access-%d" % self.tickets,
                         "refresh_token": "refresh-%d" % self.tickets, "token_type": "Bearer",
                         "expires_in": 7200, "data": {"user": user}}
        if not request.bearer:
            return problem(401, "token_missing", "请先登录")
        return 200, {"success": True, "message": "", "data": {"user": user}}

    def calls(self, ending):
        return [request for request in self.requests if request.path.endswith(ending)]


def problem(status, code, message, **more):
    answer = {"type": "about:blank", "title": "x", "status": status, "detail": message, "code": code,
              "success": False, "message": message}
    answer.update(more)
    return status, answer


class Case(unittest.TestCase):
    """A test with a server, a world and clients that are closed at its end; fails if a thread of the
    SDK is left."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = Server()
        self.addCleanup(self._no_thread_left)
        self.addCleanup(self.server.close)
        self.world = World(self.folder)

    def _no_thread_left(self):
        left = [t.name for t in threading.enumerate() if t.name.startswith(("goldfish", "test-"))]
        self.assertEqual(left, [], "threads left behind")

    def client(self, world=None, **options):
        settings = dict(public_keys=[public(SIGNING), public(STANDBY)], version="1.0.0", lang="en")
        settings.update(options)
        client = goldfish.Client(settings.pop("url", self.server.url), settings.pop("app_id", APP),
                                 _world=world or self.world, **settings)
        self.addCleanup(client.close)
        return client

    def licensed(self, **options):
        """A client whose card key is activated."""
        client = self.client(**options)
        client.activate(CARD_KEY)
        return client

    def restarted(self, client, **options):
        """The next process on the same computer."""
        client.close()
        return self.client(**options)


class Started(Case):
    """A client with its threads. The world's clock moves only when a test says so."""

    def setUp(self):
        super().setUp()
        self.stops, self.states, self.notices = [], [], []

    def start(self, client, push=False, **options):
        return client.start(push=push, on_stop=self.stops.append, on_state=self.states.append,
                            on_notice=self.notices.append, **options)

    def beats(self):
        return len(self.server.calls("heartbeat"))

    def says(self, act, code, **claims):
        self.server.change = lambda own, request: dict(own, act=act, code=code, exp=own["iat"], **claims)

    def advance(self, seconds):
        self.world.advance(seconds)
        self.server.now = int(self.world.local_now)

    def beat(self, client, seconds=300):
        """Lets the next heartbeat come, and its answer be taken in."""
        before = self.beats()
        self.advance(seconds)
        eventually(lambda: self.beats() > before, "a heartbeat")
        eventually(lambda: client._runner._beat_at > self.world.mono(), "its answer")

    def stopped(self, code, act="stop"):
        eventually(lambda: self.stops, "on_stop")
        self.assertEqual([(reason.act, reason.code) for reason in self.stops], [(act, code)])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
