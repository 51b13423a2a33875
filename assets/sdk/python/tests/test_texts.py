"""Codes and sentences, zh and en."""

import re
import unittest

from kit import goldfish


class Texts(unittest.TestCase):
    def test_every_code_of_the_protocol_has_both_texts(self):
        codes = ("rate_limited sealed app_unknown keys_unknown app_disabled address_blacklisted version_too_old "
                 "version_withdrawn app_maintenance card_unknown device_info_invalid proof_time proof_invalid "
                 "device_blacklisted account_disabled card_taken card_deleted card_disabled card_expired card_unused "
                 "device_key_mismatch device_mismatch device_unbound device_limit device_already_bound unbind_limit "
                 "session_limit session_ended receipt_wanted receipt_kept valid no_lease lease_expired clock_back "
                 "device_changed unreachable unverifiable proof_required").split()
        for code in codes:
            self.assertIn(code, goldfish._TEXTS)
        for code, (zh, en) in goldfish._TEXTS.items():
            self.assertRegex(zh, r"[\u4e00-\u9fff]", code)
            self.assertRegex(en, r"\A[A-Z][ -~]+\.\Z", code)
        for code in ("device_limit", "device_already_bound", "unbind_limit", "card_taken"):
            self.assertTrue(goldfish._TEXTS[code][0].startswith("设备已绑定"))

    def test_every_code_raised_here_has_a_text(self):
        with open(goldfish.__file__, encoding="utf-8") as file:
            source = file.read()
        raised = set(re.findall(r'Error\("([a-z_]+)"', source) + re.findall(r'NoLicence\("([a-z_]+)"', source))
        self.assertTrue(raised)
        self.assertEqual(raised - set(goldfish._TEXTS), set())

    def test_language(self):
        error = goldfish.NoLicence("no_lease", "zh")
        self.assertIn("卡密", error.message)
        self.assertEqual(str(goldfish.NoLicence("no_lease", "en")),
                         "There is no licence on this computer; please enter a card key. (no_lease)")
        self.assertEqual(goldfish.Refused("a_code_of_tomorrow", "en").message, "The server refused the request.")
        for env, lang in (({}, "zh"), ({"LANG": "C.UTF-8"}, "zh"), ({"LANG": "zh_CN.UTF-8"}, "zh"),
                          ({"LANG": "en_US.UTF-8"}, "en"), ({"LC_ALL": "de_DE", "LANG": "zh_CN"}, "en"),
                          ({"LC_ALL": "", "LANG": "zh_TW"}, "zh")):
            self.assertEqual(goldfish._language(env), lang, env)

    def test_foreign_text_is_made_safe(self):
        self.assertEqual(goldfish._plain("a\x1b[31m\nb\u202e" + "x" * 600), ("a [31m b " + "x" * 600)[:500])
        self.assertEqual(goldfish._plain(None), "")


if __name__ == "__main__":
    unittest.main()
