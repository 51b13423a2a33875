"""Client state on disk (protocol §9): forms, folders, rights, locks, and kill -9 while writing."""

import functools
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import unittest
from unittest import mock

from kit import APP, CARD_KEY, HERE, NOW, Case, goldfish

SEED = bytes(range(32))


class Folders(unittest.TestCase):
    def folders(self, system, env=None, home="/home/li"):
        return goldfish._folders(system, env or {}, home, APP)

    def test_linux(self):
        own = self.folders("linux")
        self.assertEqual(own, ("/var/lib/goldfish/" + APP, "/home/li/.local/state/goldfish/" + APP,
                               "/home/li/.config/goldfish/" + APP))
        self.assertEqual(self.folders("linux", {"XDG_STATE_HOME": "/data/state"}).own, "/data/state/goldfish/" + APP)
        self.assertEqual(self.folders("linux", {"XDG_STATE_HOME": "relative"}).own, own.own)

    def test_mac(self):
        self.assertEqual(self.folders("darwin", home="/Users/li"), (
            "/Library/Application Support/Goldfish/" + APP, "/Users/li/Library/Application Support/Goldfish/" + APP,
            "/Users/li/Library/Preferences/goldfish." + APP))

    def test_windows(self):
        env = {"LOCALAPPDATA": r"C:\Users\li\AppData\Local", "ProgramData": r"D:\ProgramData"}
        self.assertEqual(self.folders("windows", env, r"C:\Users\li"), (
            "D:\\ProgramData\\Goldfish\\" + APP, "C:\\Users\\li\\AppData\\Local\\Goldfish\\" + APP,
            "Software\\Goldfish\\" + APP))
        self.assertEqual(self.folders("windows", {}, r"C:\Users\li").own,
                         "C:\\Users\\li\\AppData\\Local\\Goldfish\\" + APP)


class Disk(Case):
    def store(self, seal=goldfish._PLAIN_SEAL):
        return goldfish._Store(self.world.folders(), goldfish._FilePlace(self.world.folders().second), seal)

    def read(self, name):
        with open(self.world.path(name), "rb") as file:
            return file.read()

    def test_the_shared_folder_counts_where_it_was_made(self):
        self.assertEqual(self.store().folder, self.world.folders().own)
        os.makedirs(self.world.folders().shared)
        self.assertEqual(self.store().folder, self.world.folders().shared)

    def test_forms(self):
        client = self.licensed()
        key = self.read("device.key")
        self.assertEqual(key, (goldfish._b64u(client._seed) + "\n").encode())
        line, mac, rest = self.read("state.json").split(b"\n")
        self.assertEqual(rest, b"")
        record = json.loads(line.decode())
        self.assertEqual(sorted(record), sorted(
            ["v", "lease", "refusal", "iat", "ep", "at", "high", "seq", "seen", "revoked", "pending"]))
        self.assertEqual([record[n] for n in ("v", "refusal", "iat", "ep", "at", "high", "seq", "pending")],
                         [1, None, NOW, 1, NOW, NOW, 41, None])
        self.assertEqual(mac.decode(), goldfish._state_mac(client._seed, line))
        with open(self.world.folders().second, "rb") as file:
            second = goldfish._open_state(client._seed, file.read())
        self.assertEqual(json.loads(second.decode()), {"iat": NOW, "ep": 1, "at": NOW, "high": NOW})

    def test_nothing_secret_but_the_key_is_kept(self):
        client = self.client()
        client.register("lina", "Passw0rd!")
        client.login("lina", "Passw0rd!")
        client.activate(CARD_KEY)
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                for secret in (b"Passw0rd!", b"access-", b"refresh-", CARD_KEY.encode(),
                               goldfish.normalise_card_key(CARD_KEY).encode()):
                    self.assertNotIn(secret, content, name)

    def test_rights(self):
        os.makedirs(os.path.join(self.folder, "state"), mode=0o755)
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.licensed()
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.folder, "state")).st_mode), 0o700)
        for name in ("device.key", "state.json", "state.lock"):
            self.assertEqual(stat.S_IMODE(os.stat(self.world.path(name)).st_mode), 0o600, name)
        self.assertEqual(stat.S_IMODE(os.stat(self.world.folders().second).st_mode), 0o600)

    def test_what_later_versions_keep_is_carried_along(self):
        client = self.licensed()
        client._change(lambda state: state._replace(other={"revoked": {"ep": 1, "n": 7}}))
        client = self.restarted(client)
        client.verify()
        self.assertEqual(json.loads(self.read("state.json").split(b"\n")[0].decode())["revoked"], {"ep": 1, "n": 7})

    def test_the_idempotency_key_is_on_disk_before_it_is_sent(self):
        found = []

        def respond(request):
            found.append(json.loads(self.read("state.json").split(b"\n")[0].decode())["pending"])
            return lambda out: None  # the answer is lost
        self.server.respond = respond
        client = self.client()
        with self.assertRaises(goldfish.Unreachable):
            client.activate(CARD_KEY)
        sent = self.server.requests[0].idempotency
        self.assertEqual(found[0]["idempotency_key"], sent)
        self.assertRegex(sent, r"\A[A-Za-z0-9_-]{16,64}\Z")

        client = self.restarted(client)  # the next try is the same one, however the key is typed
        self.server.respond = self.server.honest
        client.activate(CARD_KEY.lower().replace("-", " "))
        again = self.server.requests[1]
        self.assertEqual(again.idempotency, sent)
        self.assertNotEqual(again.json["nonce"], self.server.requests[0].json["nonce"])
        self.assertIsNone(client._state.pending)

        client.activate(CARD_KEY)  # a new wish has a new key
        self.assertNotEqual(self.server.requests[2].idempotency, sent)

    def test_no_activation_without_a_writable_folder(self):
        with open(os.path.join(self.folder, "state"), "w", encoding="ascii") as file:
            file.write("in the way")
        client = self.client()
        with self.assertRaises(goldfish.StateError):
            client.activate(CARD_KEY)
        self.assertEqual(self.server.requests, [])

    def test_a_full_disk_while_running(self):
        """What cannot be written is kept in memory: the program runs on."""
        client = self.licensed()
        with mock.patch.object(goldfish, "_write_file", side_effect=OSError(28, "No space left on device")):
            self.server.now += 100
            client.verify()
            self.assertEqual(client._time.moment.iat, NOW + 100)
            self.assertEqual(client.check_lease(), "")

    def test_unwritable_second_place(self):
        with open(os.path.join(self.folder, "second"), "w", encoding="ascii") as file:
            file.write("in the way")
        client = self.licensed()
        self.assertEqual(client.check_lease(), "")
        client = self.restarted(client)
        self.assertEqual(client.check_lease(), "")

    def test_two_processes_share_one_state(self):
        one, two = self.licensed(), self.client()
        self.assertEqual(two.check_lease(), "")
        self.server.claims = {"iat": NOW + 50, "seq": 50}
        one.verify()
        two._save_time()  # takes over what the other learnt
        self.assertEqual(two._state.seq, 50)
        self.assertEqual(two._time.moment.iat, NOW + 50)
        self.server.claims = {"act": "stop", "code": "card_disabled", "iat": NOW + 60}
        with self.assertRaises(goldfish.Refused):
            one.verify()
        two._save_time()  # and does not bring a deleted lease back
        self.assertIsNone(self.client()._state.lease)
        self.assertEqual(two.check_lease(), "no_lease")

    def test_lock(self):
        store = self.store()
        with store.locked():
            with self.assertRaises(TimeoutError):
                with self.store().locked(seconds=0.05):
                    self.fail("two at a time")
            taken = []
            waiting = threading.Thread(target=lambda: self.take(taken))
            waiting.start()
            self.assertEqual(taken, [])
        waiting.join()
        self.assertEqual(taken, [1])

    def take(self, taken):
        with self.store().locked(seconds=20):
            taken.append(1)

    def test_a_lock_that_never_opens(self):
        client = self.licensed()
        client._store.locked = functools.partial(client._store.locked, 0.05)
        with self.store().locked():
            with self.assertRaises(goldfish.StateError) as caught:
                client.activate(CARD_KEY)
        self.assertEqual(caught.exception.code, "state_locked")

    def test_damaged_device_key(self):
        client = self.licensed()
        client.close()
        with open(self.world.path("device.key"), "wb") as file:
            file.write(b"not a key\n")
        client = self.client()
        self.assertEqual(client.check_lease(), "no_lease")
        client.activate(CARD_KEY)
        self.assertEqual(self.read("device.key.old"), b"not a key\n")  # set aside, not destroyed
        self.assertEqual(client.check_lease(), "")

    def test_a_published_device_key_is_none(self):
        os.makedirs(os.path.join(self.folder, "state"))
        with open(self.world.path("device.key"), "w", encoding="ascii") as file:
            file.write(goldfish._b64u(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")))
        client = self.licensed()
        self.assertNotEqual(client.device_key, "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw")

    def test_sealed_device_key(self):
        """The form of Windows, with a stand-in for DPAPI."""
        calls = []

        def dpapi(name, data, flags):
            calls.append((name, flags))
            return bytes(byte ^ 0x5A for byte in data)
        with mock.patch.object(goldfish, "_dpapi", dpapi):
            store = self.store(goldfish._DPAPI_SEAL)
            with store.locked():
                store.save_key(SEED)
                self.assertEqual(store.load_key(), SEED)
        self.assertTrue(self.read("device.key").startswith(b"dpapi:"))
        self.assertNotIn(goldfish._b64u(SEED).encode(), self.read("device.key"))
        self.assertEqual(calls, [("CryptProtectData", 1), ("CryptUnprotectData", 1)])
        with store.locked():
            self.assertIsNone(store.load_key())  # without DPAPI (another machine): no key
        os.makedirs(self.world.folders().shared)
        with mock.patch.object(goldfish, "_dpapi", dpapi):
            shared = self.store(goldfish._DPAPI_SEAL)
            with shared.locked():
                shared.save_key(SEED)
        self.assertEqual(calls[-1], ("CryptProtectData", 5))  # machine scope

    def test_killed_while_writing(self):
        """After kill -9 at any moment the state is one of those written, never half a file."""
        for round_ in range(8):
            child = subprocess.Popen([sys.executable, "-c", WRITER, HERE, self.folder],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.addCleanup(child.stdout.close)
            line = child.stdout.readline()  # it writes from now on
            self.assertTrue(line)
            for _ in range(round_):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
            child.wait()
            store = self.store()
            with store.locked():
                state, moment = store.read(SEED)
            self.assertIsNotNone(state)
            self.assertIsNotNone(moment)
            self.assertEqual(state.lease, "x" * (state.seq % 5000))
            self.assertEqual(state.moment.high, state.seq)
            self.assertLessEqual(abs(moment.high - state.seq), 1)

    def test_a_temporary_file_left_behind(self):
        client = self.licensed()
        client.close()
        with open(self.world.path("state.json.tmp"), "wb") as file:
            file.write(b"half a st")
        client = self.client()
        self.assertEqual(client.check_lease(), "")
        client.verify()
        self.assertFalse(os.path.exists(self.world.path("state.json.tmp")))

    def test_a_write_that_fails_half_way_leaves_the_old_file(self):
        client = self.licensed()
        before = self.read("state.json")
        real = os.write
        with mock.patch.object(os, "write", lambda fd, data: real(fd, data[:10]) if len(data) > 500 else fail()):
            client._save_time()
        self.assertEqual(self.read("state.json"), before)

    def test_close_stores_the_time(self):
        client = self.licensed()
        self.world.advance(1234)
        client.close()
        client = self.client()
        client._load()
        self.assertEqual(client._state.moment.high, NOW + 1234)


def fail():
    raise OSError(5, "Input/output error")


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
import kit
world = kit.World(sys.argv[2])
goldfish = kit.goldfish
store = world.store(kit.APP)
seed = bytes(range(32))
with store.locked():
    found = store.read(seed)[0]
number = found.seq if found else 0
while True:
    number += 1
    with store.locked():
        moment = goldfish._Moment(1, 1, 1, number)
        store.write(seed, goldfish._State(lease="x" * (number % 5000), moment=moment, seq=number))
    print(number, flush=True)
"""


if __name__ == "__main__":
    unittest.main()
