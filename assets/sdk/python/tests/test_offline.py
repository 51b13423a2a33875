"""Clocks years off, moved and set back; files edited, deleted, put back and copied."""

import json
import os
import shutil
import unittest

from kit import CARD_KEY, DAY, NOW, OTHER_FACTS, Case, World, goldfish


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


if __name__ == "__main__":
    unittest.main()
