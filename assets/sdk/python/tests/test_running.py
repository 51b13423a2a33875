"""A started client: start, heartbeats, judgement of the lease, and its end without a thread left."""

import threading
import time
import unittest

from kit import APP, CARD, CARD_KEY, DAY, NOW, PATIENCE, Started, eventually, goldfish, problem, token


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


if __name__ == "__main__":
    unittest.main()
