"""The hostile server over the live connection: unsigned notices, old and foreign orders."""

import base64
import json
import threading
import unittest

from kit import APP, FOREIGN, NOW, OTHER_APP, SIGNING, Case, eventually, goldfish, public, token


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
