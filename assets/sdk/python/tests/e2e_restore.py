"""A backup, a day of customers after it, and the restore, with the real program; not found by test discovery:

    GOLDFISH_BIN=.build/goldfish python3 assets/sdk/python/tests/e2e_restore.py -v

Every client goes on by itself with its kept lease as its receipt (§11); what contradicts is flagged, what the
file cannot know waits for the vendor.
"""

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from e2e_real import RealWorld
from kit import FACTS, eventually, goldfish

CLIENTS = int(os.environ.get("E2E_CLIENTS", "20"))
FIRST, PASSWORD = "admin1314159", "Restore-2026!"
PATIENCE = 60.0


def program():
    path = os.environ.get("GOLDFISH_BIN", "")
    if not path:
        sys.exit("e2e_restore.py: the environment variable GOLDFISH_BIN is missing")
    return os.path.abspath(path)


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % s.getsockname()[1]


class Appliance:
    """The real program on a folder of its own."""

    def __init__(self, folder):
        self.data = os.path.join(folder, "data")
        self.places = ["--data", self.data, "--machine-key", os.path.join(folder, "conf", "machine.key"),
                       "--state", os.path.join(folder, "state")]
        self.console, self.api, self.token = free_address(), free_address(), ""
        self.process = None

    def start(self):
        self.token = ""  # of a file that may be another by now
        self.process = subprocess.Popen(
            [program(), "serve", "--console-listen", self.console, "--api-listen", self.api] + self.places,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        eventually(self.ready, "the appliance becomes ready", PATIENCE)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("the appliance ended with %d" % self.process.returncode)
        try:
            return self.raw("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)

    def command(self, *words):
        done = subprocess.run([program()] + list(words) + self.places, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=PATIENCE)
        if done.returncode:
            raise AssertionError("%s: %d %s" % (words, done.returncode, done.stdout.decode()))

    def backup(self):
        self.command("backup", "create")
        made = sorted(glob.glob(os.path.join(self.data, "backups", "goldfish-*.db*")))
        return [path for path in made if not path.endswith(".sha256")][-1]

    def raw(self, method, path, body=None):
        request = urllib.request.Request("http://" + self.console + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
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
        answer = json.loads(raw)
        if status >= 300:
            raise AssertionError("%s %s: %d %s" % (method, path, status, answer))
        return answer

    def data_of(self, method, path, body=None):
        return self.call(method, "/api/v1/admin" + path, body)["data"]

    def sign_in(self, password):
        self.token = ""
        self.token = self.call("POST", "/api/v1/auth/login", {"username": "admin", "password": password})["access_token"]

    def settle(self):
        self.sign_in(FIRST)
        self.token = self.call("POST", "/api/v1/auth/password", {
            "old_password": FIRST, "new_password": PASSWORD})["access_token"]
        self.app = self.data_of("POST", "/apps", {"name": {"zh": "恢复", "en": "Restore"}})

    def keys(self, count):
        made = self.data_of("POST", "/batches", {
            "app_id": self.app["id"], "count": count, "validity": {"kind": "duration", "seconds": 30 * 86400}})
        eventually(lambda: self.data_of("GET", "/jobs/" + made["job"]["id"])["state"] == "done", "the keys", PATIENCE)
        cards = []
        cursor = ""
        while True:
            page = self.data_of("GET", "/cards?limit=100&batch_id=%s&cursor=%s" % (made["batch"]["id"], cursor))
            cards, cursor = cards + page["items"], page["next"]
            if not cursor:
                return [card["key"] for card in cards]


class Restore(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server = Appliance(self.folder)
        self.addCleanup(self.server.stop)
        self.server.start()
        self.server.settle()
        self.account = None

    def world(self, n):
        digits = "%012x" % (0x020000000000 + 4 * n)
        facts = dict(FACTS, motherboard_id="board-%d" % n, mac_address="00" + digits[2:])
        return RealWorld(os.path.join(self.folder, "pc%d" % n), facts)

    def client(self, world):
        client = goldfish.Client("http://" + self.server.api, self.server.app["id"], version="1.0.0", lang="en", _world=world,
                                 public_keys=[key["public_key"] for key in self.server.app["keys"]])
        self.addCleanup(client.close)
        return client

    def customer(self, name):
        """Signs an account up; activations are its own from then on."""
        client = self.client(self.world(10_000))
        client.register(name, "Customer-1!")
        client.login(name, "Customer-1!")
        self.account = client._sign_in

    def activated(self, n, key):
        world = self.world(n)
        client = self.client(world)
        client._sign_in = self.account
        client.activate(key)
        client.close()
        return world

    def reinstalled(self, world, key):
        """The same machine with a new device key, as after a reinstallation."""
        anew = RealWorld(world.folder + "-anew", world.facts)
        client = self.client(anew)
        client._sign_in = self.account
        client.activate(key, replace=True)
        client.close()
        return anew

    def test_a_day_is_lost_and_made_good(self):
        keys = self.server.keys(CLIENTS + 3)
        self.customer("early_customer")
        moved, stays = self.activated(0, keys[0]), self.activated(1, keys[1])
        worn = self.activated(104, keys[CLIENTS + 2])
        backup = self.server.backup()

        early = self.account
        later = [self.activated(n, keys[n]) for n in range(2, CLIENTS)]
        self.customer("late_customer")                      # of whom the file will know nothing
        later.append(self.activated(CLIENTS, keys[CLIENTS]))
        self.account = early
        leaving = self.client(moved)
        leaving.unbind()
        leaving.close()
        later.append(self.activated(102, keys[0]))          # the seat of the device that left
        later.append(self.reinstalled(worn, keys[CLIENTS + 2]))
        lost = self.activated(103, self.server.keys(1)[0])  # on a card of which the file will know nothing

        self.server.stop()
        self.server.command("backup", "restore", backup)
        self.server.start()
        self.server.sign_in(PASSWORD)

        self.assertEqual(len(later), CLIENTS + 1)
        for world in [stays] + later:                       # at the next start of each program
            client = self.client(world)
            licence = client.start(push=False)
            self.assertEqual(client.state[:3], ("run", "valid", True))
            self.assertIsNotNone(licence.expires_at)
            client.close()
        self.flagged(keys[0])
        self.flagged(keys[CLIENTS + 2])
        self.ended(worn)
        self.decided(lost, keys[CLIENTS + 1])

    def flagged(self, key):
        """The seat that had moved: the device, or device key, that held it before is ended, and shown so."""
        card = self.server.data_of("POST", "/cards/find", {"key": key})["items"][0]
        states = [d["state"] for d in self.server.data_of("GET", "/devices?card_id=" + card["id"])["items"]]
        self.assertEqual(sorted(states), ["bound", "ended"])

    def ended(self, world):
        """The key that the machine had before: another one holds its seat."""
        client = self.client(world)
        with self.assertRaises(goldfish.Refused) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "device_key_mismatch")
        client.close()

    def decided(self, lost, stand_in):
        """A card that the file has lost: the licence runs on, the vendor gives it another card."""
        client = self.client(lost)
        self.assertTrue(client.start(push=False).running)
        self.assertEqual(client.state[:3], ("run", "receipt_kept", True))
        waiting = self.server.data_of("GET", "/receipts")["items"]
        self.assertEqual([item["code"] for item in waiting], ["receipt_card"])
        card = self.server.data_of("POST", "/cards/find", {"key": stand_in})["items"][0]
        self.server.data_of("POST", "/receipts/%s/adopt" % waiting[0]["id"], {"card_id": card["id"]})
        self.assertEqual(client.verify().card_id, card["id"])
        client.close()
        after = self.client(lost)
        self.assertTrue(after.start(push=False).running)
        self.assertEqual(after.state.code, "valid")
        self.assertEqual(self.server.data_of("GET", "/receipts")["items"], [])


if __name__ == "__main__":
    unittest.main()
