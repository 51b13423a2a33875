"""The SDK against a real server; not found by test discovery. One day of a customer, in order:

    GOLDFISH_URL=http://127.0.0.1:8000 APP_ID=… PUBLIC_KEYS=key,key CARD_KEY=… \\
        python3 assets/sdk/python/tests/e2e_real.py -v

CARD_KEY is an unused key for one device of an app with the default policy. The vendor's part
(announcement, order) is played if CONSOLE_URL, OWNER_USERNAME and OWNER_PASSWORD are given too; it
disables the key at the end.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
import unittest
import urllib.request

from kit import FACTS, OTHER_FACTS, eventually, goldfish

DAY = 86400


def given(name):
    value = os.environ.get(name, "")
    if not value:
        sys.exit("e2e_real.py: the environment variable %s is missing" % name)
    return value


class RealWorld(goldfish._World):
    """Real clocks and network; a folder and device facts of its own; the local clock can be off."""

    def __init__(self, folder, facts, off=0.0):
        super().__init__()
        self.folder, self.facts, self.off = folder, facts, off
        self.cut_off = False

    def local(self):
        return time.time() + self.off

    def device_info(self):
        return dict(self.facts)

    def dial(self, *arguments):
        if self.cut_off:
            raise ConnectionRefusedError("cut off by the test")
        return super().dial(*arguments)

    def store(self, app_id):
        folders = goldfish._Folders(self.folder + "/shared", self.folder + "/state", self.folder + "/second/record")
        return goldfish._Store(folders, goldfish._FilePlace(folders.second))


class Day(unittest.TestCase):
    """Steps in the order of their names; each builds on the one before."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.desk = RealWorld(cls.temporary.name + "/desk", cls.unique(FACTS, "desk"))
        cls.laptop = RealWorld(cls.temporary.name + "/laptop", cls.unique(OTHER_FACTS, "laptop"))
        cls.name = "e2e" + hashlib.sha256(os.urandom(8)).hexdigest()[:10]
        cls.password = "Aa1!" + hashlib.sha256(os.urandom(8)).hexdigest()[:16]

    @staticmethod
    def unique(facts, name):
        digest = hashlib.sha256(os.urandom(8) + name.encode()).hexdigest()
        return dict(facts, motherboard_id=digest[:32], mac_address="00" + digest[32:42])

    def client(self, world, **options):
        client = goldfish.Client(given("GOLDFISH_URL"), given("APP_ID"), public_keys=given("PUBLIC_KEYS").split(","),
                                 version="1.0.0", lang="en", _world=world, **options)
        self.addCleanup(client.close)
        return client

    def test_1_account(self):
        client = self.client(self.desk)
        self.assertEqual(client.register(self.name, self.password).username, self.name)
        with self.assertRaises(goldfish.ServerError) as caught:
            client.login(self.name, "Wrong-1" + self.password)
        self.assertEqual((caught.exception.status, caught.exception.code), (401, "credentials_wrong"))
        client.login(self.name, self.password)
        self.assertEqual(client.me().username, self.name)
        client.refresh()
        self.assertEqual(client.me().username, self.name)
        client.logout()
        self.assertFalse(client.signed_in)

    def test_2_wrong_card_keys(self):
        client = self.client(self.desk)
        client.login(self.name, self.password)
        for typed in ("INVALID-KEY", "AAAA-BBBB-CCCC-DDDD", ""):
            with self.assertRaises(goldfish.LicenceError) as caught:
                client.activate(typed)
            self.assertEqual(caught.exception.code, "card_unknown")

    def test_3_activation_with_a_clock_years_off(self):
        self.desk.off = -5 * 365 * DAY
        client = self.client(self.desk)
        client.login(self.name, self.password)
        typed = given("CARD_KEY").lower().replace("-", " ")
        licence = client.activate("".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in typed))
        self.assertTrue(licence.running)
        self.assertEqual(client.check_lease(), "")
        self.assertLess(abs(client._now() - time.time()), 300)
        first = licence.card_id
        self.assertEqual(client.activate(given("CARD_KEY")).card_id, first)  # the same key again

    def test_4_the_next_start_needs_no_sign_in(self):
        self.desk.off = 0.0
        client = self.client(self.desk)
        licence = client.start(push=False)
        self.assertTrue(licence.running)
        self.assertTrue(client.state.online)

    def test_5_offline(self):
        self.desk.cut_off = True
        client = self.client(self.desk)
        self.assertTrue(client.start(push=False).running)
        client.close()
        self.desk.off = -DAY
        with self.assertRaises(goldfish.NoLicence) as caught:
            self.client(self.desk).start(push=False)
        self.assertEqual(caught.exception.code, "clock_back")
        self.desk.cut_off = False
        self.assertTrue(self.client(self.desk).start(push=False).running)
        self.desk.off = 0.0

    def test_6_a_second_device(self):
        client = self.client(self.laptop)
        client.login(self.name, self.password)
        with self.assertRaises(goldfish.Refused) as caught:
            client.activate(given("CARD_KEY"))
        self.assertEqual(caught.exception.code, "device_limit")
        self.assertTrue(caught.exception.detail)

    def test_7_another_account(self):
        client = self.client(self.laptop)
        client.register(self.name + "x", self.password)
        client.login(self.name + "x", self.password)
        with self.assertRaises(goldfish.Refused) as caught:
            client.activate(given("CARD_KEY"))
        self.assertEqual(caught.exception.code, "card_taken")

    def test_8_the_live_connection(self):
        states = []
        client = self.client(self.desk)
        client.start(on_state=states.append)
        eventually(lambda: client.state.push, "the live connection")
        client._runner.ask_beat()
        eventually(lambda: len(states) >= 3, "a heartbeat")
        self.assertTrue(client.licence.running)


class Vendor(Day):
    """The same day, and then the vendor acts while the program runs."""

    def console(self, method, path, body=None, bearer=""):
        request = urllib.request.Request(
            given("CONSOLE_URL") + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", **({"Authorization": "Bearer " + bearer} if bearer else {})})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read().decode())

    def test_9_announcement_and_order(self):
        notices, stops = [], []
        client = self.client(self.desk)
        client.start(on_notice=notices.append, on_stop=stops.append)
        eventually(lambda: client.state.push, "the live connection")
        bearer = self.console("POST", "/api/v1/auth/login", {
            "username": given("OWNER_USERNAME"), "password": given("OWNER_PASSWORD")})["access_token"]
        title = {"zh": "端到端 " + self.name, "en": "End to end " + self.name}
        self.console("POST", "/api/v1/admin/announcements", {
            "app_ids": [given("APP_ID")], "type": "notice", "priority": "high", "title": title,
            "body": {"zh": "正文", "en": "body"}, "publish": True}, bearer)
        eventually(lambda: [n for n in notices if n.title == title["en"]], "the announcement")
        found = self.console("POST", "/api/v1/admin/cards/find", {"key": given("CARD_KEY")}, bearer)["data"]["items"]
        self.console("POST", "/api/v1/admin/cards/disable", {"ids": [found[0]["id"]], "reason": "e2e"}, bearer)
        eventually(lambda: stops, "the order to stop")
        self.assertEqual((stops[0].act, stops[0].code), ("stop", "card_disabled"))
        client.close()
        with self.assertRaises(goldfish.Refused) as caught:
            self.client(self.desk).start()
        self.assertEqual(caught.exception.code, "card_disabled")
        self.desk.cut_off = True  # and offline there is nothing left to run on
        with self.assertRaises(goldfish.Refused):
            self.client(self.desk).start()
        self.console("POST", "/api/v1/admin/cards/enable", {"ids": [found[0]["id"]]}, bearer)
        self.desk.cut_off = False
        self.assertTrue(self.client(self.desk).start(push=False).running)
        self.console("POST", "/api/v1/admin/cards/disable", {"ids": [found[0]["id"]]}, bearer)


def load_tests(loader, tests, pattern):
    story = Day
    if os.environ.get("CONSOLE_URL"):
        story = Vendor
    else:
        print("the vendor's part is not played: CONSOLE_URL is not given", file=sys.stderr)
    return loader.loadTestsFromTestCase(story)


if __name__ == "__main__":
    unittest.main(failfast=True)  # the steps build on each other
