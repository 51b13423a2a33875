"""A server that lost its record of this device in a restore (§11): the kept lease is its receipt."""

import unittest

from kit import (
    CARD_KEY, DAY, FOREIGN, SIGNING, Started, compact, eventually, goldfish, problem, token,
)


class Receipts(Started):
    """A licensed client, and a server that has begun a new epoch without it."""

    def setUp(self):
        super().setUp()
        self.holder = self.licensed()
        self.lease = self.holder._state.lease
        self.server.claims = {"ep": 2}
        self.server.change = self.forgetful
        self.first = len(self.server.requests)
        self.after = ("run", "valid")     # what the server says to a receipt

    def forgetful(self, own, request):
        """Wants the receipt, then says what the test wants."""
        act, code = self.after if request.json.get("receipt") == self.lease else ("wait", "receipt_wanted")
        claims = dict(own, act=act, code=code)
        if act != "run":
            claims["exp"] = claims["iat"]
            del claims["card"]
        return claims

    def asked(self):
        """The calls since the loss, as the receipts they carried."""
        return [request.json.get("receipt") for request in self.server.requests[self.first:]]

    def test_the_lease_is_shown_once_and_the_licence_goes_on(self):
        self.server.now += 3600
        self.holder.verify()
        self.assertEqual(self.asked(), [None, self.lease])
        one, two = self.server.requests[self.first:]
        self.assertNotEqual(one.json["nonce"], two.json["nonce"])
        self.assertEqual(one.json["card_id"], two.json["card_id"])
        self.assertEqual(two.proof_is(self.server.now), "ok")
        self.assertNotEqual(self.holder._state.lease, self.lease)
        self.assertEqual(self.holder._state.moment.ep, 2)
        self.assertEqual(self.holder.check_lease(), "")
        self.server.change = lambda claims, request: claims
        self.holder.verify()
        self.assertEqual(self.asked(), [None, self.lease, None])

    def test_kept_for_the_vendor_the_lease_runs_on(self):
        self.after = ("wait", "receipt_kept")
        with self.assertRaises(goldfish.Waiting) as caught:
            self.holder.verify()
        self.assertEqual(caught.exception.code, "receipt_kept")
        self.assertEqual(self.holder._state.lease, self.lease)
        after = self.restarted(self.holder)
        licence = self.start(after)
        self.assertTrue(licence.running)
        self.assertEqual(after.state[:3], ("run", "receipt_kept", True))
        self.world.advance(7 * DAY)             # and no longer than it would have
        self.server.now += 7 * DAY
        self.assertEqual(after.check_lease(), "lease_expired")

    def test_a_refusal_of_the_receipt_stops(self):
        self.after = ("stop", "card_unused")
        with self.assertRaises(goldfish.Refused) as caught:
            self.holder.verify()
        self.assertEqual(caught.exception.code, "card_unused")
        self.assertIsNone(self.holder._state.lease)

    def test_wanted_twice_in_a_row(self):
        self.after = ("wait", "receipt_wanted")
        with self.assertRaises(goldfish.Waiting):
            self.holder.verify()
        self.assertEqual(self.asked(), [None, self.lease])
        self.assertEqual(self.holder._state.lease, self.lease)
        self.assertEqual(self.holder.check_lease(), "")

    def test_wanted_without_a_lease_is_stop(self):
        card = self.holder._card_id()
        self.holder._change(lambda state: state._replace(lease=None))
        answer = self.holder._call("/api/v1/card-keys/verify", {"card_id": card})
        self.assertEqual((answer.act, answer.verdict.code), ("stop", "receipt_wanted"))
        self.assertEqual(self.asked(), [None])
        self.assertIsNotNone(self.holder._state.refusal)

    def test_what_is_no_lease_of_this_device_is_not_shown(self):
        card = self.holder._card_id()
        claims = goldfish._Keys([goldfish._b64u(goldfish._public_key(SIGNING))]).open(self.lease, "goldfish-verdict+jwt")
        for text in ("", "x", self.lease + "x", token(dict(claims, key=goldfish._b64u(bytes(32)))), token(claims, seed=FOREIGN),
                     token(dict(claims, aud="9a1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d")), token(dict(claims, act="stop")),
                     token(dict(claims, padding="x" * 4096))):
            with self.subTest(lease=text[:20], size=len(text)):
                self.first = len(self.server.requests)
                self.holder._change(lambda state: state._replace(lease=text, refusal=None))
                answer = self.holder._call("/api/v1/card-keys/verify", {"card_id": card})
                self.assertEqual(answer.act, "stop")
                self.assertEqual(self.asked(), [None])

    def test_unsigned_or_foreign_wishes_get_nothing(self):
        """Nobody on the way learns the lease, and nothing changes."""
        before = self.holder._state
        for respond in (lambda request: problem(409, "receipt_wanted", "文字 text"),
                        lambda request: problem(409, "receipt_wanted", "x", verdict=compact({"act": "wait", "code": "receipt_wanted"}).decode()),
                        lambda request: problem(409, "receipt_wanted", "x", verdict=token(
                            self.forgetful(self.server.verdict(request), request), seed=FOREIGN)),
                        lambda request: problem(409, "receipt_wanted", "x", verdict=token(
                            dict(self.forgetful(self.server.verdict(request), request), nonce=goldfish._b64u(bytes(16)))))):
            self.first = len(self.server.requests)
            self.server.respond = respond
            with self.assertRaises(goldfish.NoAnswer):
                self.holder.verify()
            self.assertEqual(self.asked(), [None])
            self.assertEqual(self.holder._state, before)

    def test_a_replayed_wish_is_none(self):
        """The server's own wish, caught on the way and sent again."""
        caught = []

        def sign(claims):
            caught.append(token(claims))
            return caught[0]
        self.server.sign = sign
        self.after = ("run", "valid")
        with self.assertRaises(goldfish.Unverifiable):
            self.holder.verify()
        self.assertEqual(self.asked(), [None, self.lease])  # the first was meant for it, the second was not
        self.assertEqual(self.holder._state.lease, self.lease)

    def test_a_huge_answer_to_the_receipt(self):
        def respond(request):
            status, answer = self.server.honest(request)
            if "receipt" in request.json:
                answer["message"] = "x" * 70000
            return status, answer
        self.server.respond = respond
        with self.assertRaises(goldfish.Unverifiable):
            self.holder.verify()
        self.assertEqual(self.holder._state.lease, self.lease)
        self.assertEqual(self.holder.check_lease(), "")

    def test_the_longest_lease_fits_into_a_call(self):
        claims = self.holder._keys.open(self.lease, "goldfish-verdict+jwt")
        size = 4096
        while len(token(dict(claims, padding="x" * size))) > 4096:
            size -= 1
        self.lease = token(dict(claims, padding="x" * size))
        self.holder._change(lambda state: state._replace(lease=self.lease))
        self.holder.verify()
        self.assertEqual(self.asked(), [None, self.lease])
        self.assertLess(len(self.server.requests[-1].body), 16 << 10)

    def test_each_repetition_once(self):
        """A wrong clock and a loss at once; then a server that never has enough."""
        answers = ["proof_time", "receipt_wanted", "proof_time", "receipt_wanted"]

        def change(own, request):
            code = answers[len(self.asked()) - 1]
            return dict(own, act="wait", code=code, exp=own["iat"])
        self.server.change = change
        with self.assertRaises(goldfish.Waiting) as caught:
            self.holder.verify()
        self.assertEqual(caught.exception.code, "proof_time")
        self.assertEqual(self.asked(), [None, None, self.lease])
        answers[:] = ["receipt_wanted", "proof_time", "receipt_wanted"]
        self.first = len(self.server.requests)
        with self.assertRaises(goldfish.Waiting) as caught:
            self.holder.verify()
        self.assertEqual(caught.exception.code, "receipt_wanted")
        self.assertEqual(self.asked(), [None, self.lease, self.lease])
        self.assertEqual(self.holder.check_lease(), "")

    def test_a_wish_to_a_card_key_ends_nothing_else(self):
        self.after = ("stop", "card_unknown")
        with self.assertRaises(goldfish.Refused):
            self.holder.activate(CARD_KEY)
        self.assertEqual(self.asked(), [None, self.lease])
        one, two = self.server.requests[self.first:]
        self.assertEqual(one.idempotency, two.idempotency)
        self.assertEqual(self.holder.check_lease(), "")
        newcomer = self.client(type(self.world)(self.folder + "/newcomer"))
        with self.assertRaises(goldfish.Refused) as caught:
            newcomer.activate(CARD_KEY)
        self.assertEqual(caught.exception.code, "receipt_wanted")

    def test_unbinding(self):
        self.after = ("stop", "device_unbound")
        self.holder.unbind()
        self.assertEqual(self.asked(), [None, self.lease])
        self.assertEqual(self.holder.check_lease(), "no_lease")

    def test_a_running_program_notices_nothing(self):
        self.server.change = lambda claims, request: claims
        client = self.restarted(self.holder)
        self.start(client)
        self.lease = client._state.lease
        self.server.change = self.forgetful
        self.first = len(self.server.requests)
        self.advance(300)
        eventually(lambda: self.lease in self.asked(), "the receipt")
        eventually(lambda: client._state.lease != self.lease, "the new lease")
        self.assertEqual(self.stops, [])
        self.assertTrue(client.licence.running)
        self.assertEqual(len(self.server.calls("heartbeat")), 2)

    def test_a_running_program_waits_for_the_vendor(self):
        self.server.change = lambda claims, request: claims
        client = self.restarted(self.holder)
        self.start(client)
        self.lease, self.after = client._state.lease, ("wait", "receipt_kept")
        self.server.change = self.forgetful
        self.first = len(self.server.requests)
        self.beat(client)
        eventually(lambda: self.lease in self.asked(), "the receipt")
        eventually(lambda: client._runner._beat_at > self.world.mono(), "its answer")
        self.assertTrue(client.licence.running)
        self.after = ("run", "valid")           # the vendor adopts
        self.beat(client)
        eventually(lambda: client._state.lease != self.lease, "the new lease")
        self.assertEqual(self.stops, [])


if __name__ == "__main__":
    unittest.main()
