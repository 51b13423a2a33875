"""The client as a vendor uses it: accounts, activation, start, the two threads, push, close."""

import os
import re
import threading
import time
import unittest
from datetime import datetime, timezone
from unittest import mock

from kit import (
    APP, CARD, CARD_KEY, DAY, NOW, OTHER_APP, PATIENCE, SIGNING, STANDBY, Case, World, eventually, goldfish, kid,
    problem, public, token,
)


class Accounts(Case):
    def test_register_and_sign_in(self):
        client = self.client()
        user = client.register("lina", "Passw0rd!", "lina@example.com")
        self.assertEqual((user.username, user.role), ("lina", "customer"))
        self.assertFalse(client.signed_in)
        self.assertEqual(self.server.requests[-1].json, {
            "username": "lina", "password": "Passw0rd!", "email": "lina@example.com", "app_id": APP})
        client.login("lina", "Passw0rd!")
        self.assertTrue(client.signed_in)
        self.assertEqual(client.me().username, "lina")
        self.assertEqual(self.server.requests[-1].bearer, "access-1")
        client.refresh()
        self.assertEqual(self.server.requests[-1].json, {"refresh_token": "refresh-1"})
        client.me()
        self.assertEqual(self.server.requests[-1].bearer, "access-2")
        client.logout()
        self.assertFalse(client.signed_in)
        self.assertEqual(self.server.requests[-1].bearer, "access-2")
        with self.assertRaises(goldfish.GoldfishError) as caught:
            client.refresh()
        self.assertEqual(caught.exception.code, "not_signed_in")

    def test_wrong_password(self):
        client = self.client()
        with self.assertRaises(goldfish.ServerError) as caught:
            client.login("lina", "wrong")
        self.assertEqual((caught.exception.code, caught.exception.status), ("credentials_wrong", 401))
        self.assertEqual(caught.exception.message, "用户名或密码错误")  # the server's text is shown
        self.assertFalse(client.signed_in)

    def test_a_weak_password_is_told_point_by_point(self):
        self.server.respond = lambda request: problem(400, "password_weak", "密码太弱", field="password", errors=[
            {"field": "password", "code": "password_needs_upper", "message": "缺少大写字母"}, "x", {"code": 5}])
        with self.assertRaises(goldfish.ServerError) as caught:
            self.client().register("lina", "weak")
        self.assertEqual(caught.exception.field, "password")
        self.assertEqual(caught.exception.points, (("password_needs_upper", "缺少大写字母"), ("", "")))

    def test_an_answer_without_tokens_signs_nobody_in(self):
        self.server.respond = lambda request: (200, {"success": True, "message": "", "data": {}})
        client = self.client()
        with self.assertRaises(goldfish.Unverifiable):
            client.login("lina", "x")
        self.assertFalse(client.signed_in)

    def signed_in(self):
        client = self.client()
        client.register("lina", "Passw0rd!")
        client.login("lina", "Passw0rd!")
        return client

    def test_the_bearer_goes_with_activation_alone(self):
        client = self.signed_in()
        client.activate(CARD_KEY)
        client.verify()
        self.assertEqual(self.server.calls("activate")[0].bearer, "access-1")
        self.assertEqual(self.server.calls("verify")[0].bearer, "")

    def test_a_refused_access_token_is_renewed_once(self):
        client = self.signed_in()

        def respond(request):
            if request.path.endswith("activate") and request.bearer == "access-1":
                return problem(401, "token_expired", "登录已过期")
            return self.server.honest(request)
        self.server.respond = respond
        client.activate(CARD_KEY)
        first, second = self.server.calls("activate")
        self.assertEqual(second.bearer, "access-2")
        self.assertEqual(first.idempotency, second.idempotency)

    def test_a_token_about_to_end_is_renewed_before(self):
        client = self.signed_in()
        self.world.advance(7200 - 30)
        self.server.now = int(self.world.local_now)
        client.activate(CARD_KEY)
        self.assertEqual([r.bearer for r in self.server.calls("activate")], ["access-2"])

    def test_an_ended_session_is_forgotten(self):
        client = self.signed_in()
        self.server.respond = lambda request: problem(401, "token_invalid", "请重新登录")
        with self.assertRaises(goldfish.ServerError):
            client.me()
        self.assertFalse(client.signed_in)

    def test_sign_out_forgets_without_the_server(self):
        client = self.signed_in()
        self.world.cut_off = True
        with self.assertRaises(goldfish.Unreachable):
            client.logout()
        self.assertFalse(client.signed_in)


class Calls(Case):
    def test_what_a_device_call_says(self):
        client = self.licensed()
        request = self.server.requests[-1]
        self.assertEqual(request.method, "POST")
        self.assertEqual(sorted(request.json), sorted([
            "app_id", "nonce", "kids", "version", "session", "device_info", "platform", "card_key"]))
        self.assertEqual(request.json["kids"], [kid(SIGNING), kid(STANDBY)])
        for name in ("nonce", "session"):
            self.assertRegex(request.json[name], r"\A[A-Za-z0-9_-]{22}\Z")
        self.assertEqual(request.headers["Content-Type"], "application/json")
        self.assertIsNone(request.headers["Content-Encoding"])
        self.assertEqual(request.proof_is(NOW), "ok")
        self.assertLessEqual(len(request.body), 16384)
        self.assertLessEqual(len(request.json["platform"]), 32)
        client.verify()
        again = self.server.requests[-1]
        self.assertNotEqual(again.json["nonce"], request.json["nonce"])
        self.assertEqual(again.json["session"], request.json["session"])
        self.assertEqual(again.json["card_id"], CARD)
        self.assertNotIn("card_key", again.json)
        self.assertEqual(again.idempotency, "")

    def test_a_base_path_is_no_part_of_the_proof(self):
        client = self.client(url=self.server.url + "/goldfish/")
        client.activate(CARD_KEY)
        self.assertEqual(self.server.requests[-1].path, "/goldfish/api/v1/card-keys/activate")
        self.assertEqual(self.server.requests[-1].proof_is(NOW), "ok")

    def test_the_card_key_is_sent_as_typed(self):
        client = self.client()
        client.activate(" ａｂｃｄ 2345—efgh-6789\u200b")
        self.assertEqual(self.server.requests[-1].json["card_key"], " ａｂｃｄ 2345—efgh-6789\u200b")
        with self.assertRaises(goldfish.LicenceError) as caught:
            client.activate("x" * 129)
        self.assertEqual(caught.exception.code, "card_key_too_long")

    def test_given_device_facts(self):
        client = self.client(device_info={"cpu_id": "mine", "motherboard_id": "my board", "mac_address": ""})
        client.activate(CARD_KEY)
        self.assertEqual(self.server.requests[-1].json["device_info"]["cpu_id"], "mine")
        self.assertEqual(client.check_lease(), "")
        self.assertRegex(client.fingerprint, r"\A[0-9a-f]{32}\Z")
        self.assertNotEqual(client.fingerprint, self.client().fingerprint)
        self.assertEqual(self.client().fingerprint, "d48ea1ea6b2cd331adb54bb8513bb175")
        self.assertEqual(self.client(device_info={"cpu_id": "mine"}).fingerprint, "")

    def test_what_the_licence_tells(self):
        licence = self.licensed().licence
        self.assertTrue(licence.running)
        self.assertIsNone(licence.reason)
        self.assertEqual(licence.features, {"export", "batch.2"})
        self.assertEqual((licence.tier, licence.validity, licence.card_id), ("pro", "duration", CARD))
        self.assertEqual(licence.expires_at, datetime.fromtimestamp(NOW + 30 * DAY, timezone.utc))
        self.assertEqual(licence.lease_until, datetime.fromtimestamp(NOW + 7 * DAY, timezone.utc))
        self.assertEqual(licence.device_id, "d48ea1ea6b2cd331adb54bb8513bb175")
        self.assertFalse(licence.has("admin"))

    def test_before_there_is_one(self):
        client = self.client()
        self.assertEqual((client.licence.features, client.licence.tier), (frozenset(), ""))
        self.assertIsNone(client.licence.expires_at)
        self.assertFalse(client.licence.running)
        with self.assertRaises(goldfish.NoLicence):
            client.licence.check()
        for call in (client.verify, client.unbind, client.start):
            with self.assertRaises(goldfish.NoLicence) as caught:
                call()
            self.assertEqual(caught.exception.code, "no_lease")
        self.assertEqual(self.world.dials, 0)
        self.assertEqual(os.listdir(self.folder), [])  # nothing is made before an activation

    def test_many_threads(self):
        client = self.licensed()
        failures = []

        def work():
            try:
                for _ in range(5):
                    client.verify()
                    client.licence.check()
            except Exception as failed:
                failures.append(failed)
        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        nonces = [request.json["nonce"] for request in self.server.calls("verify")]
        self.assertEqual(len(set(nonces)), 30)


class Acts(Case):
    """§8 "Then": run, wait, hold, stop."""

    def says(self, act, code, **claims):
        self.server.change = lambda own, request: dict(own, act=act, code=code, exp=own["iat"], **claims)

    def test_stop_deletes_the_lease_and_is_remembered(self):
        client = self.licensed()
        self.says("stop", "card_disabled")
        with self.assertRaises(goldfish.Refused) as caught:
            client.verify()
        self.assertEqual(caught.exception.code, "card_disabled")
        self.assertIn("disabled", caught.exception.message_en)
        self.assertIn("禁用", caught.exception.message_zh)
        self.assertFalse(client.licence.running)
        with self.assertRaises(goldfish.Refused):
            client.licence.check()

        client = self.restarted(client)
        self.assertEqual(client.check_lease(), "no_lease")
        self.world.cut_off = True
        with self.assertRaises(goldfish.Refused) as caught:
            client.start()  # what the server last said is shown
        self.assertEqual(caught.exception.code, "card_disabled")

        self.world.cut_off = False
        self.server.change = lambda own, request: own  # the vendor enables the key again
        self.assertTrue(client.start(push=False).running)  # and no key has to be typed
        self.assertEqual(self.server.requests[-1].json["card_id"], CARD)

    def test_hold_keeps_the_lease(self):
        client = self.licensed()
        self.says("hold", "version_too_old")
        with self.assertRaises(goldfish.Held):
            client.verify()
        with self.assertRaises(goldfish.Held):
            client.licence.check()
        self.assertEqual(client.check_lease(), "")
        with self.assertRaises(goldfish.Held):
            self.restarted(client).start()

    def test_wait_changes_nothing_but_the_time(self):
        client = self.licensed()
        lease = client._state.lease
        self.server.now = NOW + 100
        self.says("wait", "device_info_invalid", beat=77)
        with self.assertRaises(goldfish.Waiting) as caught:
            client.verify()
        self.assertEqual(caught.exception.retry_after, 77)
        self.assertEqual(client._state.lease, lease)
        self.assertEqual(client._state.moment.iat, NOW + 100)
        client.licence.check()
        self.assertTrue(self.restarted(client).start(push=False).running)  # runs on its lease

    def test_a_refused_card_key_ends_only_itself(self):
        client = self.licensed()
        self.says("stop", "card_unknown")
        with self.assertRaises(goldfish.Refused) as caught:
            client.activate("AAAA-BBBB-CCCC-DDDD")
        self.assertEqual(caught.exception.code, "card_unknown")
        self.assertEqual(client.check_lease(), "")
        self.assertTrue(client.licence.running)
        self.assertIsNone(client._state.refusal)

    def test_device_limit_says_what_to_do(self):
        self.says("stop", "device_limit")
        for lang, word in (("en", "unbind"), ("zh", "解绑")):
            client = self.client(lang=lang)
            with self.assertRaises(goldfish.Refused) as caught:
                client.activate(CARD_KEY)
            self.assertEqual(caught.exception.code, "device_limit")
            self.assertIn(word, caught.exception.message)
            self.assertEqual(caught.exception.detail, "文字 text")
            client.close()

    def test_already_bound_goes_on_by_card_key(self):
        def change(own, request):
            if request.path.endswith("activate"):
                return dict(own, act="wait", code="device_already_bound", exp=own["iat"])
            return own
        self.server.change = change
        client = self.licensed()
        self.assertEqual(client.check_lease(), "")
        self.assertEqual(self.server.requests[-1].json["card_key"], CARD_KEY)
        self.assertEqual(self.server.requests[-1].idempotency, "")

    def test_already_bound_unsigned_goes_nowhere(self):
        self.server.respond = lambda request: problem(409, "device_already_bound", "设备已绑定")
        with self.assertRaises(goldfish.ServerError):
            self.licensed()
        self.assertEqual(self.server.calls("verify"), [])

    def test_replace_after_a_lost_device_key(self):
        client = self.client()
        client.activate(CARD_KEY, replace=True)
        self.assertIs(self.server.requests[-1].json["replace"], True)

    def test_receipt_wanted(self):
        """Without a lease (the receipt) it means stop, with one it means wait."""
        client = self.licensed()
        self.says("wait", "receipt_wanted")
        with self.assertRaises(goldfish.Waiting):
            client.verify()
        self.assertEqual(client.check_lease(), "")
        client._change(lambda state: state._replace(lease=None))
        with self.assertRaises(goldfish.Refused) as caught:
            client.verify()
        self.assertEqual(caught.exception.code, "receipt_wanted")
        self.assertIsNotNone(client._state.refusal)

    def test_unbind(self):
        client = self.licensed()
        self.says("stop", "device_unbound")
        client.unbind()
        request = self.server.calls("unbind")[0]
        self.assertRegex(request.idempotency, r"\A[A-Za-z0-9_-]{16,64}\Z")
        self.assertEqual(request.json["card_id"], CARD)
        self.assertEqual(client.check_lease(), "no_lease")
        self.assertFalse(client.licence.running)
        with self.assertRaises(goldfish.NoLicence) as caught:
            self.restarted(client).start()  # ended as wished: nothing to reproach
        self.assertEqual(caught.exception.code, "no_lease")

    def test_unbind_while_running(self):
        stops = []
        client = self.client()
        client.start(CARD_KEY, push=False, on_stop=stops.append)
        self.says("stop", "device_unbound")
        client.unbind()
        self.assertEqual([reason.code for reason in stops], ["device_unbound"])
        self.assertFalse(client._runner.alive)

    def test_unbind_refused(self):
        client = self.licensed()
        self.says("wait", "unbind_limit")
        with self.assertRaises(goldfish.Waiting) as caught:
            client.unbind()
        self.assertEqual(caught.exception.code, "unbind_limit")
        self.assertEqual(client.check_lease(), "")

    def test_unbind_never_takes_a_lease(self):
        client = self.licensed()
        client.unbind()  # answered with run and valid
        self.assertEqual(client.check_lease(), "no_lease")
        self.assertEqual(client._kept_refusal(), ("", ""))

    def test_idempotency_mismatch_frees_the_next_try(self):
        self.server.respond = lambda request: problem(422, "idempotency_mismatch", "x")
        client = self.client()
        with self.assertRaises(goldfish.ServerError):
            client.activate(CARD_KEY)
        self.server.respond = self.server.honest
        client.activate(CARD_KEY)
        first, second = self.server.calls("activate")
        self.assertNotEqual(first.idempotency, second.idempotency)

    def test_a_new_epoch_starts_counting_anew(self):
        client = self.licensed()
        client._change(lambda state: state._replace(seen=99))
        self.server.claims = {"ep": 2, "seq": 3, "iat": NOW - 10 * DAY, "exp": NOW}
        client.verify()
        self.assertEqual((client._state.seen, client._state.seq, client._state.moment.ep), (0, 3, 2))


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


class Keeping(Started):
    def test_start_activates_and_runs(self):
        client = self.client()
        licence = self.start(client, card_key=CARD_KEY)
        self.assertTrue(licence.running)
        self.assertEqual(self.states[0], goldfish.State("run", "valid", True, False))
        self.assertIs(self.start(client), licence)  # started is started
        self.assertEqual(len(self.server.requests), 1)

    def test_start_verifies_what_is_there(self):
        client = self.restarted(self.licensed())
        self.start(client)
        self.assertTrue(self.server.requests[-1].path.endswith("verify"))

    def test_patience(self):
        """A silent server delays a good lease by its patience, not by the 30 s of a call."""
        client = self.restarted(self.licensed())
        self.world.patience_seconds = 0.2
        release = threading.Event()

        def respond(request):
            release.wait(PATIENCE)
            return self.server.honest(request)
        self.server.respond = respond
        began = time.monotonic()
        self.assertTrue(self.start(client).running)
        self.assertLess(time.monotonic() - began, 10)
        self.assertFalse(client.state.online)
        release.set()

    def test_heartbeats_come_a_tenth_early_at_most(self):
        self.world.luck = 1.0
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.advance(269)
        client._runner._tick()
        self.assertEqual(self.beats(), 0)
        self.advance(1)
        eventually(lambda: self.beats() == 1, "a heartbeat")
        self.world.luck = 0.0
        beat = self.server.calls("heartbeat")[0]
        self.assertEqual(beat.json["card_id"], CARD)
        self.assertEqual(beat.json["session"], self.server.requests[0].json["session"])
        self.assertNotIn("ticket", beat.json)

    def test_the_server_sets_the_beat(self):
        self.server.claims = {"beat": 5}  # clamped to 30
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.advance(29)
        client._runner._tick()
        self.assertEqual(self.beats(), 0)
        self.advance(1)
        eventually(lambda: self.beats() == 1, "a heartbeat after 30 s")

    def test_failures_double_to_ten_minutes(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        runner = client._runner
        self.world.cut_off = True
        self.advance(300)
        delays = []
        while len(delays) < 8:
            eventually(lambda: runner._beat_at > self.world.mono(), "an attempt that failed")
            delays.append(runner._beat_at - self.world.mono())
            self.world.cut_off = len(delays) < 8
            self.advance(delays[-1])
        self.assertEqual(delays, [30, 60, 120, 240, 480, 600, 600, 600])
        self.assertEqual(self.stops, [])
        eventually(lambda: client.state.online, "online again")
        self.assertIn(goldfish.State("run", "unreachable", False, False), self.states)

    def test_the_lease_is_judged_while_running(self):
        client = self.client()
        licence = self.start(client, card_key=CARD_KEY)
        self.world.cut_off = True
        self.advance(7 * DAY - 1)
        client._runner._tick()
        self.assertEqual(self.stops, [])
        self.advance(16)
        self.stopped("lease_expired")
        self.assertFalse(licence.running)
        self.assertEqual(licence.reason.code, "lease_expired")
        with self.assertRaises(goldfish.NoLicence):
            licence.check()
        self.world.cut_off = False  # a program that has not ended yet gets its licence back
        self.advance(600)
        eventually(lambda: licence.running, "run again")

    def test_a_signed_stop_ends_it(self):
        client = self.client()
        licence = self.start(client, card_key=CARD_KEY)
        self.says("stop", "card_disabled")
        self.advance(300)
        self.stopped("card_disabled")
        self.assertEqual(self.stops[0].message, "This card key is disabled; please contact the vendor.")
        self.assertEqual(licence.wait(timeout=PATIENCE).code, "card_disabled")
        eventually(lambda: not client._runner._threads[0].is_alive(), "the keeper's end")
        self.assertIsNone(client._state.lease)
        self.server.change = lambda own, request: own
        self.assertTrue(self.start(client, card_key=CARD_KEY).running)  # another key may be tried

    def test_a_signed_hold_ends_it_and_keeps_the_lease(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.says("hold", "session_ended")
        self.advance(300)
        self.stopped("session_ended", "hold")
        self.assertEqual(client.check_lease(), "")

    def test_an_unsigned_refusal_does_not(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.server.respond = lambda request: problem(403, "card_disabled", "停用")
        self.advance(300)
        eventually(lambda: not client.state.online, "a heartbeat without an answer")
        self.assertEqual(self.stops, [])
        self.assertTrue(client.licence.running)

    def test_wait_asks_again_after_the_beat(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.says("wait", "device_info_invalid", beat=60)
        self.beat(client)
        self.beat(client, 60)
        self.assertEqual(self.stops, [])

    def test_after_sleep(self):
        """The local clock jumped and the monotonic one did not: judge and ask at once."""
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.world.local_now += 8 * 3600
        self.server.now = int(self.world.local_now)
        eventually(lambda: self.beats() == 1, "a heartbeat after sleep")

    def test_sleep_beyond_the_lease(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.world.cut_off = True
        self.world.local_now += 8 * DAY
        self.stopped("lease_expired")
        self.assertEqual(client._judge(), "lease_expired")

    def test_time_is_stored_every_beat(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.world.cut_off = True
        self.advance(300)
        eventually(lambda: client._state.moment.high == NOW + 300, "the stored moment")

    def test_callbacks_that_fail_do_no_harm(self):
        def fail(_):
            raise RuntimeError("a vendor's mistake")
        client = self.client()
        with self.assertLogs("goldfish", "ERROR"):
            client.start(CARD_KEY, push=False, on_state=fail, on_stop=fail)
            self.beat(client)
            self.beat(client)

    def test_another_key_from_the_callback(self):
        """The vendor asks for another card key as soon as the licence stops."""
        client = self.client()
        again = []

        def ask(reason):
            self.server.change = lambda own, request: own
            again.append(client.start("WXYZ-2345-EFGH-6789", push=False))
        client.start(CARD_KEY, push=True, on_stop=ask)
        self.says("stop", "card_expired")
        self.advance(300)
        eventually(lambda: again and len(client._past) == 1 and not client._past[0]._threads[0].is_alive(), "the new start")
        self.assertTrue(client.licence.running)
        self.beat(client)
        self.assertTrue(client.licence.running)

    def test_activating_a_better_card_while_running(self):
        client = self.client()
        licence = self.start(client, card_key=CARD_KEY)
        better = {"id": "better", "state": "active", "validity": "permanent", "expires_at": None, "tier": "max",
                  "features": []}
        self.server.claims = {"card": better}
        client.start("WXYZ-2345-EFGH-6789")
        self.assertEqual((licence.tier, licence.expires_at), ("max", None))
        self.advance(300)
        eventually(lambda: self.beats() == 1, "a heartbeat")
        self.assertEqual(self.server.calls("heartbeat")[0].json["card_id"], "better")


class Ending(Started):
    def threads(self):
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("goldfish")]

    def test_close_leaves_no_thread(self):
        self.server.talk = lambda peer: [peer.receive(), peer.send({"type": "welcome", "ep": 1, "seq": 0}), peer.receive()]
        client = self.client()
        self.start(client, card_key=CARD_KEY, push=True)
        eventually(lambda: client.state.push, "the live connection")
        self.assertEqual(sorted(self.threads()), ["goldfish-keeper", "goldfish-push"])
        client.close()
        self.assertEqual(self.threads(), [])
        client.close()
        self.assertFalse(client.licence.running)
        for call in (client.verify, client.start, lambda: client.activate(CARD_KEY), client.licence.check,
                     lambda: client.login("a", "b")):
            with self.assertRaises(goldfish.Closed):
                call()

    def test_with(self):
        with self.client() as client:
            self.start(client, card_key=CARD_KEY, push=True)
        self.assertEqual(self.threads(), [])

    def test_close_cuts_a_call_under_way(self):
        client = self.licensed()
        entered, release = threading.Event(), threading.Event()

        def respond(request):
            entered.set()
            release.wait(PATIENCE)
            return self.server.honest(request)
        self.server.respond = respond
        outcome = []

        def call():
            try:
                client.verify()
            except goldfish.GoldfishError as failed:
                outcome.append(failed.code)
        caller = threading.Thread(target=call)
        caller.start()
        self.assertTrue(entered.wait(PATIENCE))
        began = time.monotonic()
        client.close()
        caller.join()
        self.assertLess(time.monotonic() - began, PATIENCE / 2)
        self.assertEqual(outcome, ["closed"])
        release.set()

    def test_close_cuts_heartbeat_and_reconnecting(self):
        client = self.client()
        entered, release = threading.Event(), threading.Event()
        self.start(client, card_key=CARD_KEY)

        def respond(request):
            entered.set()
            release.wait(PATIENCE)
            return self.server.honest(request)
        self.server.respond = respond
        self.advance(300)
        self.assertTrue(entered.wait(PATIENCE))
        client.close()
        self.assertEqual(self.threads(), [])
        release.set()

    def test_close_from_a_callback(self):
        client = self.client()
        closed = threading.Event()

        def end(_):
            client.close()
            closed.set()
        client.start(CARD_KEY, push=True, on_stop=end)
        self.says("stop", "card_deleted")
        self.advance(300)
        self.assertTrue(closed.wait(PATIENCE))
        eventually(lambda: not self.threads(), "both threads' end")

    def test_close_from_a_callback_that_shows_a_notice(self):
        """While another thread has a notice in hand too."""
        notice = {"v": 1, "iss": "x", "aud": APP, "iat": NOW, "exp": None, "ep": 1, "kind": "announcement",
                  "data": {"id": "n"}}
        both = threading.Barrier(2, timeout=PATIENCE)
        client = self.client()

        def show(_):
            both.wait()
            client.close()

        def talk(peer):
            peer.receive()
            peer.send({"type": "welcome", "ep": 1, "seq": 0})
            peer.send({"type": "push", "seq": 1, "token": token(dict(notice, seq=1), "goldfish-notice+jwt")})
            peer.receive()
        self.server.talk = talk
        self.server.announcements = [{"token": token(dict(notice, seq=2), "goldfish-notice+jwt")}]
        client.start(CARD_KEY, on_notice=show)
        eventually(lambda: client._showing, "the first notice in hand")
        self.server.claims = {"news": 2}
        self.advance(300)
        eventually(lambda: not self.threads(), "both threads' end")

    def test_close_while_starting(self):
        """From the very first callback, before the threads are there."""
        client = self.client()
        client.start(CARD_KEY, push=True, on_state=lambda state: client.close())
        self.assertEqual(self.threads(), [])
        self.assertFalse(client.licence.running)

    def test_wait_returns_on_close(self):
        client = self.client()
        licence = self.start(client, card_key=CARD_KEY)
        done = []
        waiter = threading.Thread(target=lambda: done.append(licence.wait()))
        waiter.start()
        self.assertIsNone(licence.wait(timeout=0.01))
        client.close()
        waiter.join()
        self.assertEqual(done[0].code, "closed")

    def test_a_forgotten_client_is_closed_at_exit(self):
        client = self.client()
        self.start(client, card_key=CARD_KEY)
        self.world.advance(50)
        client._at_exit()
        self.assertEqual(self.threads(), [])
        again = self.client()
        again._load()
        self.assertEqual(again._state.moment.high, NOW + 50)


class Pushing(Started):
    """§10."""

    def setUp(self):
        super().setUp()
        self.peers, self.hellos, self.acks = [], [], []
        self.welcome = {}
        self.missed = []
        self.end = threading.Event()
        self.addCleanup(self.end.set)

        def talk(peer):
            hello = peer.receive()
            self.hellos.append(hello)
            peer.send(dict({"type": "welcome", "ep": 1, "seq": 41, "reset": False}, **self.welcome))
            for text in self.missed:
                peer.send({"type": "push", "seq": 1, "token": text})
            self.peers.append(peer)
            while True:
                message = peer.receive()
                if message is None:
                    return
                self.acks.append(message)
        self.server.talk = talk

    def connected(self, **options):
        client = self.client(**options)
        self.start(client, card_key=CARD_KEY, push=True)
        eventually(lambda: self.peers and client.state.push, "the live connection")
        return client

    def notice(self, number, **claims):
        payload = {"v": 1, "iss": "x", "aud": APP, "iat": NOW, "exp": NOW + DAY, "ep": 1, "seq": number,
                   "kind": "announcement", "data": {
                       "id": "n%d" % number, "type": "maintenance", "priority": "high", "published_at": NOW,
                       "title": {"zh": "维护通知", "en": "Maintenance"}, "body": {"zh": "今晚十点", "en": ""}}}
        payload.update(claims)
        return token(payload, "goldfish-notice+jwt")

    def order(self, client, **claims):
        payload = {"v": 1, "iss": "x", "aud": APP, "iat": NOW, "ep": 1, "seq": 42, "key": client.device_key,
                   "card": CARD, "session": "", "act": "stop", "code": "card_disabled", "spread": 0}
        payload.update(claims)
        return token(payload, "goldfish-order+jwt")

    def push(self, text, number=1):
        self.peers[-1].send({"type": "push", "seq": number, "token": text})

    def test_hello(self):
        client = self.connected()
        self.assertEqual(self.server.requests[0].json["ticket"], True)
        self.assertEqual(self.hellos, [{"type": "hello", "ticket": goldfish._b64u(b"ticket %024d" % 1), "ep": 1,
                                        "after": 0}])
        upgrade = self.server.calls("ws")[0]
        self.assertEqual(upgrade.query, {})
        self.assertIsNone(upgrade.headers["Origin"])
        self.assertIsNone(upgrade.headers["Authorization"])
        self.advance(300)  # an open socket renews no lease: heartbeats go on, without a new ticket
        eventually(lambda: self.beats() == 1, "a heartbeat")
        self.assertNotIn("ticket", self.server.calls("heartbeat")[0].json)
        self.assertTrue(client.state.push)

    def test_a_notice_is_shown_once_and_acknowledged(self):
        client = self.connected()
        self.push(self.notice(7), 7)
        self.push(self.notice(7), 7)
        self.push(self.notice(6), 6)
        self.push(self.notice(8), 8)
        eventually(lambda: len(self.acks) == 2, "two acknowledgements")
        self.assertEqual(self.acks, [{"type": "ack", "seq": 7}, {"type": "ack", "seq": 8}])
        self.assertEqual([notice.seq for notice in self.notices], [7, 8])
        notice = self.notices[0]
        self.assertEqual((notice.kind, notice.id, notice.type, notice.priority, notice.title, notice.body),
                         ("announcement", "n7", "maintenance", "high", "Maintenance", "今晚十点"))
        self.assertEqual(notice.published_at, datetime.fromtimestamp(NOW, timezone.utc))
        self.assertEqual(notice.expires_at, datetime.fromtimestamp(NOW + DAY, timezone.utc))
        self.assertEqual(notice.texts["title"], {"zh": "维护通知", "en": "Maintenance"})
        client.close()
        self.missed = [self.notice(7), self.notice(9)]
        again = self.client()
        self.start(again, push=True)
        eventually(lambda: len(self.notices) == 3, "the missed notice")
        self.assertEqual(self.hellos[-1]["after"], 8)
        self.assertEqual(self.notices[-1].seq, 9)

    def test_an_ended_notice_is_not_shown(self):
        self.connected()
        self.push(self.notice(7, exp=NOW))
        self.push(self.notice(8, exp=None))
        eventually(lambda: len(self.acks) == 2, "both acknowledged")
        self.assertEqual([notice.seq for notice in self.notices], [8])

    def test_withdrawn(self):
        self.connected()
        self.push(self.notice(9, kind="withdrawn", data={"id": "n7"}))
        eventually(lambda: self.notices, "the withdrawal")
        self.assertEqual((self.notices[0].kind, self.notices[0].id), ("withdrawn", "n7"))

    def test_more_than_the_connection_brings(self):
        self.welcome = {"more": True}
        self.server.announcements = [{"seq": n, "token": self.notice(n)} for n in (5, 3, 4)]
        self.connected()
        eventually(lambda: len(self.notices) == 3, "the rest by GET")
        self.assertEqual([notice.seq for notice in self.notices], [3, 4, 5])

    def test_announcements_without_push(self):
        self.server.announcements = [{"seq": n, "token": self.notice(n)} for n in (2, 1)]
        self.server.claims = {"news": 2}
        client = self.client()
        self.start(client, card_key=CARD_KEY, push=False)
        eventually(lambda: len(self.notices) == 2, "both announcements, before any heartbeat")
        self.assertEqual([notice.seq for notice in self.notices], [1, 2])
        fetched = self.server.calls("announcements")
        self.assertEqual((fetched[0].query["app_id"], fetched[0].query["after"]), ([APP], ["0"]))
        self.assertEqual(fetched[0].query["kid"], [kid(SIGNING)])  # a key that this client trusts
        self.beat(client)
        self.assertEqual(len(self.server.calls("announcements")), len(fetched))  # nothing new to fetch
        self.server.claims = {"news": 3}
        self.server.announcements.append({"seq": 3, "token": self.notice(3)})
        self.beat(client)
        eventually(lambda: len(self.notices) == 3, "the new one, with the next heartbeat")
        self.server.announcements.pop()
        self.assertEqual([n.seq for n in client.announcements()], [1, 2])

    def test_pages_of_announcements(self):
        first, second = ([{"seq": n, "token": self.notice(n)}] for n in (1, 2))

        def respond(request):
            if request.path != "/api/v1/announcements":
                return self.server.honest(request)
            page = request.query.get("cursor") == ["two"]
            return 200, {"success": True, "data": {"items": second if page else first, "next": "" if page else "two"}}
        self.server.respond = respond
        self.assertEqual([notice.seq for notice in self.client().announcements()], [1, 2])

    def test_an_order_stops_at_once_and_the_verdict_agrees(self):
        client = self.connected()
        self.says("stop", "card_disabled", seq=42)
        self.push(self.order(client))
        self.stopped("card_disabled")
        eventually(lambda: self.acks == [{"type": "ack", "seq": 42}], "the acknowledgement")
        eventually(lambda: self.beats() == 1, "the heartbeat that follows")
        self.assertIsNone(client._state.lease)
        eventually(lambda: client._runner._closing, "the end")
        self.assertEqual(len(self.stops), 1)

    def test_an_order_on_a_connection_that_ends_with_it(self):
        """The server closes right behind the order: it is obeyed all the same."""
        client = self.connected()
        peer = self.peers[-1]
        self.says("stop", "card_disabled", seq=42)
        with mock.patch.object(goldfish._Socket, "send", side_effect=BrokenPipeError), \
                mock.patch.object(goldfish._Socket, "_send_frame", side_effect=BrokenPipeError):
            peer.frame(9, b"ping")
            self.push(self.notice(7))
            self.push(self.order(client))
            peer.close(4403)
            self.stopped("card_disabled")
        self.assertEqual([notice.seq for notice in self.notices], [7])
        self.assertIsNone(client._state.lease)

    def test_a_stopped_client_that_starts_again_asks_about_its_card(self):
        client = self.connected()
        self.world.luck = 0.5
        self.push(self.order(client, spread=3600))
        self.stopped("card_disabled")
        self.world.luck = 0.0
        client = self.restarted(client)
        self.assertEqual(client.check_lease(), "no_lease")
        client.start(push=False)  # the order was a mistake, or is undone by now
        self.assertEqual(self.server.requests[-1].json["card_id"], CARD)
        self.assertEqual(client.check_lease(), "")

    def test_the_verdict_decides_also_back_to_run(self):
        client = self.connected()
        self.server.claims = {"seq": 42}
        self.world.luck = 0.5
        self.push(self.order(client, act="hold", code="session_ended", spread=100))
        self.stopped("session_ended", "hold")
        self.assertEqual(self.beats(), 0)
        self.world.luck = 0.0
        self.advance(50)
        eventually(lambda: self.beats() == 1, "the heartbeat after its spread")
        eventually(lambda: client.licence.running, "run again")
        self.assertEqual(client.check_lease(), "")

    def test_a_verdict_signed_before_the_order_does_not_undo_it(self):
        """A heartbeat was under way when the order came."""
        client = self.connected()
        entered, release = threading.Event(), threading.Event()
        answer = []

        def respond(request):
            if request.path.endswith("heartbeat") and not answer:
                answer.append(self.server.honest(request))  # signed with seq 41
                entered.set()
                release.wait(PATIENCE)
                return answer[0]
            if request.path.endswith("heartbeat"):
                leases.append(client._state.lease)  # what the first one left
            return self.server.honest(request)
        leases = []
        self.server.respond = respond
        self.advance(300)
        self.assertTrue(entered.wait(PATIENCE))
        self.push(self.order(client))
        self.stopped("card_disabled")
        self.says("stop", "card_disabled", seq=42)
        release.set()
        eventually(lambda: self.beats() == 2, "the heartbeat that decides")
        eventually(lambda: client._runner._closing, "the end")
        self.assertEqual(leases, [None])
        self.assertFalse(client.licence.running)
        self.assertIsNone(client._state.lease)
        self.assertEqual(len(self.stops), 1)

    def test_wait_means_ask(self):
        client = self.connected()
        self.push(self.order(client, act="wait", code="card_changed"))
        eventually(lambda: self.beats() == 1, "the heartbeat asked for")
        self.assertEqual(self.stops, [])

    def test_an_order_about_another_card_means_ask(self):
        client = self.connected()
        self.push(self.order(client, card="older-card"))
        eventually(lambda: self.beats() == 1, "the heartbeat asked for")
        self.assertEqual(self.stops, [])
        self.assertEqual(client.check_lease(), "")

    def test_an_order_for_this_session(self):
        client = self.connected()
        self.push(self.order(client, session=client._session, act="hold", code="session_ended"))
        self.stopped("session_ended", "hold")

    def test_coming_back(self):
        client = self.connected()
        self.world.luck = 0.5
        self.peers[-1].close(1013)
        eventually(lambda: not client.state.push, "the lost connection")
        self.assertEqual(self.beats(), 0)
        self.world.luck = 0.0
        self.advance(1)  # half of 2¹ s
        eventually(lambda: len(self.hellos) == 2, "the next connection")
        self.assertEqual(self.beats(), 1)
        self.assertEqual(self.server.calls("heartbeat")[0].json["ticket"], True)
        self.assertNotEqual(self.hellos[0]["ticket"], self.hellos[1]["ticket"])
        eventually(lambda: client.state.push, "push again")

    def test_coming_back_takes_longer_each_time(self):
        self.server.talk = lambda peer: peer.close(4401)
        self.world.luck = 1.0
        client = self.client()
        self.start(client, card_key=CARD_KEY, push=True)
        waits = []
        uniform = self.world.uniform

        def noted(low, high):
            if threading.current_thread().name == "goldfish-push":
                waits.append(high)
            return uniform(low, high)
        self.world.uniform = noted
        for number in range(8):
            eventually(lambda: len(waits) > number, "attempt %d" % number)
            self.advance(waits[number])
        self.assertEqual(waits[:8], [2, 4, 8, 16, 32, 60, 60, 60])

    def test_without_network_push_leaves_the_asking_to_the_keeper(self):
        client = self.connected()
        self.world.cut_off = True
        self.peers[-1].close(1001)
        eventually(lambda: not client.state.push, "the lost connection")
        eventually(lambda: not client.state.online, "the failed heartbeat")
        dials = self.world.dials
        self.advance(29)
        client._runner._tick()
        self.assertEqual(self.world.dials, dials)
        self.world.cut_off = False
        self.advance(1)
        eventually(lambda: client.state.push, "push again")

    def test_strange_messages_are_ignored(self):
        self.connected()
        for message in ({"type": "unknown"}, {}, {"type": "push"}, {"type": "push", "token": 5}):
            self.peers[-1].send(message)
        self.peers[-1].frame(1, b"not json")
        self.peers[-1].frame(1, b"[1,2]")
        self.push(self.notice(7))
        eventually(lambda: self.notices, "the notice after them")

    def test_no_welcome_no_connection(self):
        self.server.talk = lambda peer: [peer.receive(), peer.send({"type": "push", "token": self.notice(1)}),
                                         peer.receive()]
        client = self.client()
        self.start(client, card_key=CARD_KEY, push=True)
        eventually(lambda: client._runner._push_failures, "the failed connection")
        self.assertFalse(client.state.push)
        self.assertEqual(self.notices, [])

    def test_a_refused_upgrade(self):
        self.server.respond = lambda request: (403, b"{}") if request.path.endswith("ws") else self.server.honest(request)
        self.server._upgrade = lambda handler: self.server._answer(handler, (403, b"{}"))
        client = self.client()
        self.start(client, card_key=CARD_KEY, push=True)
        eventually(lambda: client._runner._push_failures, "the failed connection")
        self.assertTrue(client.licence.running)


class Texts(unittest.TestCase):
    def test_every_code_of_the_protocol_has_both_texts(self):
        codes = ("rate_limited sealed app_unknown keys_unknown app_disabled address_blacklisted version_too_old "
                 "version_withdrawn app_maintenance card_unknown device_info_invalid proof_time proof_invalid "
                 "device_blacklisted account_disabled card_taken card_deleted card_disabled card_expired card_unused "
                 "device_key_mismatch device_mismatch device_unbound device_limit device_already_bound unbind_limit "
                 "session_limit session_ended receipt_wanted receipt_kept valid no_lease lease_expired clock_back "
                 "device_changed unreachable unverifiable proof_required").split()
        for code in codes:
            self.assertIn(code, goldfish._TEXTS)
        for code, (zh, en) in goldfish._TEXTS.items():
            self.assertRegex(zh, r"[\u4e00-\u9fff]", code)
            self.assertRegex(en, r"\A[A-Z][ -~]+\.\Z", code)
        for code in ("device_limit", "device_already_bound", "unbind_limit", "card_taken"):
            self.assertTrue(goldfish._TEXTS[code][0].startswith("设备已绑定"))

    def test_every_code_raised_here_has_a_text(self):
        with open(goldfish.__file__, encoding="utf-8") as file:
            source = file.read()
        raised = set(re.findall(r'Error\("([a-z_]+)"', source) + re.findall(r'NoLicence\("([a-z_]+)"', source))
        self.assertTrue(raised)
        self.assertEqual(raised - set(goldfish._TEXTS), set())

    def test_language(self):
        error = goldfish.NoLicence("no_lease", "zh")
        self.assertIn("卡密", error.message)
        self.assertEqual(str(goldfish.NoLicence("no_lease", "en")),
                         "There is no licence on this computer; please enter a card key. (no_lease)")
        self.assertEqual(goldfish.Refused("a_code_of_tomorrow", "en").message, "The server refused the request.")
        for env, lang in (({}, "zh"), ({"LANG": "C.UTF-8"}, "zh"), ({"LANG": "zh_CN.UTF-8"}, "zh"),
                          ({"LANG": "en_US.UTF-8"}, "en"), ({"LC_ALL": "de_DE", "LANG": "zh_CN"}, "en"),
                          ({"LC_ALL": "", "LANG": "zh_TW"}, "zh")):
            self.assertEqual(goldfish._language(env), lang, env)

    def test_foreign_text_is_made_safe(self):
        self.assertEqual(goldfish._plain("a\x1b[31m\nb\u202e" + "x" * 600), ("a [31m b " + "x" * 600)[:500])
        self.assertEqual(goldfish._plain(None), "")


if __name__ == "__main__":
    unittest.main()
