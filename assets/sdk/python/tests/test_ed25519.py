"""Ed25519 by RFC 8032: its own vectors, what must be refused, and both backends alike."""

import hashlib
import time
import types
import unittest
from unittest import mock

from kit import goldfish

# RFC 8032 §7.1: seed, public key, message, signature.
RFC = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     hashlib.sha512(b"abc").hexdigest(),
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"),
]

# The eight points of small order, and forms of them that no encoder writes.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]


class Pure(unittest.TestCase):
    backend = goldfish._PURE

    def setUp(self):
        chosen = mock.patch.object(goldfish, "_backend", lambda: self.backend)
        chosen.start()
        self.addCleanup(chosen.stop)

    def test_rfc_8032(self):
        for seed, public, message, signature in RFC:
            with self.subTest(message=message[:8]):
                seed, public, message, signature = map(bytes.fromhex, (seed, public, message, signature))
                self.assertEqual(goldfish._public_key(seed), public)
                self.assertEqual(goldfish._sign(seed, message), signature)
                self.assertTrue(goldfish._verify(public, message, signature))
                self.assertFalse(goldfish._verify(public, message + b"x", signature))

    def test_every_bit_counts(self):
        seed = hashlib.sha256(b"bits").digest()
        public, signature = goldfish._public_key(seed), goldfish._sign(seed, b"message")
        for bit in range(0, 512, 7):
            bad = bytearray(signature)
            bad[bit // 8] ^= 1 << bit % 8
            self.assertFalse(goldfish._verify(public, b"message", bytes(bad)), bit)
        for bit in range(0, 256, 11):
            bad = bytearray(public)
            bad[bit // 8] ^= 1 << bit % 8
            self.assertFalse(goldfish._verify(bytes(bad), b"message", signature), bit)

    def test_s_must_be_below_l(self):
        seed, public, message, signature = map(bytes.fromhex, RFC[1])
        s = int.from_bytes(signature[32:], "little")
        for k in range(1, 16):
            if s + k * goldfish._L < 2 ** 256:
                bad = signature[:32] + (s + k * goldfish._L).to_bytes(32, "little")
                self.assertFalse(goldfish._verify(public, message, bad), k)

    def test_lengths(self):
        seed, public, message, signature = map(bytes.fromhex, RFC[1])
        for bad in (b"", signature[:63], signature + b"\0", signature * 2):
            self.assertFalse(goldfish._verify(public, message, bad))
        for bad in (b"", public[:31], public + b"\0"):
            self.assertFalse(goldfish._verify(bad, message, signature))

    def test_keys_of_small_order(self):
        """With such a key, R = S·B and k·A = 0 make one signature fit every message."""
        for text in SMALL_ORDER:
            public = bytes.fromhex(text)
            self.assertIsNone(goldfish._negated_window(public), text)
            self.assertFalse(goldfish._verify(public, b"anything", bytes([1]) + bytes(63)), text)

    def test_one_form_for_each_key(self):
        """y + p names the same point as y, where it still fits into 255 bits: not a key's form."""
        tried = 0
        for y in range(2, 19):
            for sign in (0, 1 << 255):
                if goldfish._negated_window((y | sign).to_bytes(32, "little")) is not None:
                    tried += 1
                    self.assertIsNone(goldfish._negated_window((y + goldfish._P | sign).to_bytes(32, "little")), y)
        self.assertGreater(tried, 0)

    def test_keys_off_the_curve(self):
        self.assertIsNone(goldfish._negated_window((2).to_bytes(32, "little")))

    def test_r_of_small_order_or_odd_form(self):
        public = bytes.fromhex(RFC[0][1])
        for text in SMALL_ORDER:
            self.assertFalse(goldfish._verify(public, b"", bytes.fromhex(text) + bytes(32)), text)

    def test_fast_enough(self):
        """Below 10 ms each on a usual machine; ten times that on one that others keep busy."""
        seed = hashlib.sha256(b"speed").digest()
        public, signature = goldfish._public_key(seed), goldfish._sign(seed, b"warm")
        goldfish._verify(public, b"warm", signature)
        fastest = min(self.seconds(seed, public, signature) for _ in range(5))
        self.assertLess(fastest, 0.2)

    @staticmethod
    def seconds(seed, public, signature):
        began = time.perf_counter()
        goldfish._sign(seed, b"speed")
        goldfish._verify(public, b"warm", signature)
        return time.perf_counter() - began


NATIVE = goldfish._native_backend()

if NATIVE is not None:  # installed here: everything above holds for it too
    class Native(Pure):
        backend = NATIVE

    class Alike(unittest.TestCase):
        def test_same_keys_and_signatures(self):
            for number in range(20):
                seed = hashlib.sha256(b"alike %d" % number).digest()
                message = hashlib.sha512(seed).digest() * number
                self.assertEqual(NATIVE.public(seed), goldfish._PURE.public(seed))
                signature = NATIVE.sign(seed, message)
                self.assertEqual(signature, goldfish._PURE.sign(seed, message))
                self.assertTrue(goldfish._PURE.verify(NATIVE.public(seed), message, signature))


class Choice(unittest.TestCase):
    def test_a_missing_native_module(self):
        with mock.patch.dict("sys.modules", {"cryptography.exceptions": None}):
            self.assertIsNone(goldfish._native_backend())
            self.assertIs(goldfish._backend.__wrapped__(), goldfish._PURE)

    def test_a_native_module_that_believes_everything(self):
        """It does not pass its one check against the code here, and is not used."""
        names = ("cryptography", "cryptography.exceptions", "cryptography.hazmat", "cryptography.hazmat.primitives",
                 "cryptography.hazmat.primitives.serialization", "cryptography.hazmat.primitives.asymmetric",
                 "cryptography.hazmat.primitives.asymmetric.ed25519")
        fake = {name: types.ModuleType(name) for name in names}
        fake[names[1]].InvalidSignature = ValueError
        fake[names[3]].serialization = mock.MagicMock()
        private = mock.MagicMock()
        private.from_private_bytes.side_effect = Honest
        public = mock.MagicMock()  # its verify accepts whatever it is given
        fake[names[5]].ed25519 = mock.Mock(Ed25519PrivateKey=private, Ed25519PublicKey=public)
        with mock.patch.dict("sys.modules", fake):
            self.assertIsNone(goldfish._native_backend())
            self.assertTrue(private.from_private_bytes.called)


class Honest:
    """The half of that module which tells the truth."""

    def __init__(self, seed):
        self.seed = seed

    def sign(self, message):
        return goldfish._PURE.sign(self.seed, message)

    def public_key(self):
        return self

    def public_bytes(self, *_):
        return goldfish._PURE.public(self.seed)


if __name__ == "__main__":
    unittest.main()
