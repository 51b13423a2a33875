"""A hostile server or proxy: whatever the app's key did not sign for this very call neither grants nor
withdraws anything."""

import hashlib
import hmac
import os
import socket
import threading
import time
import unittest

from kit import (
    CARD_KEY, DAY, FOREIGN, NOW, OTHER_APP, PATIENCE, SIGNING, STANDBY, Case, World, compact, free_port, goldfish,
    kid, problem, public, token,
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


if __name__ == "__main__":
    unittest.main()
