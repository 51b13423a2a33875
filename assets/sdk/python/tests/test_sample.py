"""The sample app as a customer runs it: a process of its own, real clocks, its own home folder."""

import os
import subprocess
import sys
import threading
import time
import unittest

from kit import APP, CARD, CARD_KEY, HERE, PATIENCE, SIGNING, STANDBY, Case, public, token

SDK = os.path.dirname(HERE)


class Sample(Case):
    def setUp(self):
        super().setUp()
        self.server.now = int(time.time())
        self.server.claims = {"card": {"id": CARD, "state": "active", "validity": "permanent", "expires_at": None,
                                       "tier": "pro", "features": ["export"]}}
        with open(os.path.join(SDK, "sample_app.py"), encoding="utf-8") as file:
            self.template = file.read()
        self.program = os.path.join(self.folder, "my_app.py")
        filled = self.template
        for name, value in (("SERVER_URL", self.server.url), ("APP_ID", APP),
                            ("PUBLIC_KEYS", public(SIGNING) + "," + public(STANDBY))):
            self.assertEqual(filled.count("{{%s}}" % name), 1, "one place to fill in")
            filled = filled.replace("{{%s}}" % name, value)
        self.assertNotIn("{{", filled)
        with open(self.program, "w", encoding="utf-8") as file:
            file.write(filled)
        with open(os.path.join(SDK, "goldfish.py"), "rb") as source:
            with open(os.path.join(self.folder, "goldfish.py"), "wb") as file:
                file.write(source.read())

    def begin(self, *arguments, **environment):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("GOLDFISH", "XDG", "LC_", "LANG"))}
        env.update(HOME=self.folder, PYTHONDONTWRITEBYTECODE="1", PYTHONIOENCODING="utf-8", **environment)
        child = subprocess.Popen([sys.executable, self.program, "--pretend-device", "desk"] + list(arguments), env=env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end, child)
        return child

    @staticmethod
    def end(child):
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()

    def run_to_end(self, *arguments, **environment):
        child = self.begin(*arguments, **environment)
        out, err = child.communicate(timeout=60)
        self.assertEqual(err.decode(), "")
        return child.returncode, out.decode().splitlines()

    def line(self, child, start):
        """The next line that begins so; its words."""
        while True:
            line = child.stdout.readline().decode()
            if not line:
                self.fail("ended with %r before %r: %s" % (child.wait(), start, child.stderr.read().decode()))
            if line.startswith(start):
                return line.strip()

    def test_the_template_is_python(self):
        compile(self.template, "sample_app.py", "exec")

    def test_a_customers_day(self):
        client_key = []
        talking = threading.Event()
        go = threading.Event()
        self.addCleanup(go.set)

        def talk(peer):
            peer.receive()
            peer.send({"type": "welcome", "ep": 1, "seq": 41, "reset": False})
            talking.set()
            go.wait(PATIENCE)
            notice = {"v": 1, "iss": "x", "aud": APP, "iat": self.server.now, "exp": None, "ep": 1, "seq": 7,
                      "kind": "announcement", "data": {"id": "n7", "type": "notice", "priority": "high",
                                                       "title": {"zh": "新版本\n来了"}, "body": {"zh": "请更新"}}}
            peer.send({"type": "push", "seq": 7, "token": token(notice, "goldfish-notice+jwt")})
            peer.receive()
            order = {"v": 1, "iss": "x", "aud": APP, "iat": self.server.now, "ep": 1, "seq": 42, "key": client_key[0],
                     "card": CARD, "session": "", "act": "stop", "code": "card_disabled", "spread": 0}
            peer.send({"type": "push", "seq": 42, "token": token(order, "goldfish-order+jwt")})
            while peer.receive() is not None:
                pass
        self.server.talk = talk
        child = self.begin("--register", "--card-key", "ａｂｃｄ 2345 efgh 6789", "--username", "lina",
                           GOLDFISH_PASSWORD="Passw0rd!")
        self.line(child, "GOLDFISH registered lina")
        self.line(child, "GOLDFISH signed-in lina")
        self.assertEqual(self.line(child, "GOLDFISH activated").split()[2], "card=" + CARD)
        words = self.line(child, "GOLDFISH licence run valid").split()
        self.assertIn("online=yes", words)
        self.assertIn("tier=pro", words)
        self.assertIn("features=export", words)
        self.assertIn("expires=never", words)
        self.assertTrue(talking.wait(PATIENCE))
        request = self.server.calls("activate")[0]
        self.assertEqual(request.bearer, "access-1")
        client_key.append(request.key)
        go.set()
        self.assertEqual(self.line(child, "GOLDFISH notice"), "GOLDFISH notice announcement seq=7 type=notice "
                         "priority=high id=n7 title=新版本 来了 body=请更新")
        self.assertRegex(self.line(child, "GOLDFISH stop"), r"\AGOLDFISH stop card_disabled 卡密已被禁用")
        self.assertEqual(child.wait(timeout=60), 3)

    def test_the_next_start_needs_no_sign_in_and_no_network(self):
        code, lines = self.run_to_end("--once", "--card-key", CARD_KEY, "--lang", "en")
        self.assertEqual(code, 0, lines)
        self.assertEqual([line.split()[1] for line in lines if "state" not in line], ["activated", "licence"])
        code, lines = self.run_to_end("--once")
        self.assertEqual(code, 0, lines)
        self.assertRegex(lines[-1], r"\AGOLDFISH licence run valid online=yes ")
        self.assertEqual(len(self.server.calls("activate")), 1)
        self.server.respond = lambda request: lambda out: None
        code, lines = self.run_to_end("--once", "--lang", "en")
        self.assertEqual(code, 0, lines)
        self.assertRegex(lines[-1], r"\AGOLDFISH licence run unreachable online=no ")

    def test_a_second_computer(self):
        self.server.change = lambda own, request: dict(own, act="stop", code="device_limit", exp=own["iat"])
        code, lines = self.run_to_end("--once", "--card-key", CARD_KEY, "--pretend-device", "laptop")
        self.assertEqual(code, 1)
        self.assertRegex(lines[-1], r"\AGOLDFISH refused device_limit 设备已绑定")

    def test_nothing_to_start_with(self):
        code, lines = self.run_to_end("--once")
        self.assertEqual((code, lines[-1].split()[1:3]), (1, ["refused", "no_lease"]))
        self.server.respond = lambda request: lambda out: None
        code, lines = self.run_to_end("--once", "--card-key", CARD_KEY)
        self.assertEqual((code, lines[-1].split()[1:3]), (1, ["failed", "unreachable"]))

    def test_wrong_settings(self):
        code, lines = self.run_to_end("--once", "--url", "http://192.0.2.1:8000")
        self.assertEqual((code, lines[-1].split()[1:3]), (2, ["failed", "plain_http_refused"]))
        code, lines = self.run_to_end("--once", "--public-keys", "")
        self.assertEqual((code, lines[-1].split()[1:3]), (2, ["failed", "keys_required"]))
        code, lines = self.run_to_end("--once", GOLDFISH_APP_ID="nonsense")
        self.assertEqual((code, lines[-1].split()[1:3]), (2, ["failed", "app_id_invalid"]))

    def test_an_output_without_chinese(self):
        child = self.begin("--once")
        child.communicate(timeout=60)
        env = dict(os.environ, HOME=self.folder, PYTHONIOENCODING="ascii", PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run([sys.executable, self.program, "--once", "--lang", "zh"], env=env, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertIn(b"GOLDFISH refused no_lease \\u", done.stdout)


if __name__ == "__main__":
    unittest.main()
