"""The client as a vendor uses it: accounts, device calls, and what each act means."""

import os
import threading
import unittest
from datetime import datetime, timezone

from kit import APP, CARD, CARD_KEY, DAY, NOW, SIGNING, STANDBY, Case, goldfish, kid, problem


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


if __name__ == "__main__":
    unittest.main()
