"""The frozen vectors of protocol §13, every section of them."""

import json
import os
import tempfile
import unittest
from unittest import mock

from kit import Server, World, goldfish, judge_proof, lease_end, token, vectors

ALL = vectors()
APP = ALL["app_id"]
SEEDS = {name: bytes.fromhex(key["seed"]) for name, key in ALL["keys"].items()}
DEVICE = ALL["keys"]["device"]["public"]


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The only way to pin the published keys: the test takes the list of refused ones away.
        allowed = mock.patch.object(goldfish, "_PUBLISHED_KEYS", frozenset())
        allowed.start()
        cls.addClassCleanup(allowed.stop)
        cls.keys = goldfish._Keys(ALL["pinned"])

    def each(self, section, check):
        self.assertTrue(ALL[section]["cases"], "an empty section")
        for case in ALL[section]["cases"]:
            with self.subTest(section=section, name=case["name"]):
                check(case)

    def outcome(self, call):
        try:
            return call()
        except goldfish._Rejected:
            return "unverifiable"

    def test_every_section_has_its_test(self):
        self.assertEqual(ALL["protocol"], 1)
        read_by_others = {"_about", "protocol", "app_id", "other_app_id", "pinned"}
        left = [name for name in ALL if name not in read_by_others and not hasattr(self, "test_" + name)]
        self.assertEqual(left, [], "sections that nothing consumes")

    def test_keys(self):
        for key in ALL["keys"].values():
            raw = goldfish._public_key(bytes.fromhex(key["seed"]))
            self.assertEqual(goldfish._b64u(raw), key["public"])
            self.assertEqual(goldfish._Keys([key["public"]]).kids, [key["kid"]])

    def test_public_keys(self):
        def check(case):
            try:
                kids = goldfish._Keys([case["text"]]).kids
            except goldfish.ConfigurationError:
                kids = []
            self.assertEqual(kids, [case["kid"]] if case["ok"] else [])

        self.each("public_keys", check)

    def test_signatures(self):
        for backend in filter(None, (goldfish._PURE, goldfish._native_backend())):
            with mock.patch.object(goldfish, "_backend", lambda backend=backend: backend):
                def check(case):
                    self.assertEqual(goldfish._verify(
                        goldfish._unb64u(case["public"]), bytes.fromhex(case["message"]),
                        goldfish._unb64u(case["signature"])), case["ok"], backend.name)

                self.each("signatures", check)

    def test_base64url(self):
        def check(case):
            try:
                found = goldfish._unb64u(case["text"]).hex()
            except ValueError:
                found = None
            self.assertEqual(found, case["hex"])

        self.each("base64url", check)

    def test_fingerprints(self):
        def check(case):
            try:
                parts = list(goldfish._parts(case))
                name = goldfish._fingerprint(goldfish._parts(case))
            except ValueError:
                parts = name = None
            self.assertEqual((parts, name), (case["parts"], case["device_id"]))

        self.each("fingerprints", check)

    def test_part_hashes(self):
        def check(case):
            found = goldfish._part_hashes(case["app_id"], tuple(case["parts"]))
            self.assertEqual(list(found), case["hashes"])

        self.each("part_hashes", check)

    def test_differs(self):
        blank = goldfish._Verdict(0, 10, "run", "valid", APP, "", "", DEVICE, ("", "", ""), 0, None, 300, 1, 1, 0)
        def check(case):
            for tol in range(4):
                lease = blank._replace(parts=tuple(case["a"]), tol=tol)
                reason = goldfish._judge_lease(lease, tuple(case["b"]), 5)
                self.assertEqual(reason, "" if case["differs"] <= tol else "device_changed")

        self.each("differs", check)

    def test_card_keys(self):
        def check(case):
            self.assertEqual(goldfish.normalise_card_key(case["typed"]), case["key"])

        self.each("card_keys", check)

    def test_request_text(self):
        def check(case):
            t = "" if case["t"] is None else str(case["t"])
            text = goldfish._request_text(
                case["method"], case["path"], case["app_id"], t, case["device_key"],
                case["idempotency_key"], case["bearer"], case["body"].encode())
            self.assertEqual(text.decode(), case["text"])
            self.assertEqual(len(text), case["bytes"])
            self.assertEqual(goldfish._request_hash(text), case["req"])
            if case["proof"]:
                self.assertEqual(goldfish._b64u(goldfish._sign(SEEDS["device"], text)), case["signature"])
                self.assertEqual(goldfish._proof(SEEDS["device"], case["t"], text), case["proof"])

        self.each("request_text", check)

    def test_proofs(self):
        """The judgement of the tests' server, by which it takes what the SDK sends."""
        def check(case):
            found = judge_proof(case["header"], case["now"], lambda t, key: goldfish._request_text(
                "POST", "/api/v1/card-keys/verify", APP, t, key, "", "", case["body"].encode()))
            self.assertEqual(found, case["result"])

        self.each("proofs", check)

    def test_lease_ends(self):
        """The rule by which the tests' server gives its leases."""
        def check(case):
            ends = lease_end(case["iat"], case["grace"], case["beat"], case["card_end"])
            self.assertEqual(ends, case["exp"])

        self.each("lease_ends", check)

    def test_beats(self):
        def check(case):
            self.assertEqual(goldfish._clamped(case["said"]), case["used"])

        self.each("beats", check)

    def test_tokens(self):
        expect = ALL["tokens"]["expect"]
        own = ALL["orders"]["own"]
        def check(case):
            self.assertEqual(self.place(case, expect, own), (case["result"], case["check"], case["act"]))

        self.each("tokens", check)

    def place(self, case, expect, own):
        try:
            if case["place"] == "verdict":
                last = goldfish._NEVER
                if case["stored"]:
                    last = goldfish._Moment(case["stored"]["iat"], case["stored"]["ep"], 1, 1)
                verdict = goldfish._check_verdict(self.keys, case["token"], last=last, **expect)
                return "ok", 0, verdict.act
            if case["place"] == "order":
                order = goldfish._check_order(self.keys, case["token"], app_id=APP, **own)
                self.assertIsNotNone(order)
            else:
                goldfish._check_notice(self.keys, case["token"], APP)
            return "ok", 0, ""
        except goldfish._Rejected as problem:
            return "unverifiable", problem.check, ""

    def test_leases(self):
        section = ALL["leases"]
        def check(case):
            lease = goldfish._open_lease(self.keys, case["lease"], section["app_id"], section["key"])
            reason = goldfish._judge_lease(lease, tuple(case["parts"]), case["now"])
            self.assertEqual(reason or "good", case["result"])

        self.each("leases", check)

    def test_receipts(self):
        """What the client shows as its receipt, and what it takes for none."""
        section = ALL["receipts"]
        def check(case):
            lease = goldfish._open_lease(self.keys, case["receipt"], section["app_id"], section["key"])
            self.assertEqual(lease is not None, case["result"] != "bad")
            if lease is None:
                return
            covered = any(lease.ep < lost["ep"] and lost["from"] - 600 <= lease.iat <= lost["to"] + 600
                          for lost in section["lost"])
            result = "rolled_back" if lease.ep >= section["ep"] else "adopted" if covered else "kept"
            self.assertEqual(result, case["result"])

        self.each("receipts", check)

    def test_orders(self):
        section = ALL["orders"]
        def check(case):
            found = self.outcome(lambda: goldfish._check_order(
                self.keys, case["order"], app_id=section["app_id"], **section["own"]))
            result = found if found == "unverifiable" else "ignore" if found is None else "obey"
            self.assertEqual(result, case["result"])
            if result == "obey":
                self.assertEqual(found.act, case["act"])

        self.each("orders", check)

    def test_notices(self):
        section = ALL["notices"]
        def check(case):
            found = self.outcome(lambda: goldfish._check_notice(self.keys, case["notice"], section["app_id"]))
            result = found if found == "unverifiable" else "show" if found.seq > case["seen"] else "ignore"
            self.assertEqual(result, case["result"])

        self.each("notices", check)

    def test_state(self):
        seed = bytes.fromhex(ALL["state"]["seed"])
        def check(case):
            line = goldfish._open_state(seed, case["file"].encode())
            self.assertEqual(None if line is None else line.decode(), case["line"])
            if line is not None:
                state = goldfish._state_of(line)
                self.assertEqual(json.loads(state.line().decode()), json.loads(case["line"]))

        self.each("state", check)

    def test_time(self):
        """Each script is played by whole clients, over real files and a real socket."""
        def check(case):
            with tempfile.TemporaryDirectory() as folder:
                script = TimeScript(self, folder)
                try:
                    for number, step in enumerate(case["steps"]):
                        with self.subTest(step=number, do=step["do"]):
                            getattr(script, step["do"])(step)
                finally:
                    script.close()

        self.each("time", check)


class TimeScript:
    """One script of the section "time": a computer, its processes, and the verdicts they get."""

    def __init__(self, test, folder):
        self.test = test
        self.server = Server()
        self.server.sign = lambda claims: token(claims, seed=SEEDS["signing"])
        self.world = World(folder, facts={
            "cpu_id": "test_cpu_123", "motherboard_id": "test_mb_456", "mac_address": "00:11:22:33:44:55"})
        self.client = None
        os.makedirs(os.path.join(folder, "state"))
        with open(self.world.path("device.key"), "w") as file:
            file.write(goldfish._b64u(SEEDS["device"]))

    def close(self):
        if self.client is not None:
            self.drop()
        self.server.close()

    def drop(self):
        """The process is gone without a last word."""
        with mock.patch.object(self.client, "_save_time"):
            self.client.close()

    def at(self, step):
        self.world.local_now, self.world.mono_now = float(step["local"]), float(step["mono"])

    def start(self, step):
        if self.client is not None:
            self.drop()
        self.at(step)
        self.client = goldfish.Client(self.server.url, APP, public_keys=ALL["pinned"], version="1.0.0",
                                      _world=self.world)
        expect = step["expect"]
        self.client._load()
        if "second" in expect:
            self.test.assertEqual(self.second(), expect["second"])
        self.test.assertEqual(self.client._now(), expect["now"])
        self.test.assertEqual(self.client._judge(at_start=True) or "good", expect["lease"])

    def second(self):
        seed = SEEDS["device"]
        moment = goldfish._Store(self.world.folders(), goldfish._FilePlace(self.world.folders().second)).read(seed)[1]
        return None if moment is None else dict(moment._asdict())

    def verdict(self, step):
        self.at(step)
        wanted = {name: step[name] for name in ("iat", "ep", "act", "exp")}
        self.server.change = lambda claims, request: dict(claims, **wanted)
        try:
            self.client._call("/api/v1/card-keys/verify", {"card_id": "x"})
            accepted = True
        except goldfish.Unverifiable:
            accepted = False
        self.test.assertEqual(accepted, step["expect"]["accepted"])

    def judge(self, step):
        self.at(step)
        self.test.assertEqual(self.client._now(), step["expect"]["now"])
        self.test.assertEqual(self.client._judge() or "good", step["expect"]["lease"])

    def store(self, step):
        self.at(step)
        self.client._save_time()
        self.test.assertEqual(self.client._time.moment.high, step["expect"]["high"])
        self.test.assertEqual(self.second()["high"], step["expect"]["high"])

    def keep_state(self, step):
        os.replace(self.world.path("state.json"), self.world.path("kept"))
        with open(self.world.path("kept"), "rb") as kept, open(self.world.path("state.json"), "wb") as file:
            file.write(kept.read())

    def put_back_state(self, step):
        os.replace(self.world.path("kept"), self.world.path("state.json"))

    def lose_state(self, step):
        os.remove(self.world.path("state.json"))

    def lose_second(self, step):
        os.remove(self.world.folders().second)

    def edit_state(self, step):
        with open(self.world.path("state.json"), encoding="ascii") as file:
            line, mac = file.read().split("\n", 1)
        record = json.loads(line)
        record["high"] = step["local"]
        with open(self.world.path("state.json"), "w", encoding="ascii") as file:
            file.write(json.dumps(record, separators=(",", ":")) + "\n" + mac)


if __name__ == "__main__":
    unittest.main()
