"""The live connection (protocol §10): notices once, orders at once, coming back."""

import threading
import unittest
from datetime import datetime, timezone
from unittest import mock

from kit import APP, CARD, CARD_KEY, DAY, NOW, PATIENCE, SIGNING, Started, eventually, goldfish, kid, token


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

    def test_priority_decides_the_order(self):
        def ranked(number, priority):
            return {"seq": number, "token": self.notice(number, data={"id": "n%d" % number, "priority": priority})}
        self.server.announcements = [ranked(1, "low"), ranked(2, "medium"), ranked(3, "high"), ranked(4, "medium"), ranked(5, "high")]
        self.assertEqual([notice.seq for notice in self.client().announcements()], [3, 5, 2, 4, 1])

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


if __name__ == "__main__":
    unittest.main()
