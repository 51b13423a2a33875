"""The client cannot be built so that it would check nothing."""

import hashlib
import unittest

from kit import APP, SIGNING, goldfish, public


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


if __name__ == "__main__":
    unittest.main()
