"""The WebSocket client: framing and handshake by RFC 6455, pings, silence, limits."""

import base64
import hashlib
import socket
import ssl
import struct
import threading
import time
import unittest

from kit import Case, PATIENCE, eventually, goldfish


def frame(first, payload, masked=False, form=None):
    """A frame with any first byte; form "short", "medium" or "long" forces a length's form."""
    size = len(payload)
    mask = 0x80 if masked else 0
    form = form or ("short" if size < 126 else "medium" if size < 65536 else "long")
    head = {"short": lambda: bytes([first, mask | size]),
            "medium": lambda: bytes([first, mask | 126]) + struct.pack("!H", size),
            "long": lambda: bytes([first, mask | 127]) + struct.pack("!Q", size)}[form]()
    return head + (b"\0\0\0\0" if masked else b"") + payload


class Framing(unittest.TestCase):
    def read(self, *chunks):
        frames = goldfish._Frames()
        return [message for chunk in chunks for message in frames.feed(chunk)]

    def refused(self, code, data):
        with self.assertRaises(goldfish._SocketEnd) as caught:
            self.read(data)
        self.assertEqual(caught.exception.code, code)

    def test_what_a_client_sends(self):
        """RFC 6455 §5.7: a single-frame masked text message "Hello"."""
        self.assertEqual(goldfish._frame(1, b"Hello", bytes.fromhex("37fa213d")),
                         bytes.fromhex("818537fa213d7f9f4d5158"))
        self.assertEqual(goldfish._frame(1, b"x" * 126, bytes(4))[:4], bytes([0x81, 0xFE, 0, 126]))
        self.assertEqual(goldfish._frame(1, b"x" * 65536, bytes(4))[:10], bytes([0x81, 0xFF]) + struct.pack("!Q", 65536))

    def test_messages(self):
        self.assertEqual(self.read(frame(0x81, b"Hello")), [(1, b"Hello")])
        self.assertEqual(self.read(frame(0x82, bytes(300))), [(2, bytes(300))])
        self.assertEqual(self.read(frame(0x81, b"")), [(1, b"")])

    def test_every_split(self):
        data = frame(0x81, b"x" * 200) + frame(0x89, b"ping") + frame(0x81, "金鱼".encode())
        for at in range(len(data)):
            self.assertEqual(self.read(data[:at], data[at:]), [(1, b"x" * 200), (9, b"ping"), (1, "金鱼".encode())])
        self.assertEqual(len(self.read(*[bytes([b]) for b in data])), 3)

    def test_fragments_with_a_ping_between(self):
        fish = "金鱼".encode()
        data = frame(0x01, fish[:2]) + frame(0x89, b"p") + frame(0x00, fish[2:4]) + frame(0x80, fish[4:])
        self.assertEqual(self.read(data), [(9, b"p"), (1, fish)])

    def test_protocol_errors(self):
        for data in (frame(0xC1, b"x"), frame(0x91, b"x"), frame(0x81, b"x", masked=True), frame(0x83, b"x"),
                     frame(0x8B, b"x"), frame(0x80, b"x"), frame(0x01, b"x") + frame(0x81, b"y"),
                     frame(0x09, b"x"), frame(0x89, b"x" * 126), frame(0x81, b"x" * 10, form="medium"),
                     frame(0x81, b"x" * 126, form="long"), bytes([0x81, 127]) + b"\xff" * 8):
            self.refused(1002, data)

    def test_limits(self):
        self.assertEqual(len(self.read(frame(0x81, b"x" * 65536))[0][1]), 65536)
        self.refused(1009, frame(0x81, b"x" * 65537)[:14])  # before its bytes have come
        self.refused(1009, frame(0x01, b"x" * 40000) + frame(0x00, b"x" * 40000)[:8])

    def test_text_is_utf8(self):
        self.refused(1007, frame(0x81, b"\xff\xfe"))
        self.refused(1007, frame(0x81, "金".encode()[:2]))

    def test_close_codes(self):
        for code in (1000, 1001, 1008, 1013, 3000, 4401, 4403, 4999):
            self.assertEqual(goldfish._close_code(struct.pack("!H", code) + b"why"), code)
        self.assertEqual(goldfish._close_code(b""), 1005)
        for payload in (b"\x03", struct.pack("!H", 999), struct.pack("!H", 1005), struct.pack("!H", 1006),
                        struct.pack("!H", 2000), struct.pack("!H", 5000), struct.pack("!H", 1000) + b"\xff"):
            with self.assertRaises(goldfish._SocketEnd):
                goldfish._close_code(payload)


class Live(Case):
    """A whole connection to a real socket."""

    def connect(self, ping=30.0, silence=75.0):
        cancel = goldfish._Cancel()
        self.addCleanup(cancel.close)
        self.cancel = cancel
        target = goldfish._target(self.server.url, False)
        deadline = time.monotonic() + PATIENCE
        line = goldfish._Line.dial(target, None, cancel, deadline)
        self.addCleanup(line.close)
        link = goldfish._Socket(line, self.world.chance, ping=ping, silence=silence)
        link.open(target, {}, deadline)
        return link

    def ended(self, link, code):
        with self.assertRaises(goldfish._SocketEnd) as caught:
            while True:
                link.receive()
        self.assertEqual(caught.exception.code, code)

    def test_text_pings_and_close(self):
        peers = []

        def talk(peer):
            peers.append(peer)
            hello = peer.receive()
            peer.frame(9, b"are you there")
            peer.frame(2, b"binary is ignored")
            peer.send({"echo": hello})
            peer.close(4403)
            peer.receive()
        self.server.talk = talk
        link = self.connect()
        link.send({"type": "hello", "text": "金鱼"})
        self.assertEqual(goldfish._message(link.receive()), {"echo": {"type": "hello", "text": "金鱼"}})
        self.ended(link, 4403)
        link.close(1000)
        eventually(lambda: peers[0].closed_with == 4403, "the answer to the server's close")
        self.assertEqual(peers[0].pongs, [b"are you there"])

    def test_the_socket_breaks(self):
        self.server.talk = lambda peer: None
        self.ended(self.connect(), 1006)

    def test_silence(self):
        """Own pings at their time; 75 s (here less) without a byte end it."""
        pings = []

        def talk(peer):
            while True:
                head = peer._read.read(2)
                if len(head) < 2 or head[0] & 15 == 8:
                    return
                pings.append(head[0] & 15)
                peer._read.read(4 + (head[1] & 127))
        self.server.talk = talk
        link = self.connect(ping=0.02, silence=0.3)
        self.ended(link, 1006)
        link.close(1000)
        self.assertIn(9, pings)

    def test_answers_to_pings_break_the_silence(self):
        answered = threading.Event()

        def talk(peer):
            for _ in range(3):
                head = peer._read.read(2)
                assert head[0] & 15 == 9
                peer._read.read(4 + (head[1] & 127))
                peer.frame(10, b"")
            answered.set()
            peer.send({"type": "done"})
            peer.receive()
        self.server.talk = talk
        link = self.connect(ping=0.05, silence=PATIENCE)
        self.assertEqual(goldfish._message(link.receive()), {"type": "done"})
        self.assertTrue(answered.is_set())
        link.close(1000)

    def test_limits_up(self):
        self.server.talk = lambda peer: peer.receive()
        link = self.connect()
        with self.assertRaises(ValueError):
            link.send({"x": "y" * 4096})
        link.close(1000)

    def test_a_cut_ends_a_wait_at_once(self):
        self.server.talk = lambda peer: peer.receive()
        link = self.connect()
        threading.Timer(0.02, self.cancel.cut).start()
        with self.assertRaises(goldfish._Cut):
            link.receive()
        link.close(1001)

    def test_handshakes_that_are_refused(self):
        key = base64.b64encode(bytes(16)).decode()
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        good = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
                "Sec-WebSocket-Accept: " + accept]
        goldfish._Socket._check_handshake("\r\n".join(good), key)
        for index, bad in ((0, "HTTP/1.1 200 OK"), (0, "HTTP/1.0 101 Switching Protocols"), (0, "HTTP/1.1 302 Found"),
                           (1, "Upgrade: h2c"), (2, "Connection: close"), (3, "Sec-WebSocket-Accept: " + key),
                           (3, "X: y")):
            lines = list(good)
            lines[index] = bad
            with self.assertRaises(goldfish._SocketEnd, msg=bad):
                goldfish._Socket._check_handshake("\r\n".join(lines), key)
        for extra in ("Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: chat"):
            with self.assertRaises(goldfish._SocketEnd, msg=extra):
                goldfish._Socket._check_handshake("\r\n".join(good + [extra]), key)

    def test_an_endless_handshake(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)

            def flood():
                peer, _ = listener.accept()
                with peer:
                    try:
                        while True:
                            peer.sendall(b"X: " + b"y" * 4000 + b"\r\n")
                    except OSError:
                        pass
            thread = threading.Thread(target=flood)
            thread.start()
            cancel = goldfish._Cancel()
            target = goldfish._target("http://127.0.0.1:%d" % listener.getsockname()[1], False)
            deadline = time.monotonic() + PATIENCE
            line = goldfish._Line.dial(target, None, cancel, deadline)
            link = goldfish._Socket(line, self.world.chance, ping=30, silence=75)
            with self.assertRaises(goldfish._SocketEnd):
                link.open(target, {}, deadline)
            line.close()
            thread.join()
            cancel.close()


# A throw-away certificate for 127.0.0.1, valid until 2126; its key is good for nothing else.
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBmjCCAUCgAwIBAgIUXKx9pf+vyYujkENyadYWE1FmFW4wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOZ29sZGZpc2gtdGVzdHMwIBcNMjYxMTIzMTUzNzQxWhgPMjEy
NjEwMzAxNTM3NDFaMBkxFzAVBgNVBAMMDmdvbGRmaXNoLXRlc3RzMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEKYwpf/O0u8sLPC4iboA3n9vYpL5DIiNgmHJFdVpH
BJe6mKgSOPW+DYO6C1vo8fd+4bSMbxc/m+QTUCDLNlGggaNkMGIwHQYDVR0OBBYE
FDjZPGB4c+OB6BXNrCrE2mTGKGicMB8GA1UdIwQYMBaAFDjZPGB4c+OB6BXNrCrE
2mTGKGicMA8GA1UdEQQIMAaHBH8AAAEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjO
PQQDAgNIADBFAiEA37OfKKmM/9Wu7h1qX1Qt9M1hY9iCN6jQESyk5XHbWdYCIAC2
5UWLzRb5l377IzkLiYvX8alTsUetHmzy2qdrQVg8
-----END CERTIFICATE-----
"""
PRIVATE = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgPiAvyv2bZL03yxG5
ZonAnVzRttn1ywAmJfy7iDxK9yyhRANCAAQpjCl/87S7yws8LiJugDef29ikvkMi
I2CYckV1WkcEl7qYqBI49b4Ng7oLW+jx937htIxvFz+b5BNQIMs2UaCB
-----END PRIVATE KEY-----
"""


class Tls(Case):
    """The same line over TLS: a certificate is checked, always."""

    def setUp(self):
        super().setUp()
        self.pem = self.folder + "/server.pem"
        with open(self.pem, "w", encoding="ascii") as file:
            file.write(PRIVATE + CERTIFICATE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        httpd = self.server._httpd
        httpd.socket = context.wrap_socket(httpd.socket, server_side=True, do_handshake_on_connect=False)
        httpd.handle_error = lambda request, address: None
        self.url = self.server.url.replace("http:", "https:")

    def test_a_certificate_that_the_vendor_gave(self):
        client = self.client(url=self.url, ca_file=self.pem)
        client.activate("ABCD-2345-EFGH-6789")
        self.assertEqual(client.check_lease(), "")

    def test_push_over_tls(self):
        shown = threading.Event()

        def talk(peer):
            peer.receive()
            peer.send({"type": "welcome", "ep": 1, "seq": 0, "reset": False})
            shown.set()
            peer.receive()
        self.server.talk = talk
        client = self.client(url=self.url, ca_file=self.pem)
        client.start("ABCD-2345-EFGH-6789")
        self.assertTrue(shown.wait(PATIENCE))
        eventually(lambda: client.state.push, "the live connection")

    def test_an_unknown_certificate(self):
        client = self.client(url=self.url)
        with self.assertRaises(goldfish.Unreachable):
            client.activate("ABCD-2345-EFGH-6789")
        self.assertEqual(self.server.requests, [])

    def test_another_name(self):
        client = self.client(url=self.url.replace("127.0.0.1", "localhost"), ca_file=self.pem)
        with self.assertRaises(goldfish.Unreachable):
            client.activate("ABCD-2345-EFGH-6789")
        self.assertEqual(self.server.requests, [])


if __name__ == "__main__":
    unittest.main()
