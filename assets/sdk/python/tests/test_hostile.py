"""A hostile server, proxy or user: whatever the app's key did not sign for this very call neither
grants nor withdraws anything, and a wrong clock locks nobody out."""

import base64
import hashlib
import hmac
import json
import os
import shutil
import socket
import threading
import time
import unittest

from kit import (
    APP, CARD_KEY, DAY, FOREIGN, NOW, OTHER_APP, OTHER_FACTS, PATIENCE, SIGNING, STANDBY, Case, World, compact,
    eventually, free_port, goldfish, kid, problem, public, token,
)


class Answers(Case):
    """Each attack is tried on a new customer (who must get nothing), and on one whose licence runs
    (who must keep it, and whose stored state must not change by one byte)."""

    def refused(self, attack, error=goldfish.Unverifiable):
        """attack(server) makes the server hostile."""
        attack(self.server)
        newcomer = self.client(World(os.path.join(self.folder, "newcomer")))
        with self.assertRaises(error):
            newcomer.activate(CARD_KEY)
        self.assertEqual(newcomer.check_lease(), "no_lease")
        self.assertIsNone(newcomer._state.refusal)
        self.server.__dict__.update(self.honest)

        client = self.licensed()
        before = self.files()
        attack(self.server)
        with self.assertRaises(error):
            client.verify()
        client.licence.check()
        self.assertEqual(self.files(), before)
        self.assertEqual(client.check_lease(), "")

        after = self.restarted(client)  # a program that starts now runs on its lease
        licence = after.start(push=False)
        self.assertTrue(licence.running)
        self.assertFalse(after.state.online)

    def setUp(self):
        super().setUp()
        names = ("claims", "status", "change", "sign", "respond", "extra", "now")
        self.honest = {name: getattr(self.server, name) for name in names}

    def files(self):
        with open(self.world.path("state.json"), "rb") as one, open(self.world.folders().second, "rb") as two:
            return one.read(), two.read()

    def signed(self, sign):
        self.refused(lambda server: setattr(server, "sign", sign))

    def changed(self, **claims):
        self.refused(lambda server: setattr(server, "change", lambda own, request: dict(own, **claims)))

    def test_unsigned_answer(self):
        self.signed(lambda claims: claims)  # the claims as bare JSON
        self.signed(lambda claims: compact(claims).decode())

    def test_stripped_verdict(self):
        def strip(server):
            server.respond = lambda request: (200, {
                "success": True, "message": "卡密激活成功", "data": {"device_id": "d48e", "card_id": "x"}})
        self.refused(strip)

    def test_forged_refusal_is_no_refusal(self):
        def refuse(server):
            server.respond = lambda request: problem(403, "card_disabled", "卡密已被禁用")
        self.refused(refuse, goldfish.ServerError)

    def test_error_page_of_a_proxy(self):
        def page(server):
            server.respond = lambda request: (502, b"<html><h1>Bad Gateway</h1></html>")
        self.refused(page)

    def test_wrong_key(self):
        self.signed(lambda claims: token(claims, seed=FOREIGN))

    def test_wrong_key_under_a_pinned_kid(self):
        header = '{"alg":"EdDSA","kid":"%s","typ":"goldfish-verdict+jwt"}' % kid(SIGNING)
        self.signed(lambda claims: token(claims, seed=FOREIGN, header=header))

    def test_the_standby_key_is_believed(self):
        self.server.sign = lambda claims: token(claims, seed=STANDBY)
        self.assertEqual(self.licensed().check_lease(), "")

    def test_algorithm_none(self):
        header = '{"alg":"none","typ":"goldfish-verdict+jwt"}'
        self.signed(lambda claims: token(claims, header=header, signature=b""))
        named = '{"alg":"none","kid":"%s","typ":"goldfish-verdict+jwt"}' % kid(SIGNING)
        self.signed(lambda claims: token(claims, header=named))

    def test_hmac_confusion(self):
        secrets = (goldfish._public_key(SIGNING), public(SIGNING).encode())
        for algorithm in ("HS256", "EdDSA"):
            for secret in secrets:
                header = '{"alg":"%s","kid":"%s","typ":"goldfish-verdict+jwt"}' % (algorithm, kid(SIGNING))

                def sign(claims):
                    text = token(claims, header=header, signature=b"").rsplit(".", 1)[0]
                    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
                    return text + "." + goldfish._b64u(mac)

                with self.subTest(algorithm=algorithm, secret=len(secret)):
                    self.signed(sign)

    def test_wrong_token_type(self):
        for typ in ("goldfish-order+jwt", "goldfish-notice+jwt", "goldfish-lease+jwt", "goldfish-access+jwt", "JWT"):
            with self.subTest(typ=typ):
                self.signed(lambda claims: token(claims, typ=typ))

    def test_changed_claim(self):
        def sign(claims):
            header, _, signature = token(claims).split(".")
            later = dict(claims, exp=claims["exp"] + DAY)
            return ".".join((header, goldfish._b64u(compact(later)), signature))
        self.signed(sign)

    def test_other_apps_verdict(self):
        self.changed(aud=OTHER_APP)

    def test_another_nonce(self):
        self.changed(nonce=goldfish._b64u(bytes(16)))

    def test_replayed_verdict(self):
        first = self.licensed(world=World(os.path.join(self.folder, "victim")))
        captured = first._state.lease
        self.signed(lambda claims: captured)

    def test_altered_request(self):
        """Somebody on the way changed the version: what the server signed names another request."""
        def alter(server):
            def change(claims, request):
                request.body = request.body.replace(b'"version":"1.0.0"', b'"version":"9.9.9"')
                return dict(claims, req=goldfish._request_hash(request.request_text(request.t, request.key)))
            server.change = change
        self.refused(alter)

    def test_relayed_device(self):
        """A relay asks in the name of a licensed device, with that device's key."""
        device = hashlib.sha256(b"a licensed device").digest()

        def relay(server):
            def change(claims, request):
                key = public(device)
                return dict(claims, key=key, req=goldfish._request_hash(request.request_text(request.t, key)))
            server.change = change
        self.refused(relay)
        self.changed(key=public(device))  # and with only the claim exchanged
        self.changed(key="")              # a keyless binding's verdict is none of an SDK's

    def test_older_time_in_the_same_epoch(self):
        client = self.licensed()
        before = self.files()
        self.server.change = lambda claims, request: dict(claims, iat=NOW - 901, exp=NOW + 7 * DAY)
        with self.assertRaises(goldfish.Unverifiable):
            client.verify()
        self.assertEqual(self.files(), before)
        self.server.change = lambda claims, request: dict(claims, iat=NOW - 900, exp=NOW + 7 * DAY)
        client.verify()

    def test_types_and_spans(self):
        for claims in (dict(exp=NOW - 1), dict(exp=NOW + 401 * DAY), dict(iat="now"), dict(iat=True), dict(v=2),
                       dict(card=None), dict(card="x"), dict(parts=["a", "b"]), dict(tol="1"), dict(beat=None),
                       dict(act=1), dict(ep=1.5)):
            with self.subTest(**claims):
                self.changed(**claims)

    def test_an_unknown_act_is_stop(self):
        client = self.licensed()
        self.server.change = lambda claims, request: dict(claims, act="continue", code="new_rule")
        with self.assertRaises(goldfish.Refused):
            client.verify()
        self.assertEqual(client.check_lease(), "no_lease")

    def test_huge_answer(self):
        for size in (65537, 5_000_000):
            def pad(server):
                def respond(request):
                    status, answer = server.honest(request)
                    answer["message"] = "x" * size
                    return status, answer
                server.respond = respond
            with self.subTest(size=size):
                self.refused(pad)

    def test_one_byte_too_long(self):
        """64 KiB are an answer, one byte more is none, however good its verdict."""
        client = self.licensed()

        def respond(request):
            status, answer = self.server.honest(request)
            data = compact(answer)
            return status, data[:-1] + b" " * (size - len(data)) + b"}"
        self.server.respond = respond
        size = 65536
        client.verify()
        size = 65537
        with self.assertRaises(goldfish.Unverifiable):
            client.verify()

    def test_huge_token(self):
        def sign(claims):
            return token(dict(claims, padding="x" * 4096))
        self.signed(sign)

    def test_endless_answer_without_a_length(self):
        def flood(server):
            def write(out):
                out.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{")
                for _ in range(40):
                    out.write(b" " * 4096)
            server.respond = lambda request: write
        self.refused(flood)

    def test_compressed_answer(self):
        def encode(server):
            def respond(request):
                data = compact(server.honest(request)[1])
                return lambda out: out.write(
                    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            server.respond = respond
        self.refused(encode)

    def test_nested_and_doubled_json(self):
        for data in (b"[" * 60000, b"{" * 60000, b'{"data":{},"data":{}}', b"null", b"\xff{}", b'{"a":NaN}', b""):
            def answer(server):
                server.respond = lambda request: (200, data)
            with self.subTest(data=data[:20]):
                self.refused(answer)

    def test_no_http_at_all(self):
        def babble(server):
            server.respond = lambda request: lambda out: out.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 10)
        self.refused(babble)

    def test_closed_connection(self):
        def close(server):
            server.respond = lambda request: lambda out: None
        self.refused(close, goldfish.Unreachable)

    def test_redirects_are_not_followed(self):
        visited = len(self.server.requests)

        def redirect(server):
            def respond(request):
                def write(out):
                    out.write(("HTTP/1.1 307 Temporary Redirect\r\nLocation: %s/elsewhere\r\n"
                               "Content-Length: 0\r\n\r\n" % server.url).encode())
                return write
            server.respond = respond
        self.refused(redirect)
        self.assertEqual([r.path for r in self.server.requests[visited:] if "elsewhere" in r.path], [])

    def test_a_late_answer(self):
        """A nonce counts for 60 s."""
        client = self.licensed()

        def respond(request):
            self.world.mono_now += 61
            return self.server.honest(request)
        self.server.respond = respond
        with self.assertRaises(goldfish.Unverifiable):
            client.verify()
        self.assertEqual(client.check_lease(), "")

    def test_a_trickling_server(self):
        """One byte now and then does not keep a call alive beyond its time."""
        self.world.call_seconds = 0.3
        stop = threading.Event()

        def drip(out):
            out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
            while not stop.is_set():
                out.write(b" ")
                out.flush()
                stop.wait(0.02)

        client = self.client()
        client._make_key()
        for head in (drip, lambda out: [out.write(b"HTTP/1.1 200 OK\r\nX-Slow: "), drip_header(out, stop)]):
            self.server.respond = lambda request: head
            began = time.monotonic()
            with self.assertRaises(goldfish.Unreachable):
                client.activate(CARD_KEY)
            self.assertLess(time.monotonic() - began, PATIENCE / 2)
        stop.set()

    def test_a_server_that_never_answers(self):
        self.world.call_seconds = 0.2
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            client = self.client(url="http://127.0.0.1:%d" % silent.getsockname()[1])
            with self.assertRaises(goldfish.Unreachable):
                client.activate(CARD_KEY)

    def test_nobody_listens(self):
        client = self.client(url="http://127.0.0.1:%d" % free_port())
        with self.assertRaises(goldfish.Unreachable):
            client.activate(CARD_KEY)


def drip_header(out, stop):
    while not stop.is_set():
        out.write(b"a")
        out.flush()
        stop.wait(0.02)


class Clocks(Case):
    """§8: time comes from signed answers."""

    def test_a_client_whose_clock_is_years_off_works(self):
        for local in (NOW - 20 * 365 * DAY, NOW + 20 * 365 * DAY, 0):
            with self.subTest(local=local):
                world = World(os.path.join(self.folder, str(local)), local=local)
                client = self.client(world)
                client.activate(CARD_KEY)
                self.assertEqual([r.json["version"] for r in self.server.calls("activate")][-2:], ["1.0.0"] * 2)
                self.assertEqual(client._now(), NOW)
                client = self.client_after(client, world)
                world.cut_off = True
                self.assertTrue(client.start(push=False).running)  # and offline, on its lease

    def client_after(self, client, world):
        client.close()
        return self.client(world)

    def test_proof_time_is_asked_once_more_and_not_for_ever(self):
        self.server.change = lambda claims, request: dict(claims, act="wait", code="proof_time", exp=claims["iat"])
        client = self.client()
        with self.assertRaises(goldfish.Waiting) as caught:
            client.activate(CARD_KEY)
        self.assertEqual(caught.exception.code, "proof_time")
        calls = self.server.calls("activate")
        self.assertEqual(len(calls), 2)
        self.assertEqual(calls[0].idempotency, calls[1].idempotency)
        self.assertNotEqual(calls[0].json["nonce"], calls[1].json["nonce"])

    def test_offline_on_the_lease(self):
        client = self.licensed()
        self.world.advance(6 * DAY)
        self.world.cut_off = True
        client = self.restarted(client)
        licence = client.start(push=False)
        self.assertTrue(licence.running)
        self.assertEqual(licence.tier, "pro")
        self.assertTrue(licence.has("export"))
        self.assertFalse(client.state.online)
        self.assertEqual(client.state.code, "unreachable")

    def test_the_lease_ends(self):
        client = self.licensed()
        self.world.advance(7 * DAY)
        self.world.cut_off = True
        client = self.restarted(client)
        with self.assertRaises(goldfish.NoLicence) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "lease_expired")
        self.assertIn("online", caught.exception.message)

    def test_clock_set_back_refuses_offline_and_works_online(self):
        client = self.licensed()
        self.world.advance(2 * DAY)
        client = self.restarted(client)  # close stored the moment
        self.world.local_now -= DAY
        self.world.cut_off = True
        with self.assertRaises(goldfish.NoLicence) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "clock_back")
        self.server.now = NOW + 2 * DAY
        self.world.cut_off = False
        self.assertTrue(client.start(push=False).running)
        self.world.cut_off = True
        client = self.restarted(client)  # and from now on offline too: the server set the time
        self.assertTrue(client.start(push=False).running)

    def test_clock_set_back_spends_the_lease_anyway(self):
        """Back to the last moment seen before every start: running time counts."""
        client = self.licensed()
        self.world.cut_off = True
        for _ in range(7):
            client = self.restarted(client)
            self.assertEqual(client.check_lease(), "")
            self.world.advance(DAY)
            client.close()
            self.world.local_now = client._time.moment.high - 600
        client = self.client()
        self.assertEqual(client.check_lease(), "lease_expired")


class Files(Case):
    """§9: what a user can do to the files."""

    def edit(self, **members):
        with open(self.world.path("state.json"), encoding="ascii") as file:
            line, mac = file.read().split("\n", 1)
        record = json.loads(line)
        record.update(members)
        with open(self.world.path("state.json"), "w", encoding="ascii") as file:
            file.write(json.dumps(record) + "\n" + mac)

    def offline(self, client):
        client = self.restarted(client)
        self.world.cut_off = True
        return client

    def test_state_edited(self):
        client = self.licensed()
        client.close()
        self.edit(high=NOW - DAY)
        client = self.offline(client)
        with self.assertRaises(goldfish.NoLicence) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "no_lease")

    def test_state_edited_then_the_card_key_again(self):
        """The state is lost, the device key is not: the same key is verified, no seat is spent."""
        client = self.licensed()
        client.close()
        self.edit(high=NOW - DAY)

        def change(claims, request):
            if request.path.endswith("activate"):
                return dict(claims, act="wait", code="device_already_bound", exp=claims["iat"])
            return claims
        self.server.change = change
        client = self.client()
        client.activate(CARD_KEY)
        self.assertEqual(self.server.calls("verify")[-1].json["card_key"], CARD_KEY)
        self.assertEqual(client.check_lease(), "")

    def test_second_place_deleted(self):
        client = self.licensed()
        client.close()
        os.remove(self.world.folders().second)
        client = self.offline(client)
        self.assertTrue(client.start(push=False).running)
        self.assertTrue(os.path.exists(self.world.folders().second), "written again")

    def test_an_old_state_file_put_back(self):
        client = self.licensed()
        client.close()
        shutil.copy(self.world.path("state.json"), self.world.path("kept"))
        self.world.advance(3 * DAY)
        self.server.now += 3 * DAY
        client = self.restarted(client)
        client.start(push=False)
        client.close()
        shutil.copy(self.world.path("kept"), self.world.path("state.json"))
        self.world.local_now = NOW  # the second place still knows better
        client = self.offline(client)
        with self.assertRaises(goldfish.NoLicence) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "clock_back")

    def test_both_places_deleted(self):
        client = self.licensed()
        client.close()
        os.remove(self.world.path("state.json"))
        os.remove(self.world.folders().second)
        client = self.offline(client)
        with self.assertRaises(goldfish.NoLicence) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "no_lease")

    def test_copied_state_folder(self):
        """Another computer with this one's files: its facts do not match the lease."""
        client = self.licensed()
        client.close()
        other = World(self.folder, facts=OTHER_FACTS)
        other.cut_off = True
        thief = self.client(other)
        with self.assertRaises(goldfish.NoLicence) as caught:
            thief.start(push=False)
        self.assertEqual(caught.exception.code, "device_changed")

    def test_one_changed_part_is_tolerated(self):
        client = self.licensed()
        client.close()
        world = World(self.folder, facts=dict(OTHER_FACTS, cpu_id="test_cpu_123", motherboard_id="test_mb_456"))
        world.cut_off = True
        self.assertTrue(self.client(world).start(push=False).running)

    def test_a_lease_of_another_device_key(self):
        """A lease taken from another computer, put into a state that is otherwise sound."""
        theirs = self.licensed(world=World(os.path.join(self.folder, "theirs")))
        mine = self.licensed()
        mine._change(lambda state: state._replace(lease=theirs._state.lease))
        self.assertEqual(mine.check_lease(), "no_lease")

    def test_device_key_replaced(self):
        client = self.licensed()
        client.close()
        with open(self.world.path("device.key"), "w", encoding="ascii") as file:
            file.write(goldfish._b64u(bytes(range(32))))
        client = self.offline(client)
        with self.assertRaises(goldfish.NoLicence) as caught:
            client.start(push=False)
        self.assertEqual(caught.exception.code, "no_lease")


class Construction(unittest.TestCase):
    """The client cannot be built so that it would check nothing."""

    good = dict(public_keys=[public(SIGNING)], version="1.0.0")

    def refused(self, code, *args, **options):
        with self.assertRaises(goldfish.ConfigurationError) as caught:
            goldfish.Client(*(args or ("https://licence.example.com", APP)), **dict(self.good, **options))
        self.assertEqual(caught.exception.code, code)

    def test_keys(self):
        self.refused("keys_required", public_keys=[])
        self.refused("keys_required", public_keys=public(SIGNING))
        self.refused("keys_required", public_keys=[public(hashlib.sha256(bytes([i])).digest()) for i in range(9)])
        self.refused("key_invalid", public_keys=[""])
        self.refused("key_invalid", public_keys=[None])
        self.refused("key_invalid", public_keys=[public(SIGNING) + "="])
        identity = goldfish._b64u(b"\x01" + bytes(31))
        self.refused("key_invalid", public_keys=[identity])  # fits signatures of anything
        with self.assertRaises(TypeError):
            goldfish.Client("https://licence.example.com", APP, version="1.0.0")

    def test_published_keys(self):
        for text in ("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"):
            self.refused("key_published", public_keys=[public(SIGNING), text])

    def test_addresses(self):
        for url in ("http://licence.example.com", "http://192.168.1.5:8000", "http://127.0.0.1.example.com",
                    "http://localhost.example.com", "http://[2001:db8::1]:8000"):
            self.refused("plain_http_refused", url, APP)
        for url in ("ftp://x", "licence.example.com", "https://", "https://u:p@x", "https://x/?a=b", "https://x/#f",
                    "https://x:99999", "", "https://x/a b", "https://x/\r\nX: y", None):
            self.refused("url_invalid", url, APP)

    def test_good_addresses(self):
        for url, more in (("http://127.0.0.1:8000", {}), ("http://localhost", {}), ("http://[::1]:8000", {}),
                          ("https://licence.example.com/base/", {}), ("http://192.168.1.5", {"plain_http": True})):
            goldfish.Client(url, APP, **dict(self.good, **more)).close()

    def test_the_rest(self):
        self.refused("app_id_invalid", "https://x", "not-a-uuid")
        self.refused("app_id_invalid", "https://x", APP.upper())
        self.refused("version_invalid", version="1")
        self.refused("version_invalid", version="1.0.0-" + "x" * 60)
        self.refused("lang_invalid", lang="fr")

    def test_no_switch(self):
        """No parameter, member or environment variable whose name speaks of trust or checks."""
        names = list(goldfish.Client.__init__.__kwdefaults__) + [n for n in dir(goldfish.Client) if n[0] != "_"]
        names += [name for name in vars(goldfish._World) if not name.startswith("__")]
        for name in names:
            for word in ("insecure", "skip", "trust", "unsafe", "disable", "debug", "test", "check_off", "no_verify"):
                self.assertNotIn(word, name)
        with open(goldfish.__file__, encoding="utf-8") as file:
            source = file.read()
        self.assertNotIn("CERT_NONE", source)
        self.assertNotIn("check_hostname", source)
        self.assertNotIn("GOLDFISH_", source)


class OldOrders(Case):
    """§10 from the hostile side: what comes over the live connection."""

    def setUp(self):
        super().setUp()
        self.notices, self.stops = [], []
        self.pushed = []
        self.connected = threading.Event()

        def talk(peer):
            hello = peer.receive()
            peer.send({"type": "welcome", "ep": hello["ep"], "seq": 41, "reset": False})
            for message in self.pushed:
                peer.send(message)
            peer.send({"type": "push", "seq": 99, "token": self.notice(99)})
            while peer.receive() is not None:
                pass
        self.server.talk = talk

    def notice(self, number, seed=SIGNING, **claims):
        payload = {"v": 1, "iss": "x", "aud": APP, "iat": NOW, "exp": None, "ep": 1, "seq": number,
                   "kind": "announcement", "data": {"id": "n%d" % number, "title": {"zh": "标题", "en": "Title"}}}
        payload.update(claims)
        return token(payload, "goldfish-notice+jwt", seed)

    def order(self, client, typ="goldfish-order+jwt", seed=SIGNING, **claims):
        payload = {"v": 1, "iss": "x", "aud": APP, "iat": NOW, "ep": 1, "seq": 42, "key": client.device_key,
                   "card": "Zk3sV0q8yTn1mWc5xRb7Lg", "session": "", "act": "stop", "code": "card_disabled", "spread": 0}
        payload.update(claims)
        return token(payload, typ, seed)

    def nothing_happens(self, client, *tokens):
        """The tokens come first, a good notice last: when that is shown, they were judged."""
        self.pushed = [{"type": "push", "seq": 50 + i, "token": text} for i, text in enumerate(tokens)]
        lease = client._state.lease
        client.start(on_notice=self.notices.append, on_stop=self.stops.append)
        eventually(lambda: self.notices, "the good notice at the end")
        self.assertEqual([notice.seq for notice in self.notices], [99])
        self.assertEqual(self.stops, [])
        self.assertEqual(goldfish._open_lease(client._keys, lease, APP, client.device_key) is not None, True)
        self.assertTrue(client.licence.running)

    def test_unsigned_notices(self):
        client = self.licensed()
        bare = json.dumps({"kind": "announcement", "seq": 50, "data": {"title": {"en": "send money"}}})
        good = self.notice(51).split(".")
        self.nothing_happens(
            client, bare, self.notice(50, FOREIGN), ".".join(good[:2]) + ".", good[0] + "." + good[1],
            self.notice(52, aud=OTHER_APP), self.notice(53, seq="53"), self.notice(54, v=2),
            token({"v": 1}, "goldfish-verdict+jwt"), base64.b64encode(b"x").decode(), "")

    def test_old_orders(self):
        client = self.licensed()
        self.nothing_happens(client, self.order(client, seq=41), self.order(client, seq=1), self.order(client, ep=0))

    def test_foreign_orders(self):
        client = self.licensed()
        self.nothing_happens(
            client, self.order(client, key=public(FOREIGN)), self.order(client, aud=OTHER_APP),
            self.order(client, session=goldfish._b64u(bytes(16))), self.order(client, seed=FOREIGN),
            self.order(client, act="run"), self.order(client, act="format_disk"), self.order(client, key=""))

    def test_an_order_that_is_none(self):
        client = self.licensed()
        self.nothing_happens(client, self.order(client, typ="goldfish-verdict+jwt"),
                             self.order(client, typ="goldfish-notice+jwt", data={}, kind="announcement", seq=0, exp=None))

    def test_unsigned_announcements_are_not_shown(self):
        client = self.client()
        self.server.announcements = [
            {"id": "1", "title": "unsigned", "seq": 1}, {"id": "2", "seq": 2, "token": self.notice(2, FOREIGN)},
            {"id": "3", "seq": 3, "token": self.notice(3)}, {"id": "4", "seq": 4, "token": 17}, "x"]
        self.assertEqual([notice.seq for notice in client.announcements()], [3])


if __name__ == "__main__":
    unittest.main()
