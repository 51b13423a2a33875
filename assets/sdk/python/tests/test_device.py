"""Device facts of three systems, read from fixtures (protocol §4)."""

import ctypes
import hashlib
import os
import struct
import tempfile
import unittest

from kit import goldfish

XEON = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Platinum 8269CY CPU @ 2.50GHz
stepping\t: 7
microcode\t: 0x1

processor\t: 1
vendor_id\t: SomethingElse
"""
PI = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

Hardware\t: BCM2835
Serial\t\t: 10000000abcdef01
"""
MACHINE_ID = "4c4c4544004d10358051b7c04f4e3332"


class Linux(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.permanent = {}
        os.makedirs(self.path("sys/class/net"))

    def path(self, name):
        return os.path.join(self.root, *name.split("/"))

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def facts(self):
        return goldfish._LinuxFacts(self.root, self.permanent.get)

    def adapter(self, name, address, place="pci0000:00/0000:00:1f.6", kind="1", assigned="0", device=True):
        """As sysfs has it: class/net/NAME is a link into the device tree."""
        home = "sys/devices/%s/net/%s" % (place, name)
        self.write(home + "/address", address + "\n")
        self.write(home + "/type", kind + "\n")
        self.write(home + "/addr_assign_type", assigned + "\n")
        if device:
            os.symlink(os.path.join("..", ".."), self.path(home + "/device"))
        os.symlink(os.path.relpath(self.path(home), self.path("sys/class/net")), self.path("sys/class/net/" + name))

    def test_cpu_x86(self):
        self.write("proc/cpuinfo", XEON)
        self.assertEqual(self.facts().cpu(), "GenuineIntel 6 85 7 Intel(R) Xeon(R) Platinum 8269CY CPU @ 2.50GHz")

    def test_cpu_arm(self):
        self.write("proc/cpuinfo", PI)
        self.assertEqual(self.facts().cpu(), "0x41 8 0x0 0xd08")

    def test_cpu_unknown_or_unreadable(self):
        self.assertEqual(self.facts().cpu(), "")
        self.write("proc/cpuinfo", "processor\t: 0\nhart\t: 2\nisa\t: rv64imafdc\n")
        self.assertEqual(self.facts().cpu(), "")

    def test_board(self):
        self.write("etc/machine-id", MACHINE_ID + "\n")
        expected = hashlib.sha256(b"goldfish-machine-v1:" + MACHINE_ID.encode()).hexdigest()[:32]
        self.assertEqual(self.facts().board(), expected)

    def test_board_without_32_digits(self):
        for text in ("", "uninitialized\n", MACHINE_ID[:31], MACHINE_ID + "0", MACHINE_ID.upper(), "0" * 32):
            self.write("etc/machine-id", text)
            self.assertEqual(self.facts().board(), "", text)

    def test_lowest_built_in_adapter(self):
        self.adapter("enp3s0", "3c:7c:3f:aa:00:02", "pci0000:00/0000:03:00.0")
        self.adapter("wlp2s0", "3c:7c:3f:aa:00:01", "pci0000:00/0000:02:00.0")
        self.adapter("lo", "00:00:00:00:00:00", "virtual", kind="772", device=False)
        self.assertEqual(self.facts().mac(), "3C:7C:3F:AA:00:01")

    def test_permanent_address_wins(self):
        self.adapter("wlp2s0", "9e:11:22:33:44:55", assigned="3")  # randomised now
        self.permanent["wlp2s0"] = "3c7c3faa0005"
        self.assertEqual(self.facts().mac(), "3C:7C:3F:AA:00:05")

    def test_slave_of_a_bond(self):
        self.adapter("eno1", "3c:7c:3f:aa:00:09", assigned="2")
        self.write("sys/devices/pci0000:00/0000:00:1f.6/net/eno1/bonding_slave/perm_hwaddr", "3c:7c:3f:aa:00:07\n")
        self.assertEqual(self.facts().mac(), "3C:7C:3F:AA:00:07")

    def test_usb_virtual_and_local_only_without_another(self):
        self.adapter("enx001122334455", "00:11:22:33:44:55", "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0")
        self.adapter("docker0", "00:22:11:33:44:55", "virtual", device=False)
        self.adapter("tap0", "02:42:ac:11:00:02", "virtual", device=False)
        self.assertEqual(self.facts().mac(), "00:11:22:33:44:55")
        self.adapter("enp9s0", "f0:00:00:00:00:01", "pci0000:00/0000:09:00.0")
        self.assertEqual(self.facts().mac(), "F0:00:00:00:00:01")

    def test_local_bit_on_hardware(self):
        self.adapter("enp1s0", "02:00:00:00:00:01", "pci0000:00/0000:01:00.0")
        self.adapter("enp2s0", "f4:00:00:00:00:01", "pci0000:00/0000:02:00.0")
        self.assertEqual(self.facts().mac(), "F4:00:00:00:00:01")

    def test_container(self):
        self.adapter("eth0", "02:42:ac:11:00:02", "virtual", device=False)
        self.assertEqual(self.facts().mac(), "02:42:AC:11:00:02")

    def test_what_is_no_address(self):
        self.adapter("ib0", "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03", kind="32")
        self.adapter("eth1", "00:00:00:00:00:00", "pci0000:00/0000:01:00.0")
        self.adapter("eth2", "01:00:5e:00:00:01", "pci0000:00/0000:02:00.0")  # a group's
        self.assertEqual(self.facts().mac(), "")

    def test_no_network_folder(self):
        os.rmdir(self.path("sys/class/net"))
        self.assertEqual(self.facts().mac(), "")

    def test_whole(self):
        self.write("proc/cpuinfo", XEON)
        self.write("etc/machine-id", MACHINE_ID)
        self.adapter("eno1", "3c:7c:3f:aa:00:01")
        info = goldfish._device_info(self.facts())
        self.assertEqual(goldfish._parts(info)[0], "GENUINEINTEL6857INTELRXEONRPLATINUM8269CYCPU250GHZ")
        self.assertEqual(goldfish._parts(info)[2], "3C7C3FAA0001")

    def test_this_machine(self):
        """Whatever it is: the facts have their form, and reading them twice gives the same."""
        info = goldfish._World().device_info()
        self.assertEqual(sorted(info), ["cpu_id", "mac_address", "motherboard_id"])
        self.assertEqual(info, goldfish._World().device_info())
        goldfish._normal_mac(info["mac_address"])


def smbios(*structures):
    table = b""
    for kind, body, strings in structures:
        table += struct.pack("<BBH", kind, 4 + len(body), 0) + body
        table += b"".join(text.encode() + b"\0" for text in strings) + (b"\0" if strings else b"\0\0")
    return table + struct.pack("<BBH", 127, 4, 0) + b"\0\0"


def board(serial):
    return 2, bytes([1, 2, 3, 4, 0, 0]), ["ASUS", "PRIME", "1.0", serial]


def system(uuid):
    return 1, bytes([1, 2, 0, 0]) + uuid + bytes(3), ["ASUS", "System"]


UUID = bytes.fromhex("44454c4c4d0035108051b7c04f4e3332")
BOGUS = bytes.fromhex("00020003000400050006000700080009")


class Windows(unittest.TestCase):
    cpu_place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"

    def setUp(self):
        self.registry = {
            (self.cpu_place, "VendorIdentifier"): "GenuineIntel",
            (self.cpu_place, "Identifier"): "Intel64 Family 6 Model 158 Stepping 10",
            (self.cpu_place, "ProcessorNameString"): "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz  ",
            (r"SOFTWARE\Microsoft\Cryptography", "MachineGuid"): "6f7e0b1d-2c3a-4f5d-8f1a-902b7c4c3e9f",
        }
        self.table = b""
        self.rows = []

    def facts(self):
        return goldfish._WindowsFacts(lambda path, name: self.registry.get((path, name)),
                                      lambda: self.table, lambda: self.rows)

    def adapter(self, number, address, bus, kind=6, flags=5):
        guid = "{0000000%d-0000-0000-0000-000000000000}" % number
        place = (r"SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}"
                 "\\" + guid + r"\Connection")
        self.registry[(place, "PnpInstanceID")] = bus
        self.rows.append((guid, address, kind, flags))

    def test_cpu(self):
        self.assertEqual(
            self.facts().cpu(),
            "GenuineIntel Intel64 Family 6 Model 158 Stepping 10 Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz")
        self.registry.clear()
        self.assertEqual(self.facts().cpu(), "")

    def test_board_serial(self):
        self.table = smbios(system(UUID), board("M80-A1234567890"))
        self.assertEqual(self.facts().board(), "M80-A1234567890")

    def test_uuid_where_the_serial_says_nothing(self):
        for serial in ("Default string", "To be filled by O.E.M.", "", "..........", "0000000"):
            self.table = smbios(system(UUID), board(serial) if serial else (2, bytes(6), []))
            self.assertEqual(self.facts().board(), "4C4C4544-004D-1035-8051-B7C04F4E3332", serial)

    def test_guid_where_firmware_says_nothing(self):
        for uuid in (bytes(16), b"\xff" * 16, BOGUS):
            self.table = smbios(system(uuid), board("None"))
            self.assertEqual(self.facts().board(), "6f7e0b1d-2c3a-4f5d-8f1a-902b7c4c3e9f")

    def test_broken_tables(self):
        good = smbios(system(UUID), board("M80-A1234567890"))
        for size in range(len(good)):
            self.table = good[:size]
            self.assertIn(self.facts().board(), (
                "M80-A1234567890", "4C4C4544-004D-1035-8051-B7C04F4E3332", "6f7e0b1d-2c3a-4f5d-8f1a-902b7c4c3e9f"))
        self.table = b"\x01\x00\x00\x00" * 20  # a structure of no length
        self.assertEqual(self.facts().board(), "6f7e0b1d-2c3a-4f5d-8f1a-902b7c4c3e9f")

    def test_adapters(self):
        self.adapter(1, "00ff11223344", r"ROOT\NET\0000")               # a VPN's
        self.adapter(2, "001122334455", r"USB\VID_0BDA&PID_8153\0001")  # a dock's
        self.adapter(3, "a4bb6d010204", r"PCI\VEN_8086&DEV_15BC\3", 6)
        self.adapter(4, "a4bb6d010203", r"PCI\VEN_8086&DEV_2723\4", 71)
        self.adapter(5, "000000000001", r"PCI\VEN_8086&DEV_2723\4", 71, flags=7)  # a filter driver's row
        self.adapter(6, "000000000002", "", 131)                        # a tunnel
        self.assertEqual(self.facts().mac(), "A4:BB:6D:01:02:03")

    def test_only_usb(self):
        self.adapter(2, "001122334455", r"USB\VID_0BDA&PID_8153\0001")
        self.adapter(3, "", r"PCI\VEN_8086&DEV_15BC\3")
        self.assertEqual(self.facts().mac(), "00:11:22:33:44:55")

    def test_layout_of_mib_if_row2(self):
        """netioapi.h, as 64-bit compilers lay it out."""
        row = goldfish._MibIfRow2
        self.assertEqual(ctypes.sizeof(row), 1352)
        for field, offset in (("guid", 12), ("alias", 28), ("address_length", 1056), ("permanent", 1092),
                              ("type", 1128), ("flags", 1152), ("oper", 1156), ("network", 1168), ("counters", 1192)):
            self.assertEqual(getattr(row, field).offset, offset, field)
        guid = goldfish._GUID.from_buffer_copy(bytes.fromhex("72e9364d25e3ce11bfc108002be10318"))
        self.assertEqual(str(guid), "{4D36E972-E325-11CE-BFC1-08002BE10318}")


class Mac(unittest.TestCase):
    output = {
        "sysctl": "Apple M2 Pro\n",
        "ioreg": '+-o J474s  <class IOPlatformExpertDevice>\n    {\n      "IOPlatformUUID" = "A1B2"\n'
                 '      "IOPlatformSerialNumber" = "C02XL0GTJGH5"\n    }\n',
        "networksetup": "Ethernet Address: a4:83:e7:01:02:03 (Device: en0)\n",
        "ifconfig": "en0: flags=8863<UP> mtu 1500\n\tether 5e:11:22:33:44:55\n\tinet 10.0.0.2\n",
    }

    def facts(self, **changes):
        output = dict(self.output, **changes)
        return goldfish._MacFacts(lambda command: output[os.path.basename(command[0])])

    def test_facts(self):
        self.assertEqual(goldfish._device_info(self.facts()), {
            "cpu_id": "Apple M2 Pro", "motherboard_id": "C02XL0GTJGH5", "mac_address": "a4:83:e7:01:02:03"})

    def test_ifconfig_where_networksetup_says_nothing(self):
        self.assertEqual(self.facts(networksetup="").mac(), "5e:11:22:33:44:55")

    def test_nothing_to_read(self):
        facts = self.facts(sysctl="", ioreg="", networksetup="", ifconfig="en0: no such interface\n")
        self.assertEqual(goldfish._device_info(facts), {"cpu_id": "", "motherboard_id": "", "mac_address": ""})

    def test_a_command_that_is_not_there(self):
        self.assertEqual(goldfish._run_command(["/nonexistent/goldfish"]), "")


class Limits(unittest.TestCase):
    def test_long_parts_are_cut_between_characters(self):
        self.assertEqual(len(goldfish._fit("x" * 300)), 256)
        self.assertEqual(goldfish._fit("x" + "金" * 100), "x" + "金" * 85)


if __name__ == "__main__":
    unittest.main()
