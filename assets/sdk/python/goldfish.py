# -*- coding: utf-8 -*-
"""金鱼智盒 Goldfish：授权（卡密）客户端，单文件 Python SDK。

把这个文件放进你的项目即可使用，只依赖标准库，Python 3.8 以上。最短用法::

    import goldfish

    client = goldfish.Client(
        "https://licence.example.com", "3f0c…（应用 ID）",
        public_keys=["…（当前公钥）", "…（备用公钥）"], version="1.0.0",
    )
    try:
        licence = client.start(on_stop=lambda reason: quit_my_app(reason.message))
    except goldfish.NoLicence:                    # 本机还没有授权：请用户输入卡密
        licence = client.start(input("卡密："), on_stop=…)

工作方式：服务器的每个答复都用应用的 Ed25519 私钥签名；客户端只内置公钥，没有可被窃取的秘密。未签名、签名不对、
不是针对本次请求的答复，一律当作“没有答复”：既不会放行，也不会停用。断网时凭本机保存的租约运行。SDK 里没有、也不会
有关闭校验的开关。界面文字中文、英文俱全（``lang`` 参数，或随系统语言）。

Goldfish licence client: one file, standard library only, Python 3.8+.

What to use: build one :class:`Client` per process and call :meth:`Client.start`. It returns a
:class:`Licence` or raises a :class:`GoldfishError`; from then on two background threads keep the
licence fresh and deliver orders and announcements through the callbacks. :meth:`Client.close`
ends both threads. All public methods may be called from any thread.

What it refuses: it cannot be built without public keys, it follows no redirect, it speaks plain
``http://`` only to this computer unless ``plain_http=True``, and it has no option that weakens a
check. What is not signed for exactly this call neither grants nor withdraws anything.

What it keeps: a device key and a state file in the user's folder for application state
(protocol §9). Card keys, passwords and sign-in tokens are never written to disk.

Rules are numbered as in the licence protocol ("§8"). Ed25519 follows RFC 8032, WebSocket RFC 6455.
"""

import array
import atexit
import base64
import binascii
import contextlib
import ctypes
import functools
import hashlib
import hmac
import http.client
import io
import ipaddress
import json
import logging
import os
import platform as _platform
import random
import re
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import weakref
from datetime import datetime, timezone
from typing import (
    Any, Callable, Dict, FrozenSet, Iterable, Iterator, List, Mapping, NamedTuple, Optional,
    Sequence, Tuple, Union, cast,
)

__version__ = "1.0.0"
__all__ = [
    "Client", "Licence", "Notice", "State", "Reason", "User",
    "GoldfishError", "ConfigurationError", "StateError", "Closed", "NoAnswer", "Unreachable",
    "Unverifiable", "ServerError", "LicenceError", "NoLicence", "Refused", "Held", "Waiting",
    "normalise_card_key",
]

_log = logging.getLogger("goldfish")
_log.addHandler(logging.NullHandler())

# ---------------------------------------------------------------------------------------------
# Texts and errors
# ---------------------------------------------------------------------------------------------

_TEXTS: Dict[str, Tuple[str, str]] = {
    # Answers of the server (§7)
    "rate_limited": ("请求过于频繁，请稍后再试。", "Too many requests; please try again shortly."),
    "sealed": ("服务器尚未解锁，请稍后再试。", "The server is still locked; please try again later."),
    "app_unknown": ("服务器上没有这个应用。", "The server does not know this app."),
    "keys_unknown": ("服务器不认识本程序内置的公钥，请更新程序。",
                     "The server no longer uses the keys built into this program; please update it."),
    "app_disabled": ("该应用已停用，请联系软件作者。", "This app has been disabled; please contact its vendor."),
    "address_blacklisted": ("当前网络地址已被禁止使用，请联系软件作者。",
                            "This network address is blocked; please contact the vendor."),
    "version_too_old": ("当前版本过旧，请更新后再使用。", "This version is too old; please update."),
    "version_withdrawn": ("当前版本已被撤回，请更新后再使用。", "This version was withdrawn; please update."),
    "app_maintenance": ("正在维护，请稍后再试。", "Under maintenance; please try again later."),
    "card_unknown": ("无效的卡密，请检查后重新输入。", "Invalid card key; please check it and enter it again."),
    "device_info_invalid": ("无法识别本机硬件（至少需要两项信息），请联系软件作者。",
                            "This computer's hardware cannot be identified (two facts are needed); "
                            "please contact the vendor."),
    "proof_time": ("本机时间与服务器相差过大，请校准后再试。",
                   "This computer's clock differs too much from the server's; please correct it."),
    "proof_invalid": ("设备证明无效，请重试。", "The device proof is not valid; please try again."),
    "proof_required": ("服务器要求设备证明。", "The server asks for a device proof."),
    "device_blacklisted": ("本机已被列入黑名单，请联系软件作者。", "This device is blocked; please contact the vendor."),
    "account_disabled": ("账号已停用，请联系软件作者。", "This account is disabled; please contact the vendor."),
    "card_taken": ("设备已绑定：该卡密属于另一个账号。", "Already bound: this card key belongs to another account."),
    "card_deleted": ("卡密已被删除，请联系软件作者。", "This card key was deleted; please contact the vendor."),
    "card_disabled": ("卡密已被禁用，请联系软件作者。", "This card key is disabled; please contact the vendor."),
    "card_expired": ("卡密已过期，请续费或更换卡密。", "This card key has expired; please renew it or use another."),
    "card_unused": ("卡密尚未激活，请先激活。", "This card key is not activated yet; please activate it."),
    "device_key_mismatch": ("该卡密在本机的绑定由另一个设备密钥持有；若重装过系统或换了用户，请选择“替换设备”重新激活。",
                            "Another device key holds this binding; after a reinstall or for a second "
                            "user, activate again with \"replace\"."),
    "device_mismatch": ("本机硬件与激活时不一致，请解绑后重新激活。",
                        "This hardware differs from the one activated; unbind it and activate again."),
    "device_unbound": ("本机已解绑，请重新激活。", "This device is no longer bound; please activate again."),
    "device_limit": ("设备已绑定：该卡密的设备数已满，请先在原设备上解绑，或联系软件作者。",
                     "Already bound: this card key has no free seat; unbind another device first or "
                     "contact the vendor."),
    "device_already_bound": ("设备已绑定：本机已经激活过该卡密。", "Already bound: this device has activated this card key."),
    "unbind_limit": ("设备已绑定：解绑次数已达上限，请过些时候再试。",
                     "Already bound: the limit of unbindings is reached; please try again later."),
    "session_limit": ("同时运行的数量已达上限，请先关闭其他设备上的程序。",
                      "Too many running copies; close the program on another device first."),
    "session_ended": ("本次运行已被结束，请重新启动程序。", "This session was ended; please start the program again."),
    "receipt_wanted": ("服务器已恢复备份，没有本机的记录，请重新激活。",
                       "The server was restored and has no record of this device; please activate again."),
    "receipt_kept": ("服务器已收到本机的授权凭据，等待软件作者处理。",
                     "The server keeps this device's receipt; the vendor will decide."),
    "idempotency_mismatch": ("请求重复且内容不一致，请重试。", "A request was repeated with other contents; please try again."),
    "credentials_wrong": ("用户名或密码错误。", "Wrong user name or password."),
    "valid": ("授权有效。", "The licence is valid."),
    # Reasons found on this computer (§8)
    "no_lease": ("本机没有有效授权，请输入卡密激活。", "There is no licence on this computer; please enter a card key."),
    "lease_expired": ("离线使用期已结束，请联网后重试。", "The offline period has ended; please go online and try again."),
    "clock_back": ("本机时间被调回，请校准时间，或联网一次。",
                   "This computer's clock was set back; set it right or go online once."),
    "device_changed": ("本机硬件发生变化，请联网验证。", "This computer's hardware has changed; please go online to verify."),
    "unreachable": ("无法连接服务器，请检查网络。", "The server cannot be reached; please check the network."),
    "unverifiable": ("服务器的答复无法通过校验，已忽略。", "The server's answer could not be verified and was ignored."),
    # Use of this module
    "keys_required": ("必须提供 1–8 个公钥。", "Between 1 and 8 public keys are required."),
    "key_invalid": ("公钥格式不正确：应为 43 个字符的 Ed25519 公钥。",
                    "A public key is not valid: 43 characters of an Ed25519 key are expected."),
    "key_published": ("该公钥是公开的测试密钥，不能用于发布的程序。",
                      "This is a published test key; it must not be used in a real program."),
    "app_id_invalid": ("应用 ID 应为小写的 UUID。", "The app id must be a UUID in lower case."),
    "version_invalid": ("版本号应符合 SemVer，例如 1.2.3。", "The version must follow SemVer, for example 1.2.3."),
    "url_invalid": ("服务器地址不正确，例如 https://licence.example.com。",
                    "The server address is not valid; example: https://licence.example.com."),
    "plain_http_refused": ("未加密的 http:// 只能用于本机；确需使用请设置 plain_http=True。",
                           "Plain http:// is for this computer only; set plain_http=True if you must."),
    "lang_invalid": ("lang 只能是 zh 或 en。", "The lang parameter must be zh or en."),
    "state_unwritable": ("无法写入授权状态文件夹，请检查磁盘空间和权限。",
                         "The licence folder cannot be written; check disk space and permissions."),
    "state_locked": ("授权状态文件正被占用，请稍后再试。", "The licence files are in use; please try again shortly."),
    "not_signed_in": ("尚未登录。", "Not signed in."),
    "card_key_too_long": ("卡密过长。", "The card key is too long."),
    "closed": ("客户端已关闭。", "The client is closed."),
    "refused": ("服务器拒绝了请求。", "The server refused the request."),
}


def _text(code: str, fallback: str = "refused") -> Tuple[str, str]:
    return _TEXTS.get(code) or _TEXTS[fallback]


def _plain(text: Any, limit: int = 500) -> str:
    """Foreign text made safe to print: one line, no control characters, bounded."""
    if not isinstance(text, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in text[:limit]).strip()


class GoldfishError(Exception):
    """Anything this module refuses or fails at.

    ``code`` is a stable machine word, ``message`` a sentence for people in the chosen language
    (``message_zh`` and ``message_en`` hold both), ``detail`` what the server said beside it
    (unsigned, may be empty).
    """

    def __init__(self, code: str, lang: str = "zh", detail: str = "") -> None:
        self.code = code
        self.message_zh, self.message_en = _text(code)
        self.lang = lang
        self.detail = detail
        super().__init__(code)

    @property
    def message(self) -> str:
        return self.message_en if self.lang == "en" else self.message_zh

    def __str__(self) -> str:
        return "%s (%s)" % (self.message, self.code)


class ConfigurationError(GoldfishError):
    """The vendor's own code is wrong: keys, address, app id, version."""


class StateError(GoldfishError):
    """The folder of §9 cannot be read, locked or written."""


class Closed(GoldfishError):
    """The client was closed before or during the call."""

    def __init__(self, lang: str = "zh") -> None:
        super().__init__("closed", lang)


class NoAnswer(GoldfishError):
    """There was no answer that counts; nothing has changed."""


class Unreachable(NoAnswer):
    """No connection, or no complete answer in time."""

    def __init__(self, lang: str = "zh", detail: str = "") -> None:
        super().__init__("unreachable", lang, detail)


class Unverifiable(NoAnswer):
    """Something answered, but not with what the app's key signed for this very call."""

    def __init__(self, lang: str = "zh", detail: str = "") -> None:
        super().__init__("unverifiable", lang, detail)


class ServerError(NoAnswer):
    """An unsigned refusal (sign-in, rate limit, 5xx): its text may be shown, it decides nothing.

    ``status`` is the HTTP status, ``field`` the member it is about, or ``""``; ``points`` are the
    single things to correct, each a code and a sentence (a weak password has several).
    """

    def __init__(self, code: str, lang: str, message: str, status: int, field: str = "",
                 points: Sequence[Tuple[str, str]] = ()) -> None:
        super().__init__(code, lang, message)
        self.status = status
        self.field = field
        self.points = tuple(points)

    @property
    def message(self) -> str:
        return self.detail or super().message


class LicenceError(GoldfishError):
    """The licence does not let the program run (now)."""


class NoLicence(LicenceError):
    """Judged on this computer: ``no_lease``, ``lease_expired``, ``clock_back``, ``device_changed``."""


class Refused(LicenceError):
    """Signed ``stop``: the licence ended or was never good. A new card key may help."""


class Held(LicenceError):
    """Signed ``hold``: this process may not run; the lease stays for the next one."""


class Waiting(LicenceError):
    """Signed ``wait`` with no lease to run on; ``retry_after`` is in seconds."""

    def __init__(self, code: str, lang: str = "zh", detail: str = "", retry_after: int = 30) -> None:
        super().__init__(code, lang, detail)
        self.retry_after = retry_after


# ---------------------------------------------------------------------------------------------
# Strict text forms (§2)
# ---------------------------------------------------------------------------------------------

_B64U = re.compile(r"[A-Za-z0-9_-]*\Z")


def _b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _unb64u(text: str) -> bytes:
    """Strict inverse of _b64u: ValueError unless encoding the result gives the same text."""
    if not _B64U.match(text):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url")
    if _b64u(data) != text:
        raise ValueError("not canonical base64url")
    return data


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("a name twice")
        found[name] = value
    return found


def _no_constant(text: str) -> None:
    raise ValueError("not JSON: " + text)


def _parse_object(data: bytes) -> Dict[str, Any]:
    """One JSON object in UTF-8, no name twice, no NaN; ValueError otherwise."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique,
                           parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep")
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _is_int(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 2 ** 53


# ---------------------------------------------------------------------------------------------
# Ed25519 (RFC 8032, pure: no context, no pre-hash)
# ---------------------------------------------------------------------------------------------

_P = 2 ** 255 - 19
_L = 2 ** 252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_D2 = 2 * _D % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # a square root of -1

_Point = Tuple[int, int, int, int]  # extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, T = XY/Z
_ZERO: _Point = (0, 1, 1, 0)


def _add(a: _Point, b: _Point) -> _Point:
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m = (y1 - x1) * (y2 - x2) % _P
    n = (y1 + x1) * (y2 + x2) % _P
    c = t1 * t2 % _P * _D2 % _P
    d = 2 * z1 * z2 % _P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(a: _Point) -> _Point:
    x, y, z, _ = a
    m, n = x * x % _P, y * y % _P
    h = m + n
    e = h - (x + y) * (x + y) % _P
    g = m - n
    f = 2 * z * z % _P + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _encode(a: _Point) -> bytes:
    x, y, z, _ = a
    inverse = pow(z, _P - 2, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data: bytes) -> Optional[_Point]:
    """The point, or None: not on the curve or not in its one canonical form."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if v * x * x % _P == _P - u:
        x = x * _ROOT % _P
    if v * x * x % _P != u or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _window(a: _Point) -> List[_Point]:
    """0·a … 15·a, for scalar multiplication four bits at a time."""
    row = [_ZERO, a]
    for _ in range(14):
        row.append(_add(row[-1], a))
    return row


@functools.lru_cache(maxsize=1)
def _base_table() -> List[List[_Point]]:
    """16^i · j · B for i < 64, j < 16: fixed-base multiplication becomes 64 additions."""
    point = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    table = []
    for _ in range(64):
        row = _window(point)
        table.append(row)
        point = _add(row[15], point)
    return table


def _times_base(scalar: int) -> _Point:
    total = _ZERO
    for row in _base_table():
        total = _add(total, row[scalar & 15])
        scalar >>= 4
    return total


def _times(row: List[_Point], scalar: int) -> _Point:
    total = _ZERO
    for shift in range(252, -4, -4):
        if total is not _ZERO:
            total = _double(_double(_double(_double(total))))
        digit = scalar >> shift & 15
        if digit:
            total = _add(total, row[digit])
    return total


@functools.lru_cache(maxsize=16)
def _negated_window(public: bytes) -> Optional[List[_Point]]:
    """Multiples of −A for a usable public key A; None for anything else, points of small order
    (whose signatures fit many messages) included."""
    if len(public) != 32:
        return None
    point = _decode(public)
    if point is None or _encode(_double(_double(_double(point)))) == _encode(_ZERO):
        return None
    x, y, z, t = point
    return _window((_P - x, y, z, _P - t))


def _hash_int(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand(seed: bytes) -> Tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & (1 << 254) - 8 | 1 << 254, digest[32:]


def _pure_public(seed: bytes) -> bytes:
    return _encode(_times_base(_expand(seed)[0]))


def _pure_sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = _expand(seed)
    public = _encode(_times_base(scalar))
    r = _hash_int(prefix, message) % _L
    point = _encode(_times_base(r))
    s = (r + _hash_int(point, public, message) % _L * scalar) % _L
    return point + s.to_bytes(32, "little")


def _pure_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    row = _negated_window(public)
    if row is None:
        return False
    k = _hash_int(signature[:32], public, message) % _L
    s = int.from_bytes(signature[32:], "little")
    return _encode(_add(_times_base(s), _times(row, k))) == signature[:32]


class _Backend(NamedTuple):
    name: str
    public: Callable[[bytes], bytes]
    sign: Callable[[bytes, bytes], bytes]
    verify: Callable[[bytes, bytes, bytes], bool]


_PURE = _Backend("pure", _pure_public, _pure_sign, _pure_verify)


def _native_backend() -> Optional[_Backend]:
    """The `cryptography` package where it is installed and works; None otherwise."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # a broken native module may panic with a BaseException of its own
        return None

    def public(seed: bytes) -> bytes:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()
        return bytes(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw))

    def sign(seed: bytes, message: bytes) -> bytes:
        return bytes(ed25519.Ed25519PrivateKey.from_private_bytes(seed).sign(message))

    def verify(key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
            return True
        except (InvalidSignature, ValueError):
            return False

    backend = _Backend("cryptography", public, sign, verify)
    try:  # proves itself once against the code above, or is not used
        seed = hashlib.sha256(b"goldfish backend check").digest()
        signature = sign(seed, seed)
        good = (public(seed) == _pure_public(seed) and signature == _pure_sign(seed, seed)
                and verify(public(seed), seed, signature)
                and not verify(public(seed), b"", signature))
    except Exception:
        return None
    return backend if good else None


@functools.lru_cache(maxsize=1)
def _backend() -> _Backend:
    return _native_backend() or _PURE


def _public_key(seed: bytes) -> bytes:
    return _backend().public(seed)


def _sign(seed: bytes, message: bytes) -> bytes:
    """64 bytes over message by the key of this 32-byte seed."""
    return _backend().sign(seed, message)


def _verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Strict RFC 8032: canonical key not of small order, S < L, and R compared as bytes. The
    checks stand before the backend, so that both backends accept exactly the same."""
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= _L:
        return False
    if _negated_window(public) is None:
        return False
    return _backend().verify(public, message, signature)


# RFC 8032 tests 1 and 2, whose private halves everybody knows (§13).
_PUBLISHED_KEYS: FrozenSet[str] = frozenset({
    "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
})


# ---------------------------------------------------------------------------------------------
# Card keys and device facts (§4, §5)
# ---------------------------------------------------------------------------------------------


def _ranges(*spans: Tuple[int, int]) -> FrozenSet[int]:
    return frozenset(code for first, last in spans for code in range(first, last + 1))


# White space, dashes of every kind and characters without width, as code points: what a person
# types or copies along without meaning it.
_FORGIVEN = _ranges(
    (0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
    (0x2D, 0x2D), (0x058A, 0x058A), (0x05BE, 0x05BE), (0x1400, 0x1400), (0x1806, 0x1806),
    (0x2010, 0x2015), (0x2053, 0x2053), (0x207B, 0x207B), (0x208B, 0x208B), (0x2212, 0x2212),
    (0x2E17, 0x2E17), (0x2E1A, 0x2E1A), (0x2E3A, 0x2E3B), (0x2E40, 0x2E40), (0x2E5D, 0x2E5D),
    (0x301C, 0x301C), (0x3030, 0x3030), (0x30A0, 0x30A0), (0xFE31, 0xFE32), (0xFE58, 0xFE58),
    (0xFE63, 0xFE63), (0xFF0D, 0xFF0D), (0x10EAD, 0x10EAD),
    (0xAD, 0xAD), (0x180E, 0x180E), (0xFEFF, 0xFEFF), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F),
)
_CARD_KEY = re.compile(r"[0-9A-Z]{16}\Z")


def _narrow(code: int) -> int:
    return code - 0xFEE0 if 0xFF01 <= code <= 0xFF5E else code


def _upper(code: int) -> int:
    return code - 32 if 97 <= code <= 122 else code


def normalise_card_key(typed: str) -> Optional[str]:
    """The 16 characters of a card key however it was typed (case, blanks, dashes, full width), or
    None if it cannot be one. For a form's own hint; the server does the same."""
    if len(typed.encode("utf-8", "replace")) > 128:
        return None
    codes = (_narrow(ord(c)) for c in typed)
    kept = "".join(chr(_upper(code)) for code in codes if code not in _FORGIVEN)
    return kept if _CARD_KEY.match(kept) else None


_MEMBERS = ("cpu_id", "motherboard_id", "mac_address")
_PLACEHOLDERS = frozenset(
    "TOBEFILLEDBYOEM DEFAULTSTRING SYSTEMSERIALNUMBER BASEBOARDSERIALNUMBER CHASSISSERIALNUMBER "
    "SERIALNUMBER NOTSPECIFIED NOTAPPLICABLE NOTAVAILABLE NONE NULL NA UNKNOWN INVALID OEM "
    "123456789 1234567890 0123456789 03000200040005000006000700080009".split())
_MAC = re.compile(r"[0-9A-F]{12}\Z")

_Parts = Tuple[str, str, str]


def _normal_part(text: str) -> str:
    """Rules 1 and 2 of §4: ASCII letters and digits in capitals, "" for what says nothing."""
    kept = "".join(
        chr(_upper(code)) for code in (_narrow(ord(c)) for c in text)
        if 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122)
    if not kept or kept == kept[0] * len(kept) or kept in _PLACEHOLDERS:
        return ""
    return kept


def _normal_mac(text: str) -> str:
    """Rule 3; ValueError for what is no address at all."""
    mac = _normal_part(text)
    if not mac:
        return ""
    if not _MAC.match(mac):
        raise ValueError("not a MAC address")
    return "" if int(mac[:2], 16) & 1 else mac


def _parts(info: Mapping[str, str]) -> _Parts:
    """The normalised parts of a device_info; ValueError where the server says device_info_invalid."""
    sent = [info.get(name, "") for name in _MEMBERS]
    if any(len(text.encode("utf-8", "replace")) > 256 for text in sent):
        raise ValueError("a part is too long")
    parts = (_normal_part(sent[0]), _normal_part(sent[1]), _normal_mac(sent[2]))
    if sum(1 for part in parts if part) < 2:
        raise ValueError("fewer than two parts")
    return parts


def _fingerprint(parts: _Parts) -> str:
    text = "|".join(parts).encode("ascii")
    if sys.version_info >= (3, 9):  # a name, not a protection: also where MD5 is off for security
        return hashlib.md5(text, usedforsecurity=False).hexdigest()
    return hashlib.md5(text).hexdigest()


def _part_hashes(app_id: str, parts: _Parts) -> _Parts:
    def one(name: str, part: str) -> str:
        if not part:
            return ""
        text = "goldfish-part-v1|%s|%s|%s" % (app_id, name, part)
        return _b64u(hashlib.sha256(text.encode("ascii")).digest()[:8])

    return one(_MEMBERS[0], parts[0]), one(_MEMBERS[1], parts[1]), one(_MEMBERS[2], parts[2])


class _Adapter(NamedTuple):
    """A network adapter: its permanent address, and whether it is built-in hardware (not on USB,
    not virtual)."""
    address: str
    built_in: bool


def _choose_mac(adapters: Iterable[_Adapter]) -> str:
    """§4: the lowest address of built-in adapters; of others only if there is none."""
    ranked = []
    for adapter in adapters:
        try:
            mac = _normal_mac(adapter.address)
        except ValueError:
            continue
        if mac:
            local = int(mac[:2], 16) & 2
            ranked.append((not adapter.built_in or bool(local), mac))
    if not ranked:
        return ""
    mac = min(ranked)[1]
    return ":".join(mac[i:i + 2] for i in range(0, 12, 2))


def _first_present(*candidates: Optional[str]) -> str:
    for text in candidates:
        if text and _normal_part(text):
            return text
    return ""


def _fit(text: str) -> str:
    """At most 256 bytes, cut between characters."""
    return text.encode("utf-8", "replace")[:256].decode("utf-8", "ignore")


def _linux_permanent(name: str) -> Optional[str]:
    """The burnt-in address by SIOCETHTOOL / ETHTOOL_GPERMADDR; needs no rights."""
    try:
        import fcntl
        reply = array.array("B", struct.pack("=II32s", 0x20, 32, b""))
        request = struct.pack("16sP", name.encode()[:15], reply.buffer_info()[0]).ljust(40, b"\0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
            fcntl.ioctl(query.fileno(), 0x8946, request)
        size = struct.unpack_from("=I", reply, 4)[0]
        return bytes(reply[8:8 + size]).hex() if size == 6 else None
    except (OSError, ImportError, ValueError):
        return None


class _LinuxFacts:
    """Reads under ``root``; ``permanent`` gives an adapter's burnt-in address or None."""

    def __init__(self, root: str = "/",
                 permanent: Callable[[str], Optional[str]] = _linux_permanent) -> None:
        self._root = root
        self._permanent = permanent

    def _path(self, *names: str) -> str:
        return os.path.join(self._root, *names)

    def _read(self, *names: str) -> str:
        try:
            with open(self._path(*names), "rb") as file:
                return file.read(65536).decode("utf-8", "replace")
        except OSError:
            return ""

    def cpu(self) -> str:
        block: Dict[str, str] = {}
        for line in self._read("proc", "cpuinfo").splitlines():
            if not line.strip():
                if block:
                    break
                continue
            name, _, value = line.partition(":")
            block.setdefault(name.strip(), value.strip())
        for names in (("vendor_id", "cpu family", "model", "stepping", "model name"),
                      ("CPU implementer", "CPU architecture", "CPU variant", "CPU part")):
            if names[0] in block:
                return " ".join(block[name] for name in names if block.get(name))
        return ""

    def board(self) -> str:
        digits = self._read("etc", "machine-id").strip()
        if not re.match(r"[0-9a-f]{32}\Z", digits) or digits == digits[0] * 32:
            return ""
        return hashlib.sha256(("goldfish-machine-v1:" + digits).encode("ascii")).hexdigest()[:32]

    def _adapter(self, name: str) -> Optional[_Adapter]:
        if self._read("sys", "class", "net", name, "type").strip() != "1":  # ARPHRD_ETHER
            return None
        place = os.path.realpath(self._path("sys", "class", "net", name))
        device = os.path.realpath(os.path.join(place, "device"))
        hardware = os.path.exists(os.path.join(place, "device")) and "/virtual/" not in place + "/"
        on_usb = any(re.match(r"usb\d*\Z", step) for step in device.split(os.sep))
        current = self._read("sys", "class", "net", name, "address").strip()
        permanent = self._permanent(name)
        if not permanent or not _normal_part(permanent):
            permanent = self._read("sys", "class", "net", name, "bonding_slave", "perm_hwaddr").strip()
        if not permanent:  # 0: the address in use is the permanent one
            kept = self._read("sys", "class", "net", name, "addr_assign_type").strip() == "0"
            hardware = hardware and kept
        return _Adapter(permanent or current, hardware and not on_usb)

    def mac(self) -> str:
        try:
            names = sorted(os.listdir(self._path("sys", "class", "net")))
        except OSError:
            return ""
        return _choose_mac(a for a in map(self._adapter, names) if a is not None)


class _GUID(ctypes.Structure):
    _fields_ = [("a", ctypes.c_uint32), ("b", ctypes.c_uint16), ("c", ctypes.c_uint16),
                ("d", ctypes.c_uint8 * 8)]

    def __str__(self) -> str:
        tail = bytes(self.d).hex().upper()
        return "{%08X-%04X-%04X-%s-%s}" % (self.a, self.b, self.c, tail[:4], tail[4:])


class _MibIfRow2(ctypes.Structure):
    """MIB_IF_ROW2 of netioapi.h; c_uint16 stands for WCHAR, so that every system lays it out alike."""
    _fields_ = [
        ("luid", ctypes.c_uint64), ("index", ctypes.c_uint32), ("guid", _GUID),
        ("alias", ctypes.c_uint16 * 257), ("description", ctypes.c_uint16 * 257),
        ("address_length", ctypes.c_uint32), ("address", ctypes.c_uint8 * 32),
        ("permanent", ctypes.c_uint8 * 32), ("mtu", ctypes.c_uint32), ("type", ctypes.c_uint32),
        ("tunnel", ctypes.c_uint32), ("media", ctypes.c_uint32), ("physical", ctypes.c_uint32),
        ("access", ctypes.c_uint32), ("direction", ctypes.c_uint32), ("flags", ctypes.c_uint8),
        ("oper", ctypes.c_uint32), ("admin", ctypes.c_uint32), ("connect", ctypes.c_uint32),
        ("network", _GUID), ("connection", ctypes.c_uint32), ("counters", ctypes.c_uint64 * 20),
    ]


def _windows_registry(path: str, name: str) -> Optional[str]:
    if sys.platform == "win32":
        import winreg
        try:
            access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path, 0, access) as key:
                value = winreg.QueryValueEx(key, name)[0]
            return value if isinstance(value, str) else None
        except OSError:
            return None
    return None


def _windows_smbios() -> bytes:
    """The SMBIOS structure table, without the 8 bytes that Windows puts before it."""
    if sys.platform == "win32":
        read = ctypes.windll.kernel32.GetSystemFirmwareTable
        read.argtypes = [ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32]
        read.restype = ctypes.c_uint32
        provider = 0x52534D42  # 'RSMB'
        size = read(provider, 0, None, 0)
        buffer = ctypes.create_string_buffer(max(size, 8))
        got = read(provider, 0, buffer, size)
        return buffer.raw[8:got] if 8 < got <= size else b""
    return b""


_ADAPTER_CLASS = r"SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}"


def _windows_rows() -> List[Tuple[str, str, int, int]]:
    """GUID, permanent address, interface type and flags of every row of GetIfTable2."""
    rows: List[Tuple[str, str, int, int]] = []
    if sys.platform == "win32":
        library = ctypes.windll.iphlpapi
        table = ctypes.c_void_p()
        if library.GetIfTable2(ctypes.byref(table)) != 0 or not table.value:
            return rows
        try:
            count = ctypes.c_uint32.from_address(table.value).value
            for row in (_MibIfRow2 * count).from_address(table.value + 8):
                size = min(row.address_length, 32)
                rows.append((str(row.guid), bytes(row.permanent[:size]).hex(), row.type, row.flags))
        finally:
            library.FreeMibTable(table)
    return rows


class _WindowsFacts:
    """Reads through three functions: ``registry`` (under HKLM), ``smbios``, ``rows`` of adapters."""

    def __init__(self, registry: Callable[[str, str], Optional[str]] = _windows_registry,
                 smbios: Callable[[], bytes] = _windows_smbios,
                 rows: Callable[[], List[Tuple[str, str, int, int]]] = _windows_rows) -> None:
        self._registry = registry
        self._smbios = smbios
        self._rows = rows

    def cpu(self) -> str:
        place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        names = ("VendorIdentifier", "Identifier", "ProcessorNameString")
        values = [self._registry(place, name) for name in names]
        return " ".join(value.strip() for value in values if value)

    def board(self) -> str:
        found = _smbios_facts(self._smbios())
        guid = self._registry(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid")
        return _first_present(found.get("serial"), found.get("uuid"), guid)

    def mac(self) -> str:
        adapters = []
        for guid, address, kind, flags in self._rows():
            if kind not in (6, 71) or flags & 2:  # Ethernet and Wi-Fi; no filter drivers
                continue
            place = self._registry(_ADAPTER_CLASS + "\\" + guid + r"\Connection", "PnpInstanceID")
            bus = (place or "").partition("\\")[0].upper()
            hardware = bool(flags & 1) and bus not in ("USB", "ROOT", "SWD", "BTH", "")
            adapters.append(_Adapter(address, hardware))
        return _choose_mac(adapters)


def _smbios_facts(table: bytes) -> Dict[str, str]:
    """``serial`` (type 2, base board) and ``uuid`` (type 1, system) of an SMBIOS table. A UUID is
    written as Windows shows it, its first three fields little-endian."""
    found: Dict[str, str] = {}
    at = 0
    while at + 4 <= len(table):
        kind, size = table[at], table[at + 1]
        end = table.find(b"\0\0", at + size)
        if size < 4 or end < 0:
            break
        body = table[at:at + size]
        strings = table[at + size:end].split(b"\0")
        if kind == 1 and size >= 24 and "uuid" not in found:
            a, b, c = struct.unpack_from("<IHH", body, 8)
            tail = body[16:24].hex().upper()
            found["uuid"] = "%08X-%04X-%04X-%s-%s" % (a, b, c, tail[:4], tail[4:])
        if kind == 2 and size > 7 and "serial" not in found:
            number = body[7]
            if 0 < number <= len(strings):
                found["serial"] = strings[number - 1].decode("latin-1").strip()
        if kind == 127:
            break
        at = end + 2
    return found


def _run_command(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=5, check=False)
        return done.stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return ""


class _MacFacts:
    """Reads through ``run``, which gives a command's output or ""."""

    def __init__(self, run: Callable[[Sequence[str]], str] = _run_command) -> None:
        self._run = run

    def cpu(self) -> str:
        return self._run(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]).strip()

    def board(self) -> str:
        text = self._run(["/usr/sbin/ioreg", "-rd1", "-c", "IOPlatformExpertDevice"])
        match = re.search(r'"IOPlatformSerialNumber"\s*=\s*"([^"]*)"', text)
        return match.group(1) if match else ""

    def mac(self) -> str:
        # networksetup tells the hardware's address also where Wi-Fi shows a private one.
        for command, pattern in (
                (["/usr/sbin/networksetup", "-getmacaddress", "en0"], r"((?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})"),
                (["/sbin/ifconfig", "en0"], r"\bether ((?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2})")):
            match = re.search(pattern, self._run(command))
            if match:
                return match.group(1)
        return ""


_Facts = Union[_LinuxFacts, _WindowsFacts, _MacFacts]


def _device_info(facts: _Facts) -> Dict[str, str]:
    return {"cpu_id": _fit(facts.cpu()), "motherboard_id": _fit(facts.board()),
            "mac_address": facts.mac()}


# ---------------------------------------------------------------------------------------------
# Request text, proof, tokens (§3, §4)
# ---------------------------------------------------------------------------------------------

_VERDICT = "goldfish-verdict+jwt"
_ORDER = "goldfish-order+jwt"
_NOTICE = "goldfish-notice+jwt"
_LEASE = "goldfish-lease+jwt"
_TOKEN_LIMIT = 4096
_ANSWER_LIMIT = 65536
_LONGEST_LEASE = 400 * 86400
_NONCE_SECONDS = 60.0


def _request_text(method: str, path: str, app_id: str, t: str, device_key: str,
                  idempotency_key: str, access_token: str, body: bytes) -> bytes:
    """R: what a proof signs and whose hash a verdict repeats."""
    bearer = hashlib.sha256(access_token.encode("utf-8")).hexdigest() if access_token else ""
    fields = ("goldfish-request-v1", method, path, app_id, t, device_key, idempotency_key, bearer,
              hashlib.sha256(body).hexdigest())
    return "\n".join(fields).encode("utf-8")


def _request_hash(text: bytes) -> str:
    return _b64u(hashlib.sha256(text).digest())


def _proof(seed: bytes, t: int, text: bytes) -> str:
    return "v1.%d.%s.%s" % (t, _b64u(_public_key(seed)), _b64u(_sign(seed, text)))


class _Rejected(Exception):
    """A token that is no answer; ``check`` is the number of the failed check in §8."""

    def __init__(self, check: int, why: str) -> None:
        super().__init__(why)
        self.check = check


class _Keys:
    """The pinned public keys. ConfigurationError for anything but 1–8 usable ones."""

    def __init__(self, texts: Sequence[str], lang: str = "zh") -> None:
        if isinstance(texts, str) or not 1 <= len(texts) <= 8:
            raise ConfigurationError("keys_required", lang)
        self._by_kid: Dict[str, bytes] = {}
        for text in texts:
            try:
                raw = _unb64u(text) if isinstance(text, str) else b""
            except ValueError:
                raw = b""
            if _negated_window(raw) is None:
                raise ConfigurationError("key_invalid", lang)
            if text in _PUBLISHED_KEYS:
                raise ConfigurationError("key_published", lang)
            self._by_kid[hashlib.sha256(raw).hexdigest()[:16]] = raw
        self.kids = list(self._by_kid)

    def headers(self, typ: str) -> Dict[str, bytes]:
        """The first parts that a token of this type may have, each with the key that signs it."""
        form = '{"alg":"EdDSA","kid":"%s","typ":"%s"}'
        return {_b64u((form % (kid, typ)).encode("ascii")): raw for kid, raw in self._by_kid.items()}

    def kid_of(self, token: str) -> str:
        """Which key a stored token names; "" for none that is pinned."""
        head = token.split(".")[0]
        for kid, raw in self._by_kid.items():
            if any(self.headers(typ).get(head) == raw for typ in (_VERDICT, _ORDER, _LEASE)):
                return kid
        return ""

    def open(self, token: str, typ: str, limit: int = _TOKEN_LIMIT) -> Dict[str, Any]:
        """Checks 1–3 of §8 and ``v``: the payload of a token that belongs in the place of typ."""
        parts = token.split(".") if len(token) <= limit else []
        if len(parts) != 3 or not all(parts):
            raise _Rejected(1, "not a token")
        try:
            _unb64u(parts[0])
            payload, signature = _unb64u(parts[1]), _unb64u(parts[2])
        except ValueError as problem:
            raise _Rejected(1, str(problem))
        raw = self.headers(typ).get(parts[0])
        if raw is None:
            raise _Rejected(2, "not a pinned key's token of this type")
        if not _verify(raw, ("%s.%s" % (parts[0], parts[1])).encode("ascii"), signature):
            raise _Rejected(3, "wrong signature")
        try:
            claims = _parse_object(payload)
        except ValueError as problem:
            raise _Rejected(4, str(problem))
        if type(claims.get("v")) is not int or claims["v"] != 1:
            raise _Rejected(4, "v is not 1")
        return claims


class _Card(NamedTuple):
    id: str
    state: str
    validity: str
    expires_at: Optional[int]
    tier: str
    features: Tuple[str, ...]


class _Verdict(NamedTuple):
    """The claims of §6 that a client acts on; ``act`` is one of the four words."""
    iat: int
    exp: int
    act: str
    code: str
    aud: str
    sub: str
    dev: str
    key: str
    parts: _Parts
    tol: int
    card: Optional[_Card]
    beat: int
    ep: int
    seq: int
    news: int


class _Order(NamedTuple):
    ep: int
    seq: int
    card: str
    act: str
    code: str
    spread: int


def _need(claims: Mapping[str, Any], name: str) -> Any:
    if name not in claims or claims[name] is None:
        raise _Rejected(6, name + " is missing")
    return claims[name]


def _need_text(claims: Mapping[str, Any], name: str) -> str:
    value = _need(claims, name)
    if not isinstance(value, str):
        raise _Rejected(6, name + " is no text")
    return value


def _need_int(claims: Mapping[str, Any], name: str) -> int:
    value = _need(claims, name)
    if not _is_int(value):
        raise _Rejected(6, name + " is no whole number")
    return int(value)


def _need_texts(claims: Mapping[str, Any], name: str) -> List[str]:
    value = _need(claims, name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _Rejected(6, name + " is no list of texts")
    return list(value)


def _read_card(value: Any) -> Optional[_Card]:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _Rejected(6, "card is no object")
    if "expires_at" not in value:
        raise _Rejected(6, "card.expires_at is missing")
    ends = value["expires_at"]
    if ends is not None and not _is_int(ends):
        raise _Rejected(6, "card.expires_at is no time")
    return _Card(_need_text(value, "id"), _need_text(value, "state"), _need_text(value, "validity"),
                 ends, _need_text(value, "tier"), tuple(_need_texts(value, "features")))


def _read_verdict(claims: Mapping[str, Any]) -> _Verdict:
    """Check 6: types and the span of the lease."""
    iat, exp = _need_int(claims, "iat"), _need_int(claims, "exp")
    if not 0 <= exp - iat <= _LONGEST_LEASE:
        raise _Rejected(6, "exp does not fit iat")
    parts = _need_texts(claims, "parts")
    if len(parts) != 3:
        raise _Rejected(6, "parts are not three")
    act = _need_text(claims, "act")
    card = _read_card(claims.get("card"))
    if act == "run" and card is None:
        raise _Rejected(6, "run without a card")
    return _Verdict(
        iat=iat, exp=exp, act=act if act in ("run", "wait", "hold") else "stop",
        code=_need_text(claims, "code"), aud=_need_text(claims, "aud"), sub=_need_text(claims, "sub"),
        dev=_need_text(claims, "dev"), key=_need_text(claims, "key"),
        parts=(parts[0], parts[1], parts[2]), tol=_need_int(claims, "tol"), card=card,
        beat=_need_int(claims, "beat"), ep=_need_int(claims, "ep"), seq=_need_int(claims, "seq"),
        news=_need_int(claims, "news"))


class _Moment(NamedTuple):
    """The record of time of §8; ``_NEVER`` before the first verdict."""
    iat: int
    ep: int
    at: int
    high: int


_NEVER = _Moment(0, 0, 0, 0)


def _check_verdict(keys: _Keys, token: str, *, app_id: str, nonce: str, req: str, key: str,
                   last: _Moment) -> _Verdict:
    """The six checks of §8 in their order; _Rejected means that there was no answer."""
    claims = keys.open(token, _VERDICT)
    for name, wanted in (("aud", app_id), ("nonce", nonce), ("req", req), ("key", key)):
        if claims.get(name) != wanted or not wanted:
            raise _Rejected(4, name + " is another")
    ep, iat = _need_int(claims, "ep"), _need_int(claims, "iat")
    if last != _NEVER and ep == last.ep and iat < last.iat - 900:
        raise _Rejected(5, "older than the last answer")
    return _read_verdict(claims)


def _open_lease(keys: _Keys, token: Optional[str], app_id: str, key: str) -> Optional[_Verdict]:
    """A stored lease of this app and device key, or None."""
    for typ in (_VERDICT, _LEASE):
        try:
            verdict = _read_verdict(keys.open(token or "", typ))
        except _Rejected:
            continue
        if verdict.aud == app_id and verdict.act == "run" and key and verdict.key == key:
            return verdict
    return None


def _judge_lease(lease: Optional[_Verdict], parts: _Parts, now: int) -> str:
    """"" if the lease is good at now, else the reason (§8). At process start ask _Time.set_back too."""
    if lease is None:
        return "no_lease"
    if sum(1 for mine, its in zip(parts, lease.parts) if mine != its) > lease.tol:
        return "device_changed"
    if lease.iat > now + 600:
        return "clock_back"
    if now >= lease.exp:
        return "lease_expired"
    return ""


def _check_order(keys: _Keys, token: str, *, app_id: str, key: str, session: str, ep: int,
                 seq: int) -> Optional[_Order]:
    """An order that counts (§10), None for one that does not; _Rejected if it is not even signed."""
    claims = keys.open(token, _ORDER)
    order = _Order(_need_int(claims, "ep"), _need_int(claims, "seq"), _need_text(claims, "card"),
                   _need_text(claims, "act"), _need_text(claims, "code"), _need_int(claims, "spread"))
    _need_int(claims, "iat")
    whose = _need_text(claims, "session")
    if _need_text(claims, "aud") != app_id:
        raise _Rejected(4, "aud is another")
    if not key or _need_text(claims, "key") != key or whose not in ("", session):
        return None
    if (order.ep, order.seq) <= (ep, seq) or order.act not in ("stop", "hold", "wait"):
        return None
    return order


_KINDS = ("announcement", "withdrawn", "maintenance", "release", "config")


class Notice:
    """A signed message of the vendor to everyone who uses the app.

    ``kind`` is ``announcement``, ``withdrawn`` (take ``id`` away again), ``maintenance``,
    ``release`` or ``config``; the last two only say that there is something to fetch. ``type`` and
    ``priority`` are the vendor's choice (such as ``maintenance``, ``high``). ``title`` and ``body``
    are in the client's language; ``texts`` holds both. Times are in UTC or None. ``data`` is the
    signed content as it came.
    """

    def __init__(self, claims: Mapping[str, Any], lang: str) -> None:
        data = _need(claims, "data")
        if not isinstance(data, dict):
            raise _Rejected(6, "data is no object")
        self.seq = _need_int(claims, "seq")
        self.epoch = _need_int(claims, "ep")
        self.kind = _need_text(claims, "kind")
        self.data: Dict[str, Any] = data
        if "exp" not in claims or not (claims["exp"] is None or _is_int(claims["exp"])):
            raise _Rejected(6, "exp is no time")
        ends: Optional[int] = claims["exp"]
        self._ends = ends
        self.issued_at = _when(_need_int(claims, "iat"))
        self.expires_at = _when(ends)
        self.id = _plain(data.get("id"), 64)
        self.type = _plain(data.get("type"), 64)
        self.priority = _plain(data.get("priority"), 64)
        self.published_at = _when(data.get("published_at"))
        self.texts = {
            name: {tongue: str(text) for tongue, text in value.items() if isinstance(text, str)}
            for name, value in data.items() if name in ("title", "body") and isinstance(value, dict)}
        self.title = self._in(lang, "title")
        self.body = self._in(lang, "body")

    def _in(self, lang: str, name: str) -> str:
        both = self.texts.get(name, {})
        for tongue in (lang, "zh", "en"):
            if both.get(tongue):
                return both[tongue]
        return ""

    def _holds(self, now: int) -> bool:
        return self._ends is None or now < self._ends

    def __repr__(self) -> str:
        return "Notice(%r, seq=%d, id=%r)" % (self.kind, self.seq, self.id)


def _check_notice(keys: _Keys, token: str, app_id: str, lang: str = "zh") -> Notice:
    """A notice signed for this app; whether it is above ``seen`` is the caller's question."""
    claims = keys.open(token, _NOTICE, _ANSWER_LIMIT)
    notice = Notice(claims, lang)
    if _need_text(claims, "aud") != app_id:
        raise _Rejected(4, "aud is another")
    return notice


def _when(value: Any) -> Optional[datetime]:
    """Unix seconds as UTC; None for none and for what no calendar holds."""
    if not _is_int(value):
        return None
    try:
        return datetime.fromtimestamp(value, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


class _Time:
    """The client's estimate of server time (§8). ``local`` and ``mono`` are readings in seconds of
    the computer's clock and of one that only runs forward while the process lives."""

    def __init__(self, moment: _Moment, mono: float) -> None:
        self.moment = moment
        self._high = moment.high
        self._mono = mono

    def accept(self, iat: int, ep: int, local: float, mono: float) -> None:
        """An accepted verdict sets the time, also downwards."""
        self.adopt(_Moment(iat, ep, int(local), iat), mono)

    def adopt(self, moment: _Moment, mono: float) -> None:
        self.moment, self._high, self._mono = moment, moment.high, mono

    def _shifted(self, local: float) -> int:
        return int(local) + self.moment.iat - self.moment.at

    def now(self, local: float, mono: float) -> int:
        if self.moment == _NEVER:
            return int(local)
        return max(self._shifted(local), self._high + int(mono - self._mono))

    def set_back(self, local: float) -> bool:
        """At process start: the local clock stands before the latest moment seen (clock_back)."""
        return self.moment != _NEVER and self._shifted(local) < self.moment.high - 600

    def saved(self, local: float, mono: float) -> _Moment:
        """The record to store every beat and at exit; its ``high`` only rises."""
        if self.moment != _NEVER:
            high = max(self.moment.high, self.now(local, mono))
            self.moment = self.moment._replace(high=high)
        return self.moment


# ---------------------------------------------------------------------------------------------
# Client state (§9)
# ---------------------------------------------------------------------------------------------


class _State(NamedTuple):
    """Line 1 of state.json. ``revoked`` and what else is not ours is carried along untouched."""
    lease: Optional[str] = None
    refusal: Optional[str] = None
    moment: _Moment = _NEVER
    seq: int = 0
    seen: int = 0
    pending: Optional[Dict[str, Any]] = None
    other: Mapping[str, Any] = {}

    def line(self) -> bytes:
        record: Dict[str, Any] = {"v": 1, "lease": self.lease, "refusal": self.refusal}
        record.update(self.moment._asdict())
        record.update(seq=self.seq, seen=self.seen, revoked=None, pending=self.pending)
        record.update(self.other)
        return json.dumps(record, separators=(",", ":")).encode("ascii")


_OWN_MEMBERS = frozenset(("v", "lease", "refusal", "iat", "ep", "at", "high", "seq", "seen", "pending"))


def _moment_of(record: Mapping[str, Any]) -> Optional[_Moment]:
    values = [record.get(name) for name in _Moment._fields]
    if not all(type(value) is int for value in values):
        return None
    return _Moment(*(int(value) for value in values if value is not None))


def _state_of(line: bytes) -> Optional[_State]:
    try:
        record = _parse_object(line)
    except ValueError:
        return None
    moment = _moment_of(record)
    seq, seen = record.get("seq"), record.get("seen")
    lease, refusal, pending = (record.get(name) for name in ("lease", "refusal", "pending"))
    if (record.get("v") != 1 or moment is None or not _is_int(seq) or not _is_int(seen)
            or not isinstance(lease, (str, type(None))) or not isinstance(refusal, (str, type(None)))
            or not isinstance(pending, (dict, type(None)))):
        return None
    other = {name: value for name, value in record.items() if name not in _OWN_MEMBERS}
    return _State(lease, refusal, moment, int(seq or 0), int(seen or 0), pending, other)


def _state_mac(seed: bytes, line: bytes) -> str:
    return hmac.new(hashlib.sha256(b"goldfish-state-v1" + seed).digest(), line, "sha256").hexdigest()


def _close_state(seed: bytes, line: bytes) -> bytes:
    return line + b"\n" + _state_mac(seed, line).encode("ascii") + b"\n"


def _open_state(seed: bytes, file: Optional[bytes]) -> Optional[bytes]:
    """Line 1 of a file whose MAC is good; None for any other."""
    line, found, mac = (file or b"").partition(b"\n")
    if mac.endswith(b"\n"):
        mac = mac[:-1]
    if not found or not hmac.compare_digest(mac, _state_mac(seed, line).encode("ascii")):
        return None
    return line


def _later(one: _Moment, other: _Moment) -> _Moment:
    """Of two records the one with the higher (ep, high), whole."""
    return other if (other.ep, other.high) > (one.ep, one.high) else one


def _joined(state: _State, moment: Optional[_Moment]) -> _State:
    return state if moment is None else state._replace(moment=_later(state.moment, moment))


def _write_file(path: str, data: bytes) -> None:
    """Whole or not at all: temporary file, sync, rename, 0600."""
    temporary = path + ".tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    fd = os.open(temporary, flags, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]
        os.fsync(fd)
    finally:
        os.close(fd)
    _replace_file(temporary, path)
    if os.name == "posix":
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _replace_file(source: str, path: str) -> None:
    """os.replace, patient with virus scanners, which hold new files open for a moment on Windows."""
    for _ in range(10 if os.name == "nt" else 0):
        try:
            os.replace(source, path)
            return
        except PermissionError:
            time.sleep(0.05)
    os.replace(source, path)


def _read_file(path: str, limit: int = 1 << 20) -> Optional[bytes]:
    """The content, or None if there is no such file; OSError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        return None


class _FilePlace:
    """The second place as a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> Optional[bytes]:
        try:
            return _read_file(self.path)
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
        _write_file(self.path, data)


class _RegistryPlace:
    """The second place as the default value of a key under HKEY_CURRENT_USER."""

    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> Optional[bytes]:
        if sys.platform == "win32":
            import winreg
            try:
                value = winreg.QueryValue(winreg.HKEY_CURRENT_USER, self.path)
                return value.encode("ascii", "replace")
            except OSError:
                return None
        return None

    def write(self, data: bytes) -> None:
        if sys.platform == "win32":
            import winreg
            winreg.SetValue(winreg.HKEY_CURRENT_USER, self.path, winreg.REG_SZ, data.decode("ascii"))


_SecondPlace = Union[_FilePlace, _RegistryPlace]


class _Folders(NamedTuple):
    shared: str  # for all users, used only where an installer made it
    own: str
    second: str  # a file, or on Windows a registry key


def _folders(system: str, env: Mapping[str, str], home: str, app_id: str) -> _Folders:
    if system == "windows":
        local = env.get("LOCALAPPDATA") or home + r"\AppData\Local"
        common = env.get("ProgramData") or env.get("PROGRAMDATA") or r"C:\ProgramData"
        return _Folders(common + "\\Goldfish\\" + app_id, local + "\\Goldfish\\" + app_id,
                        "Software\\Goldfish\\" + app_id)
    if system == "darwin":
        support = "Library/Application Support/Goldfish/" + app_id
        return _Folders("/" + support, home + "/" + support,
                        home + "/Library/Preferences/goldfish." + app_id)
    state = env.get("XDG_STATE_HOME") or ""
    if not state.startswith("/"):
        state = home + "/.local/state"
    return _Folders("/var/lib/goldfish/" + app_id, state + "/goldfish/" + app_id,
                    home + "/.config/goldfish/" + app_id)


def _usable(folder: str) -> bool:
    """A shared folder counts if it is there, writable, and its key (if any) readable: tried out,
    because os.access knows nothing of Windows' access lists."""
    try:
        if os.path.isdir(folder):
            os.close(os.open(os.path.join(folder, "state.lock"), os.O_RDWR | os.O_CREAT, 0o600))
            _read_file(os.path.join(folder, "device.key"), 1)
            return True
    except OSError:
        pass
    return False


class _Blob(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("data", ctypes.c_void_p)]


def _dpapi(name: str, data: bytes, flags: int) -> bytes:
    """CryptProtectData or CryptUnprotectData; OSError where Windows refuses."""
    if sys.platform == "win32":
        function = getattr(ctypes.windll.crypt32, name)
        buffer = ctypes.create_string_buffer(data, len(data))
        given, made = _Blob(len(data), ctypes.addressof(buffer)), _Blob()
        if not function(ctypes.byref(given), None, None, None, None, flags, ctypes.byref(made)):
            raise ctypes.WinError()
        try:
            return ctypes.string_at(made.data, made.size)
        finally:
            ctypes.windll.kernel32.LocalFree(ctypes.c_void_p(made.data))
    raise OSError("DPAPI is a part of Windows")


class _Seal(NamedTuple):
    """How device.key is wrapped: DPAPI on Windows, nothing elsewhere."""
    wrap: Callable[[bytes, bool], bytes]    # seed, shared folder → the file's line
    unwrap: Callable[[bytes], bytes]        # line → seed; ValueError or OSError if it cannot be


def _plain_wrap(seed: bytes, shared: bool) -> bytes:
    return _b64u(seed).encode("ascii")


def _plain_unwrap(line: bytes) -> bytes:
    return _unb64u(line.decode("ascii"))


def _dpapi_wrap(seed: bytes, shared: bool) -> bytes:
    # CRYPTPROTECT_UI_FORBIDDEN, and CRYPTPROTECT_LOCAL_MACHINE in the shared folder
    return b"dpapi:" + _b64u(_dpapi("CryptProtectData", seed, 5 if shared else 1)).encode("ascii")


def _dpapi_unwrap(line: bytes) -> bytes:
    if not line.startswith(b"dpapi:"):
        raise ValueError("not wrapped by DPAPI")
    return _dpapi("CryptUnprotectData", _unb64u(line[6:].decode("ascii")), 1)


_PLAIN_SEAL = _Seal(_plain_wrap, _plain_unwrap)
_DPAPI_SEAL = _Seal(_dpapi_wrap, _dpapi_unwrap)


class _Store:
    """Device key and state on disk. Every method that touches a file is called under ``locked``."""

    def __init__(self, folders: _Folders, second: _SecondPlace, seal: _Seal = _PLAIN_SEAL) -> None:
        self._folders = folders
        self._second = second
        self._seal = seal

    @functools.cached_property
    def _shared(self) -> bool:
        return _usable(self._folders.shared)

    @property
    def folder(self) -> str:
        return self._folders.shared if self._shared else self._folders.own

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def exists(self) -> bool:
        return os.path.exists(self._path("device.key"))

    @contextlib.contextmanager
    def locked(self, seconds: float = 5.0) -> Iterator[None]:
        """The file lock between processes (and between clients in one). OSError if the folder
        cannot be used, TimeoutError if another keeps the lock."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if not self._shared and os.name == "posix" and os.stat(self.folder).st_mode & 0o077:
            os.chmod(self.folder, 0o700)
        fd = os.open(self._path("state.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            give_up = time.monotonic() + seconds
            while not _try_lock(fd):
                if time.monotonic() >= give_up:
                    raise TimeoutError("the licence folder is locked")
                time.sleep(0.02)  # no portable lock call takes a time limit
            try:
                yield
            finally:
                _unlock(fd)
        finally:
            os.close(fd)

    def load_key(self) -> Optional[bytes]:
        """The seed; None if there is none or it is damaged (then a new one takes its place)."""
        line = _read_file(self._path("device.key"), 65536)
        if line is None:
            return None
        try:
            seed = self._seal.unwrap(line.strip())
        except (ValueError, OSError):
            _log.warning("the device key cannot be opened; a new one will be made on activation")
            return None
        if len(seed) != 32 or _b64u(_public_key(seed)) in _PUBLISHED_KEYS:
            return None
        return seed

    def save_key(self, seed: bytes) -> None:
        path = self._path("device.key")
        if os.path.exists(path):
            _replace_file(path, path + ".old")
        _write_file(path, self._seal.wrap(seed, self._shared) + b"\n")

    def read(self, seed: bytes) -> Tuple[Optional[_State], Optional[_Moment]]:
        """The two places as they are: state.json, and the second record of time; None for one that
        is missing or whose MAC is bad."""
        line = _open_state(seed, _read_file(self._path("state.json")))
        state = _state_of(line) if line is not None else None
        line = _open_state(seed, self._second.read())
        moment = None
        if line is not None:
            with contextlib.suppress(ValueError):
                moment = _moment_of(_parse_object(line))
        return state, moment

    def write(self, seed: bytes, state: _State) -> None:
        _write_file(self._path("state.json"), _close_state(seed, state.line()))
        line = json.dumps(dict(state.moment._asdict()), separators=(",", ":")).encode("ascii")
        try:
            self._second.write(_close_state(seed, line))
        except OSError as problem:
            _log.warning("the second place of the licence state cannot be written: %s", problem)


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt
            os.lseek(fd, 0, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except (BlockingIOError, PermissionError):
        return False


def _unlock(fd: int) -> None:
    if sys.platform == "win32":
        import msvcrt
        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl
        fcntl.flock(fd, fcntl.LOCK_UN)


# ---------------------------------------------------------------------------------------------
# Lines: one connection, one deadline for all of it, cut at once by close()
# ---------------------------------------------------------------------------------------------

_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class _Cut(Exception):
    """The owner is closing."""


class _Late(OSError):
    """The deadline of a call has passed."""


class _Cancel:
    """Wakes whoever waits on a connection. Level-triggered: once cut, it stays so."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.done = False

    def cut(self) -> None:
        if not self.done:
            self.done = True
            with contextlib.suppress(OSError):
                self._writer.send(b"x")

    def close(self) -> None:
        self.cut()
        self.reader.close()
        self._writer.close()


class _Target(NamedTuple):
    """Where the server is; ``base`` is the path before /api/v1."""
    tls: bool
    host: str
    port: int
    base: str
    netloc: str


def _target(url: str, plain_http: bool, lang: str = "zh") -> _Target:
    """ConfigurationError for anything but http(s)://host[:port][/base], and for plain http to
    another computer that the vendor's code does not ask for."""
    problem = ConfigurationError("url_invalid", lang)
    try:
        parts = urllib.parse.urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
    except (ValueError, UnicodeError, AttributeError, TypeError):
        raise problem
    if (parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment
            or "@" in parts.netloc or not re.match(r"[A-Za-z0-9/._~%-]*\Z", parts.path)):
        raise problem
    tls = parts.scheme == "https"
    if not tls and not plain_http and not _is_loopback(host):
        raise ConfigurationError("plain_http_refused", lang)
    shown = "[%s]" % host if ":" in host else host
    netloc = shown if port is None else "%s:%d" % (shown, port)
    return _Target(tls, host, port or (443 if tls else 80), parts.path.rstrip("/"), netloc)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(cancel: _Cancel, deadline: float) -> float:
    """Seconds left."""
    if cancel.done:
        raise _Cut()
    left = deadline - time.monotonic()
    if left <= 0:
        raise _Late("too late")
    return left


def _resolve(host: str, port: int, cancel: _Cancel, deadline: float) -> List[Tuple[Any, ...]]:
    """getaddrinfo, which takes no time limit, within one."""
    if _is_loopback(host) or re.match(r"[0-9.]+\Z|.*:", host):
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    found: List[Union[List[Tuple[Any, ...]], OSError]] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            found.append(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except OSError as problem:
            found.append(problem)
        done.set()

    threading.Thread(target=look_up, name="goldfish-resolve", daemon=True).start()
    while not done.wait(min(_check(cancel, deadline), 0.1)):
        pass
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


class _Line:
    """A TCP or TLS connection. Every wait ends at its deadline (_Late) or by the owner's _Cancel
    (_Cut). Used by one thread at a time."""

    def __init__(self, sock: socket.socket, cancel: _Cancel) -> None:
        self._sock = sock
        self._cancel = cancel
        sock.setblocking(False)

    @classmethod
    def dial(cls, target: _Target, context: Optional[ssl.SSLContext], cancel: _Cancel,
             deadline: float) -> "_Line":
        addresses = _resolve(target.host, target.port, cancel, deadline)
        problem: OSError = OSError("no address")
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            share = _check(cancel, deadline) / (len(addresses) - index)
            try:
                line = cls(socket.socket(family, kind, protocol), cancel)
            except OSError as failed:  # such as no IPv6 here
                problem = failed
                continue
            try:
                line._connect(address, time.monotonic() + share)
                if context is not None:
                    line._secure(context, target.host, deadline)
                return line
            except OSError as failed:
                line.close()
                problem = failed
            except BaseException:
                line.close()
                raise
        raise problem

    def _connect(self, address: Any, deadline: float) -> None:
        try:
            self._sock.connect(address)
        except (BlockingIOError, InterruptedError):
            self._wait(True, deadline)
        failed = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:
            raise OSError(failed, os.strerror(failed))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _secure(self, context: ssl.SSLContext, host: str, deadline: float) -> None:
        secure = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = secure
        self._again(secure.do_handshake, deadline)

    def _wait(self, writing: bool, deadline: float) -> None:
        with _Selector() as selector:
            selector.register(self._sock, selectors.EVENT_WRITE if writing else selectors.EVENT_READ)
            selector.register(self._cancel.reader, selectors.EVENT_READ)
            while True:
                ready = selector.select(_check(self._cancel, deadline))
                if any(key.fileobj is self._cancel.reader for key, _ in ready):
                    raise _Cut()
                if ready:
                    return

    def _again(self, call: Callable[[], Any], deadline: float, writing: bool = False) -> Any:
        while True:
            _check(self._cancel, deadline)
            try:
                return call()
            except ssl.SSLWantReadError:
                self._wait(False, deadline)
            except ssl.SSLWantWriteError:
                self._wait(True, deadline)
            except (BlockingIOError, InterruptedError):
                self._wait(writing, deadline)

    def receive(self, deadline: float) -> bytes:
        """Some bytes, or b"" at the end."""
        try:
            return bytes(self._again(lambda: self._sock.recv(16384), deadline))
        except ssl.SSLEOFError:
            return b""

    def send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            sent = self._again(lambda: self._sock.send(view), deadline, True)
            view = view[sent:]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()


class _LineReader(io.RawIOBase):
    """A line as the file that http.client reads from."""

    def __init__(self, line: _Line, deadline: float) -> None:
        super().__init__()
        self._line = line
        self._deadline = deadline
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._rest or self._line.receive(self._deadline)
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        self._rest = data[size:]
        return size


class _LineSocket:
    """The few methods of a socket that http.client calls."""

    def __init__(self, line: _Line, deadline: float) -> None:
        self._line = line
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._line.send(data, self._deadline)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_LineReader(self._line, self._deadline))

    def close(self) -> None:
        """The line is closed by its owner."""


class _Reply(NamedTuple):
    status: int
    body: bytes


def _exchange(line: _Line, target: _Target, method: str, path: str, headers: Mapping[str, str],
              body: Optional[bytes], deadline: float) -> _Reply:
    """One HTTP/1.1 request on a fresh line. Follows nothing; ValueError for an answer that is too
    long or encoded."""
    talk = http.client.HTTPConnection(target.host, target.port)
    talk.sock = cast(Any, _LineSocket(line, deadline))
    sent = {"Host": target.netloc, "Connection": "close", "Accept": "application/json"}
    sent.update(headers)
    talk.request(method, target.base + path, body=body, headers=sent)
    response = talk.getresponse()
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise ValueError("an encoded answer")
    data = response.read(_ANSWER_LIMIT + 1)
    if len(data) > _ANSWER_LIMIT:
        raise ValueError("too long an answer")
    return _Reply(response.status, data)


# ---------------------------------------------------------------------------------------------
# WebSocket (RFC 6455), the client's half of §10
# ---------------------------------------------------------------------------------------------

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_FRAME_LIMIT = 65536
_UP_LIMIT = 4096


class _SocketEnd(Exception):
    """The connection is over; ``code`` is the close code (RFC 6455 §7.4), 1006 if none came."""

    def __init__(self, code: int, why: str = "") -> None:
        super().__init__("%d %s" % (code, why))
        self.code = code


def _frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """One final, masked frame."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


class _Frames:
    """Reads a server's bytes as messages. Strict: no masks, no extension bits, no fragments of
    control frames, shortest lengths, valid UTF-8, at most ``limit`` bytes a message."""

    def __init__(self, limit: int = _FRAME_LIMIT) -> None:
        self._limit = limit
        self._buffer = b""
        self._opcode = 0        # of the fragmented message that is under way
        self._message = b""

    def feed(self, data: bytes) -> Iterator[Tuple[int, bytes]]:
        """(opcode, payload) of every message and control frame that is complete by now."""
        self._buffer += data
        while True:
            frame = self._take()
            if frame is None:
                return
            message = self._join(*frame)
            if message is not None:
                yield message

    def _take(self) -> Optional[Tuple[bool, int, bytes]]:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        final, opcode, size, start = bool(buffer[0] & 0x80), buffer[0] & 15, buffer[1] & 127, 2
        if buffer[0] & 0x70 or buffer[1] & 0x80:
            raise _SocketEnd(1002, "reserved bits or a masked frame")
        if opcode not in (0, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise _SocketEnd(1002, "unknown opcode")
        if opcode >= 8 and (size > 125 or not final):
            raise _SocketEnd(1002, "a control frame that is long or in parts")
        if size >= 126:
            start, form, least = (4, "!H", 126) if size == 126 else (10, "!Q", 65536)
            if len(buffer) < start:
                return None
            size = struct.unpack_from(form, buffer, 2)[0]
            if size < least or size >> 63:
                raise _SocketEnd(1002, "a length in the wrong form")
        if opcode < 8 and size + len(self._message) > self._limit:
            raise _SocketEnd(1009, "too long a message")
        if len(buffer) < start + size:
            return None
        self._buffer = buffer[start + size:]
        return final, opcode, buffer[start:start + size]

    def _join(self, final: bool, opcode: int, payload: bytes) -> Optional[Tuple[int, bytes]]:
        if opcode >= 8:
            return opcode, payload
        if (opcode == 0) != bool(self._opcode):
            raise _SocketEnd(1002, "fragments out of order")
        self._opcode = self._opcode or opcode
        self._message += payload
        if not final:
            return None
        opcode, message, self._opcode, self._message = self._opcode, self._message, 0, b""
        if opcode == _TEXT:
            try:
                message.decode("utf-8")
            except UnicodeDecodeError:
                raise _SocketEnd(1007, "not UTF-8")
        return opcode, message


def _close_code(payload: bytes) -> int:
    """What a close frame says; 1005 if nothing; _SocketEnd(1002) if it is malformed."""
    if not payload:
        return 1005
    code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 0
    known = 1000 <= code <= 1014 and code not in (1004, 1005, 1006) or 3000 <= code <= 4999
    try:
        payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        known = False
    if not known:
        raise _SocketEnd(1002, "malformed close frame")
    return int(code)


class _Socket:
    """One WebSocket connection; used by one thread. Raises _SocketEnd when it is over, _Cut when
    the owner closes, OSError when the line breaks."""

    def __init__(self, line: _Line, chance: Callable[[int], bytes], *, ping: float, silence: float) -> None:
        self._line = line
        self._chance = chance
        self._ping, self._silence = ping, silence
        self._frames = _Frames()
        self._ready: List[Tuple[int, bytes]] = []
        self._heard = self._pinged = time.monotonic()

    def open(self, target: _Target, headers: Mapping[str, str], deadline: float) -> None:
        key = base64.b64encode(self._chance(16)).decode("ascii")
        lines = ["GET %s/api/v1/ws HTTP/1.1" % target.base, "Host: " + target.netloc,
                 "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: " + key,
                 "Sec-WebSocket-Version: 13"]
        lines += ["%s: %s" % item for item in headers.items()]
        self._line.send(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"), deadline)
        buffer = b""
        while b"\r\n\r\n" not in buffer:
            data = self._line.receive(deadline)
            if not data or len(buffer) > 16384:
                raise _SocketEnd(1006, "no handshake")
            buffer += data
        head, _, rest = buffer.partition(b"\r\n\r\n")
        self._check_handshake(head.decode("latin-1"), key)
        self._heard = self._pinged = time.monotonic()
        self._ready.extend(self._frames.feed(rest))

    @staticmethod
    def _check_handshake(head: str, key: str) -> None:
        first, *lines = head.split("\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name.strip().lower()] = value.strip()
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode("ascii")).digest()
        connection = [word.strip().lower() for word in fields.get("connection", "").split(",")]
        if (first.split(" ")[:2] != ["HTTP/1.1", "101"] or "upgrade" not in connection
                or fields.get("upgrade", "").lower() != "websocket"
                or fields.get("sec-websocket-accept") != base64.b64encode(accept).decode("ascii")
                or fields.get("sec-websocket-extensions") or fields.get("sec-websocket-protocol")):
            raise _SocketEnd(1006, "refused: " + _plain(first, 80))

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        self._line.send(_frame(opcode, payload, self._chance(4)), time.monotonic() + 10)

    def send(self, message: Mapping[str, Any]) -> None:
        data = json.dumps(message, separators=(",", ":")).encode("ascii")
        if len(data) > _UP_LIMIT:
            raise ValueError("too long a message")
        self._send_frame(_TEXT, data)

    def receive(self, deadline: Optional[float] = None) -> bytes:
        """The next text message. Answers pings, sends its own, gives up after the silence."""
        while True:
            while self._ready:
                opcode, payload = self._ready.pop(0)
                if opcode == _TEXT:
                    return payload
                if opcode == _PING:
                    with contextlib.suppress(OSError):  # what came with it is still to be read
                        self._send_frame(_PONG, payload)
                if opcode == _CLOSE:
                    code = _close_code(payload)
                    with contextlib.suppress(OSError):
                        self._send_frame(_CLOSE, payload[:2])
                    raise _SocketEnd(code, "closed by the server")
            self._read_more(deadline)

    def _read_more(self, deadline: Optional[float]) -> None:
        silent, due = self._heard + self._silence, self._pinged + self._ping
        until = min(silent, due, deadline or silent)
        try:
            data = self._line.receive(until)
        except _Late:
            now = time.monotonic()
            if now >= silent or (deadline is not None and now >= deadline):
                raise _SocketEnd(1006, "silence")
            if now >= due:
                self._pinged = now
                self._send_frame(_PING, b"")
            return
        if not data:
            raise _SocketEnd(1006, "the connection broke")
        self._heard = time.monotonic()
        self._ready.extend(self._frames.feed(data))

    def close(self, code: int) -> None:
        """Says goodbye where it can; waits for nothing."""
        with contextlib.suppress(Exception):
            self._send_frame(_CLOSE, struct.pack("!H", code))
        self._line.close()


# ---------------------------------------------------------------------------------------------
# The client
# ---------------------------------------------------------------------------------------------

_ACTIVATE = "/api/v1/card-keys/activate"
_VERIFY = "/api/v1/card-keys/verify"
_HEARTBEAT = "/api/v1/devices/heartbeat"
_UNBIND = "/api/v1/devices/unbind"
_PRIORITIES = {"high": 0, "medium": 1, "low": 2}
_JUDGE_SECONDS = 15.0
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\Z", re.ASCII)


def _system() -> str:
    return {"win32": "windows", "cygwin": "windows", "darwin": "darwin"}.get(sys.platform, "linux")


def _language(env: Mapping[str, str]) -> str:
    """zh unless the system plainly speaks another language."""
    if sys.platform == "win32":
        return "zh" if ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF == 4 else "en"
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = env.get(name, "")
        if value:
            tongue = re.split(r"[_.@]", value)[0]
            return "zh" if tongue in ("zh", "C", "POSIX") else "en"
    return "zh"


class _World:
    """All that a client takes from outside: clocks, chance, network, folders, device facts.
    Private, for tests to replace; nothing in it can make an unsigned answer count."""

    call_seconds = 30.0
    patience_seconds = 8.0
    ping_seconds = 30.0
    silence_seconds = 75.0

    def __init__(self) -> None:
        self.env: Mapping[str, str] = os.environ
        self._dice = random.SystemRandom()

    def local(self) -> float:
        """The computer's clock, Unix seconds."""
        return time.time()

    def mono(self) -> float:
        """A clock that only runs forward while the process lives, in seconds."""
        return time.monotonic()

    def chance(self, size: int) -> bytes:
        return os.urandom(size)

    def uniform(self, low: float, high: float) -> float:
        return self._dice.uniform(low, high)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Waits on a condition that the caller holds; may return early."""
        condition.wait(seconds)

    def dial(self, target: _Target, context: Optional[ssl.SSLContext], cancel: _Cancel,
             deadline: float) -> _Line:
        return _Line.dial(target, context, cancel, deadline)

    def device_info(self) -> Dict[str, str]:
        facts: _Facts = _LinuxFacts()
        if _system() == "windows":
            facts = _WindowsFacts()
        elif _system() == "darwin":
            facts = _MacFacts()
        return _device_info(facts)

    def store(self, app_id: str) -> _Store:
        system = _system()
        folders = _folders(system, self.env, os.path.expanduser("~"), app_id)
        if system == "windows":
            return _Store(folders, _RegistryPlace(folders.second), _DPAPI_SEAL)
        return _Store(folders, _FilePlace(folders.second))


class User(NamedTuple):
    """An account as the server shows it to its owner."""
    id: str
    username: str
    email: str
    role: str


def _user(data: Any) -> User:
    record = data.get("user") if isinstance(data, dict) else None
    record = record if isinstance(record, dict) else {}
    return User(*(_plain(record.get(name), 320) for name in User._fields))


class Reason(NamedTuple):
    """Why the licence does not run: ``act`` is ``stop`` or ``hold``, ``code`` a code of the server
    (§7) or a local one (``lease_expired``, ``clock_back``, ``device_changed``, ``no_lease``)."""
    act: str
    code: str
    lang: str = "zh"

    @property
    def message(self) -> str:
        return _text(self.code)[1 if self.lang == "en" else 0]


class State(NamedTuple):
    """How things stand: ``act`` is ``run``, ``hold``, ``stop``, or ``""`` before the first answer;
    ``online`` says whether the last call was answered, ``push`` whether the live connection is up,
    ``code`` is ``valid`` or what the last call or judgement said."""
    act: str
    code: str
    online: bool
    push: bool


class _Answer(NamedTuple):
    verdict: _Verdict
    act: str                # what to do, which receipt_wanted may turn from wait into stop
    ticket: str
    message: str            # unsigned, for people


class _Session(NamedTuple):
    access: str
    refresh: str
    ends: float             # monotonic


class Licence:
    """The licence that lets this process run; belongs to its client and always shows the newest
    signed answer. Threads may share it."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    @property
    def running(self) -> bool:
        """Whether the program may run now."""
        return self._client.state.act == "run"

    @property
    def reason(self) -> Optional[Reason]:
        """Why it may not; None while it may."""
        return self._client._reason()

    def check(self) -> None:
        """Raises a LicenceError unless the licence is good at this moment. For the places in your
        program that are worth something."""
        self._client._check_running()

    def wait(self, timeout: Optional[float] = None) -> Optional[Reason]:
        """Waits until the licence no longer runs; None if that did not happen in time."""
        return self._client._await_stop(timeout)

    @property
    def _verdict(self) -> Optional[_Verdict]:
        return self._client._current

    @property
    def _card(self) -> Optional[_Card]:
        verdict = self._verdict
        return verdict.card if verdict else None

    @property
    def features(self) -> FrozenSet[str]:
        """The features that the card grants."""
        return frozenset(self._card.features if self._card else ())

    def has(self, feature: str) -> bool:
        """Whether the card grants this feature."""
        return feature in self.features

    @property
    def tier(self) -> str:
        """The card's tier, or ""."""
        return self._card.tier if self._card else ""

    @property
    def validity(self) -> str:
        """``permanent``, ``duration`` or ``until``."""
        return self._card.validity if self._card else ""

    @property
    def expires_at(self) -> Optional[datetime]:
        """When the card ends, in UTC; None if it does not end."""
        return _when(self._card.expires_at) if self._card else None

    @property
    def lease_until(self) -> Optional[datetime]:
        """Until when the program may run without the server, in UTC."""
        return _when(self._verdict.exp) if self._verdict else None

    @property
    def card_id(self) -> str:
        """The card's name on the server; not the card key."""
        return self._card.id if self._card else ""

    @property
    def device_id(self) -> str:
        """The device's name on the server, for support; 32 hex digits."""
        return self._verdict.dev if self._verdict else ""

    @property
    def account_id(self) -> str:
        """The owner's account, or ""."""
        return self._verdict.sub if self._verdict else ""


_OnStop = Callable[[Reason], None]
_OnNotice = Callable[[Notice], None]
_OnState = Callable[[State], None]


class Client:
    """One app on one computer, talking to one server.

    :param server_url: ``https://host[:port][/base]``; ``http://`` for this computer only, unless
        ``plain_http`` says that the vendor accepts that card keys and device facts can be read on
        the way (signatures hold regardless).
    :param app_id: the app's UUID.
    :param public_keys: 1–8 Ed25519 public keys of the app, 43 characters each: the current and the
        standby one. Nothing is believed that none of them signed.
    :param version: this program's version (SemVer).
    :param ca_file: PEM file with the certificate (or authority) of a server that has no public
        one; it is trusted beside the system's.
    :param lang: ``zh`` or ``en`` for messages; by default the system's language.
    :param device_info: the strings ``cpu_id``, ``motherboard_id``, ``mac_address``, for programs
        that know their machine better than this module; by default they are read here.
    :raises ConfigurationError: if any of this is unusable.

    The constructor touches neither disk nor network.
    """

    def __init__(self, server_url: str, app_id: str, *, public_keys: Sequence[str], version: str,
                 plain_http: bool = False, ca_file: Optional[str] = None,
                 lang: Optional[str] = None, device_info: Optional[Mapping[str, str]] = None,
                 _world: Optional[_World] = None) -> None:
        world = _world if _world is not None else _World()
        if lang not in (None, "zh", "en"):
            raise ConfigurationError("lang_invalid")
        self.lang = lang or _language(world.env)
        self._keys = _Keys(public_keys, self.lang)
        if not isinstance(app_id, str) or not _UUID.match(app_id):
            raise ConfigurationError("app_id_invalid", self.lang)
        if not isinstance(version, str) or len(version) > 64 or not _SEMVER.match(version):
            raise ConfigurationError("version_invalid", self.lang)
        self.app_id = app_id
        self._version = version
        self._world = world
        self._target = _target(server_url, plain_http, self.lang)
        self._context = _tls(ca_file) if self._target.tls else None
        self._given_info = dict(device_info) if device_info is not None else None
        self._session = _b64u(world.chance(16))
        self._store = world.store(app_id)

        self._lock = threading.RLock()          # everything below; never held while calling out
        self._calls = threading.Lock()          # one device call at a time
        self._starting = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._cancel = _Cancel()
        self._closed = False
        self._talking = 0                       # requests under way
        self._loaded = False
        self._seed: Optional[bytes] = None
        self._device_key = ""
        self._state = _State()
        self._time = _Time(_NEVER, world.mono())
        self._lease: Tuple[str, Optional[_Verdict]] = ("", None)
        self._current: Optional[_Verdict] = None
        self._ordered = (0, 0)                  # (ep, seq) of the last order obeyed
        self._standing = State("", "", False, False)
        self._sign_in: Optional[_Session] = None
        self._info: Optional[Dict[str, str]] = None
        self._runner: Optional["_Runner"] = None
        self._past: List["_Runner"] = []        # ended, to be waited for when closing
        self._showing: Dict[int, Notice] = {}   # notices that a callback has in hand, by seq
        self.licence = Licence(self)
        self._at_exit = functools.partial(_close_at_exit, weakref.ref(self))
        atexit.register(self._at_exit)

    # -- accounts ---------------------------------------------------------------------------

    def register(self, username: str, password: str, email: Optional[str] = None) -> User:
        """Makes a customer account for this app; signing in is a second step."""
        body = {"username": username, "password": password, "app_id": self.app_id}
        if email:
            body["email"] = email
        return _user(self._json("POST", "/api/v1/auth/register", body).get("data"))

    def login(self, username: str, password: str) -> User:
        """Signs in; the tokens stay in this object's memory. Needed once, for activation, by apps
        whose card keys belong to accounts; a running licence needs no sign-in."""
        body = {"username": username, "password": password}
        return self._signed_in(self._json("POST", "/api/v1/auth/login", body))

    def refresh(self) -> User:
        """Renews the sign-in; done by itself where a call needs it."""
        with self._lock:
            session = self._sign_in
        if session is None:
            raise GoldfishError("not_signed_in", self.lang)
        try:
            body = {"refresh_token": session.refresh}
            return self._signed_in(self._json("POST", "/api/v1/auth/refresh", body))
        except ServerError as problem:
            if problem.status == 401:
                with self._lock:
                    if self._sign_in is session:
                        self._sign_in = None
            raise

    def logout(self) -> None:
        """Signs out; the licence goes on. The tokens are forgotten even if the server is away."""
        with self._lock:
            session, self._sign_in = self._sign_in, None
        if session is not None:
            self._json("POST", "/api/v1/auth/logout", None, session.access)

    def me(self) -> User:
        """The signed-in account."""
        return _user(self._with_bearer(
            lambda bearer: self._json("GET", "/api/v1/auth/me", None, bearer)).get("data"))

    @property
    def signed_in(self) -> bool:
        """Whether there is a sign-in that may be used."""
        with self._lock:
            return self._sign_in is not None

    def _signed_in(self, answer: Mapping[str, Any]) -> User:
        access, refresh = answer.get("access_token"), answer.get("refresh_token")
        seconds = answer.get("expires_in")
        if not isinstance(access, str) or not isinstance(refresh, str) or not _is_int(seconds):
            raise Unverifiable(self.lang, "sign-in answer")
        with self._lock:
            self._sign_in = _Session(access, refresh, self._world.mono() + int(seconds or 0))
        return _user(answer.get("data"))

    def _bearer(self) -> str:
        """The access token, renewed if it is about to end; "" if nobody is signed in."""
        with self._lock:
            session = self._sign_in
        if session is None:
            return ""
        if session.ends - self._world.mono() < 60:
            with contextlib.suppress(NoAnswer):
                self.refresh()
        with self._lock:
            return self._sign_in.access if self._sign_in else ""

    def _with_bearer(self, call: Callable[[str], Any]) -> Any:
        """call(access token); once more with a new token where the old one is refused."""
        bearer = self._bearer()
        try:
            return call(bearer)
        except ServerError as problem:
            if problem.status != 401 or not bearer:
                raise
            self.refresh()
            return call(self._bearer())

    # -- licence ----------------------------------------------------------------------------

    def start(self, card_key: Optional[str] = None, *, replace: bool = False, push: bool = True,
              on_stop: Optional[_OnStop] = None, on_notice: Optional[_OnNotice] = None,
              on_state: Optional[_OnState] = None) -> Licence:
        """Lets the program run, or raises.

        Without ``card_key`` the licence kept on this computer is verified; if the server does not
        answer, its lease decides. With ``card_key`` that key is activated first. ``replace`` puts
        a new device key on a binding that this computer lost (see :meth:`activate`).

        Afterwards two threads run until :meth:`close`: heartbeats, and (``push``) a live
        connection for orders and announcements. The callbacks come from these threads:
        ``on_stop(Reason)`` when the program must stop (end it there), ``on_notice(Notice)`` for
        each new announcement, ``on_state(State)`` after each answer and change.

        :raises NoLicence: there is no licence here, or its lease is not good and the server did
            not answer.
        :raises Refused, Held, Waiting: the server's signed refusals.
        :raises NoAnswer: while activating.
        """
        with self._starting:
            self._load()
            if self._runner is not None and self._runner.alive:
                if card_key is not None:
                    self.activate(card_key, replace=replace)
                return self.licence
            if self._runner is not None:
                self._runner.finish()  # not waited for: this may be one of its callbacks
            if card_key is not None:
                answer: Optional[_Answer] = self._activate(card_key, replace, push)
            else:
                answer = self._enter(push)
            runner = _Runner(self, on_stop, on_notice, on_state, push)
            with self._lock:
                self._check_open()
                if self._runner is not None:
                    self._past.append(self._runner)
                self._runner = runner
            runner.begin(answer)
            return self.licence

    def activate(self, card_key: str, *, replace: bool = False) -> Licence:
        """Binds a card key to this computer; the account signed in, if any, becomes its owner. A
        key that is already bound here is verified instead. A refusal ends nothing that runs.

        :param replace: this computer held the key before and lost its state (reinstalled, other
            user); counts as an unbinding.
        """
        self._activate(card_key, replace, False)
        return self.licence

    def verify(self) -> Licence:
        """Asks the server about the licence kept here and acts on the answer."""
        self._load()
        card = self._card_id()
        if not card:
            raise NoLicence("no_lease", self.lang)
        answer = self._call(_VERIFY, {"card_id": card})
        if answer.act in ("stop", "hold"):
            self._stand(answer.act, answer.verdict.code, online=True)
        self._settle(answer)
        return self.licence

    def unbind(self) -> None:
        """Frees this computer's seat, within the app's limits; the licence here ends."""
        self._load()
        card = self._card_id()
        if not card:
            raise NoLicence("no_lease", self.lang)
        key = self._pending_key("unbind", card)
        answer = self._call(_UNBIND, {"card_id": card}, idempotency=key, unbinding=True)
        if answer.act == "stop":
            self._stand("stop", "device_unbound", online=True)
            with self._lock:
                runner = self._runner
            if runner is not None:
                runner.finish()
        if answer.act != "stop" or answer.verdict.code not in _UNBOUND:
            raise self._refusal(answer)
        with self._lock:
            self._current = None

    def check_lease(self) -> str:
        """Judges the kept lease now, without the network: "" if it is good, else the reason."""
        self._load()
        return self._judge(at_start=self._runner is None)

    def announcements(self) -> List[Notice]:
        """The app's announcements that hold now: high priority first, within one priority the oldest
        first. What is not signed is left out."""
        self._load()
        held = [notice for notice in self._fetch(0) if notice._holds(self._now())]
        return sorted(held, key=lambda notice: _PRIORITIES.get(notice.priority, 1))

    @property
    def state(self) -> State:
        """How things stand now."""
        with self._lock:
            return self._standing

    @property
    def fingerprint(self) -> str:
        """The name that this computer would be bound under (§4), for support; "" if fewer than two
        of its parts can be read. It proves nothing."""
        try:
            return _fingerprint(_parts(self._device_facts()))
        except ValueError:
            return ""

    @property
    def device_key(self) -> str:
        """This computer's public device key; "" before the first activation."""
        self._load()
        with self._lock:
            return self._device_key

    def close(self) -> None:
        """Ends both threads and stores the time. Calls under way fail with Closed. May be called
        twice, and from a callback."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            runners = self._past + ([self._runner] if self._runner is not None else [])
            self._runner, self._past = None, []
        self._cancel.cut()
        for runner in runners:
            runner.stop()
        atexit.unregister(self._at_exit)
        with self._changed:
            self._changed.wait_for(lambda: self._talking == 0)
            self._cancel.close()
            if self._loaded and self._seed is not None and self._time.moment != _NEVER:
                self._save_time()
            self._standing = State("stop", "closed", False, False)
            self._changed.notify_all()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # -- what start, activate and the threads are made of -------------------------------------

    def _enter(self, ticket: bool) -> Optional[_Answer]:
        """§8 "Start": the answer, or None where the lease alone lets the program run."""
        reason = self._judge(at_start=True)
        card = self._card_id()
        if not card:
            raise NoLicence("no_lease", self.lang)
        seconds = self._world.call_seconds if reason else self._world.patience_seconds
        try:
            answer = self._call(_VERIFY, {"card_id": card}, ticket=ticket, seconds=seconds)
        except NoAnswer as problem:
            if reason:
                kept = self._kept_refusal()[0]
                if reason == "no_lease" and kept:
                    raise Refused(kept, self.lang) from problem
                raise NoLicence(reason, self.lang) from problem
            self._run_on_lease(problem.code, online=False)
            return None
        if answer.act == "wait" and not self._judge(at_start=True):
            self._run_on_lease(answer.verdict.code, online=True)
            return answer
        self._settle(answer)
        return answer

    def _run_on_lease(self, code: str, online: bool) -> None:
        with self._lock:
            self._current = self._lease_here()
        self._stand("run", code, online=online)

    def _activate(self, typed: str, replace: bool, ticket: bool) -> _Answer:
        if len(typed.encode("utf-8", "replace")) > 128:
            raise LicenceError("card_key_too_long", self.lang)
        self._make_key()
        members: Dict[str, Any] = {"card_key": typed}
        if replace:
            members["replace"] = True
        key = self._pending_key("replace" if replace else "activate", normalise_card_key(typed) or typed)
        try:
            answer: _Answer = self._with_bearer(lambda bearer: self._call(
                _ACTIVATE, members, by_key=True, idempotency=key, bearer=bearer, ticket=ticket))
        except ServerError as problem:
            if problem.code == "idempotency_mismatch":
                self._change(lambda state: state._replace(pending=None))
            raise
        if answer.act == "wait" and answer.verdict.code == "device_already_bound":
            answer = self._call(_VERIFY, {"card_key": typed}, by_key=True, ticket=ticket)
        self._settle(answer)
        return answer

    def _heartbeat(self, ticket: bool) -> _Answer:
        return self._call(_HEARTBEAT, {"card_id": self._card_id()}, ticket=ticket)

    def _settle(self, answer: _Answer) -> None:
        """Raises unless the answer is run, which then holds."""
        if answer.act != "run":
            raise self._refusal(answer)
        self._stand("run", answer.verdict.code, online=True, by=answer.verdict)

    def _refusal(self, answer: _Answer) -> LicenceError:
        code = answer.verdict.code
        if answer.act == "wait":
            return Waiting(code, self.lang, answer.message, _clamped(answer.verdict.beat))
        kind = Held if answer.act == "hold" else Refused
        return kind(code, self.lang, answer.message)

    def _card_id(self) -> str:
        """The card to ask about: of the lease, of the kept refusal, or of this run."""
        with self._lock:
            lease = self._lease_here()
            if lease is not None and lease.card is not None:
                return lease.card.id
            kept = self._kept_refusal()[1]
            if kept:
                return kept
            return self._current.card.id if self._current and self._current.card else ""

    def _kept_refusal(self) -> Tuple[str, str]:
        """Code and card id of the refusal that ended the lease, or empty texts."""
        with self._lock:
            token, key = self._state.refusal, self._device_key
        for typ in (_VERDICT, _ORDER) if token else ():
            try:
                claims = self._keys.open(token or "", typ)
            except _Rejected:
                continue
            if claims.get("aud") == self.app_id and key and claims.get("key") == key:
                card = claims.get("card")
                card = card.get("id") if isinstance(card, dict) else card
                return _plain(claims.get("code"), 64), card if isinstance(card, str) else ""
        return "", ""

    def _lease_here(self) -> Optional[_Verdict]:
        with self._lock:
            token = self._state.lease or ""
            if self._lease[0] != token:
                self._lease = (token, _open_lease(self._keys, token, self.app_id, self._device_key))
            return self._lease[1]

    def _now(self) -> int:
        with self._lock:
            return self._time.now(self._world.local(), self._world.mono())

    def _judge(self, at_start: bool = False) -> str:
        """§8 "Lease good"."""
        parts = self._part_hashes()
        with self._lock:
            reason = _judge_lease(self._lease_here(), parts, self._now())
            if not reason and at_start and self._time.set_back(self._world.local()):
                return "clock_back"
            return reason

    def _check_running(self) -> None:
        state = self.state
        if state.act not in ("run", ""):
            if state.code == "closed":
                raise Closed(self.lang)
            if state.act == "hold":
                raise Held(state.code, self.lang)
            kind = NoLicence if state.code in _LOCAL_REASONS else Refused
            raise kind(state.code, self.lang)
        reason = self.check_lease() if not state.act else self._judge()
        if reason:
            raise NoLicence(reason, self.lang)

    def _reason(self) -> Optional[Reason]:
        with self._lock:
            state = self._standing
        return None if state.act == "run" else Reason(state.act, state.code, self.lang)

    def _await_stop(self, timeout: Optional[float]) -> Optional[Reason]:
        give_up = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._standing.act == "run":
                left = 0.5 if give_up is None else give_up - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, 0.5))  # short, so that Ctrl-C works on Windows too
            return self._reason()

    def _stand(self, act: str = "", code: str = "", *, online: Optional[bool] = None,
               push: Optional[bool] = None, tell: bool = False,
               by: Optional[_Verdict] = None) -> None:
        """Takes a new standing and tells the callbacks, outside every lock. A code without an act
        is a remark on a licence that runs. ``by`` a verdict that was signed before the last order,
        nothing changes."""
        with self._changed:
            if by is not None and (by.ep, by.seq) < self._ordered:
                return
            before = self._standing
            if not act and (before.act != "run" or not code):
                code = before.code
            after = State(act or before.act, code, before.online if online is None else online,
                          before.push if push is None else push)
            self._standing = after
            runner = self._runner
            self._changed.notify_all()
        if runner is not None and (tell or after != before):
            runner.told(after, stopped=before.act == "run" and after.act != "run")

    def _part_hashes(self) -> _Parts:
        try:
            parts = _parts(self._device_facts())
        except ValueError:
            return "", "", ""
        return _part_hashes(self.app_id, parts)

    def _device_facts(self) -> Dict[str, str]:
        """Read once for each process: a machine does not change under a running program."""
        with self._lock:
            if self._info is None:
                given = self._given_info
                self._info = dict(given) if given is not None else self._world.device_info()
            return self._info

    # -- state on disk ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            with self._store.locked():
                yield
        except TimeoutError as problem:
            raise StateError("state_locked", self.lang) from problem
        except OSError as problem:
            raise StateError("state_unwritable", self.lang, str(problem)) from problem

    def _check_open(self) -> None:
        if self._closed:
            raise Closed(self.lang)

    def _load(self) -> None:
        with self._lock:
            self._check_open()
            if not self._loaded:
                if self._store.exists():
                    with self._disk():
                        self._take_key(self._store.load_key())
                self._loaded = True

    def _take_key(self, seed: Optional[bytes]) -> None:
        """Called under the file lock."""
        if seed is None:
            return
        state, moment = self._store.read(seed)
        self._seed, self._device_key = seed, _b64u(_public_key(seed))
        self._state = _joined(state or _State(), moment)
        self._time = _Time(self._state.moment, self._world.mono())
        if (state is None) != (moment is None):  # the missing place is written again
            try:
                self._store.write(seed, self._state)
            except OSError as problem:
                _log.warning("the licence state cannot be written: %s", problem)

    def _make_key(self) -> None:
        self._load()
        with self._lock:
            if self._seed is None:
                with self._disk():
                    seed = self._store.load_key()
                    if seed is None:
                        seed = self._world.chance(32)
                        self._store.save_key(seed)
                    self._take_key(seed)

    def _change(self, edit: Callable[[_State], _State], must: bool = False) -> None:
        """Changes the state in memory and on disk, as one with other processes of this app. What
        cannot be written is kept in memory, unless it must be on disk."""
        with self._lock:
            if self._seed is None:
                self._state = edit(self._state)
                return
            try:
                with self._disk():
                    kept, moment = self._store.read(self._seed)
                    fresh = _joined(kept or self._state, moment)
                    if fresh.moment[:3] != self._time.moment[:3]:  # another process had an answer
                        self._time.adopt(fresh.moment, self._world.mono())
                    state = edit(fresh)
                    self._store.write(self._seed, state)
            except StateError as problem:
                if must:
                    raise
                _log.warning("the licence state is kept in memory only: %s", problem)
                state = edit(self._state)
            self._state = state

    def _save_time(self) -> None:
        self._change(lambda state: state._replace(
            moment=self._time.saved(self._world.local(), self._world.mono())))

    def _pending_key(self, call: str, about: str) -> str:
        """The Idempotency-Key of a call, on disk before it is sent; that of an attempt at the same
        thing which got no answer is used again. The card key itself is not kept."""
        with self._lock:
            seed = self._seed or b""
            subject = hmac.new(hashlib.sha256(b"goldfish-pending-v1" + seed).digest(),
                               about.encode("utf-8", "replace"), "sha256").hexdigest()[:32]
            pending = self._state.pending or {}
            key = pending.get("idempotency_key")
            if (pending.get("call"), pending.get("subject")) != (call, subject) or not isinstance(key, str):
                key = _b64u(self._world.chance(16))
                record = {"call": call, "subject": subject, "idempotency_key": key}
                self._change(lambda state: state._replace(pending=record), must=True)
            return key

    # -- calls --------------------------------------------------------------------------------

    def _call(self, path: str, members: Mapping[str, Any], *, by_key: bool = False,
              idempotency: str = "", bearer: str = "", ticket: bool = False,
              unbinding: bool = False, seconds: Optional[float] = None) -> _Answer:
        """One device call (§5) and what its verdict changes (§8). ``by_key``: it names a card key,
        so that its refusal ends nothing but itself."""
        with self._calls:
            deadline = time.monotonic() + (seconds or self._world.call_seconds)
            sent = dict(members)
            repeats = ["proof_time", "receipt_wanted"]  # each once
            while True:
                answer, token = self._ask(path, sent, idempotency, bearer, ticket, deadline)
                code = answer.verdict.code if answer.act == "wait" else ""
                if code == "receipt_wanted" and code in repeats and "receipt" not in sent:
                    receipt = self._receipt()
                    if receipt:
                        sent["receipt"] = receipt
                again = code in repeats and (code == "proof_time" or "receipt" in sent)
                answer = self._apply(answer, token, by_key=by_key, unbinding=unbinding,
                                     done=bool(idempotency) and not again)
                if not again:
                    return answer
                repeats.remove(code)

    def _receipt(self) -> str:
        """The kept lease for a server that has lost its own record of this device (§11); "" if
        there is none."""
        with self._lock:
            return (self._state.lease or "") if self._lease_here() is not None else ""

    def _ask(self, path: str, members: Mapping[str, Any], idempotency: str, bearer: str,
             ticket: bool, deadline: float) -> Tuple[_Answer, str]:
        """Sends, and checks the answer. NoAnswer unless it is a verdict on exactly this request."""
        with self._lock:
            self._check_open()
            seed, key, t = self._seed, self._device_key, self._now()
        if seed is None:
            raise NoLicence("no_lease", self.lang)
        nonce, made = _b64u(self._world.chance(16)), self._world.mono()
        body: Dict[str, Any] = {
            "app_id": self.app_id, "nonce": nonce, "kids": self._keys.kids, "version": self._version,
            "session": self._session, "device_info": self._device_facts(), "platform": _platform_name()}
        body.update(members)
        if ticket:
            body["ticket"] = True
        data = json.dumps(body, separators=(",", ":")).encode("ascii")
        text = _request_text("POST", path, self.app_id, str(t), key, idempotency, bearer, data)
        headers = {"Content-Type": "application/json", "Goldfish-Proof": _proof(seed, t, text)}
        if idempotency:
            headers["Idempotency-Key"] = idempotency
        if bearer:
            headers["Authorization"] = "Bearer " + bearer
        reply = self._http("POST", path, headers, data, deadline)
        envelope = self._envelope(reply)
        inner = envelope.get("data")
        inner = inner if isinstance(inner, dict) else {}
        token = inner.get("verdict") or envelope.get("verdict")
        if not isinstance(token, str):
            raise self._unsigned(envelope, reply.status)
        try:
            if self._world.mono() - made > _NONCE_SECONDS:
                raise _Rejected(4, "the answer came too late")
            with self._lock:
                verdict = _check_verdict(
                    self._keys, token, app_id=self.app_id, nonce=nonce, req=_request_hash(text),
                    key=key, last=self._time.moment)
        except _Rejected as problem:
            _log.warning("an answer failed check %d: %s", problem.check, problem)
            raise Unverifiable(self.lang, str(problem))
        given = inner.get("ticket")
        return _Answer(verdict, verdict.act, given if isinstance(given, str) else "",
                       _plain(envelope.get("message"))), token

    def _apply(self, answer: _Answer, token: str, *, by_key: bool, unbinding: bool, done: bool) -> _Answer:
        """Sets the time by a checked verdict and acts on the state: §8 "Then"."""
        verdict = answer.verdict
        act = answer.act
        local, mono = self._world.local(), self._world.mono()  # now, before any wait for the disk

        def edit(state: _State) -> _State:
            nonlocal act
            new_epoch = state.moment != _NEVER and verdict.ep != state.moment.ep
            self._time.accept(verdict.iat, verdict.ep, local, mono)
            act = answer.act
            if act == "wait" and verdict.code == "receipt_wanted" and _open_lease(
                    self._keys, state.lease, self.app_id, self._device_key) is None:
                act = "stop"  # §11: a device without a receipt
            if act == "run" and (verdict.ep, verdict.seq) < self._ordered and not unbinding:
                act = "wait"  # signed before the order that was obeyed meanwhile
            if unbinding and act == "run":
                act = "stop"  # done as asked
            state = state._replace(moment=self._time.moment, seq=verdict.seq,
                                   seen=0 if new_epoch else state.seen,
                                   pending=None if done else state.pending)
            if act == "run":
                return state._replace(lease=token, refusal=None)
            if act == "stop" and not by_key:
                wanted = unbinding and verdict.code in _UNBOUND
                return state._replace(lease=None, refusal=None if wanted else token)
            return state

        with self._lock:
            self._change(edit)
            if act == "run":
                self._current = verdict
        return answer._replace(act=act)

    def _http(self, method: str, path: str, headers: Mapping[str, str], body: Optional[bytes],
              deadline: float) -> _Reply:
        sent = {"Accept-Language": self.lang, "User-Agent": "goldfish-python/" + __version__}
        sent.update(headers)
        with self._lock:
            self._check_open()
            self._talking += 1
        try:
            line = self._world.dial(self._target, self._context, self._cancel, deadline)
            try:
                return _exchange(line, self._target, method, path, sent, body, deadline)
            finally:
                line.close()
        except _Cut:
            raise Closed(self.lang)
        except OSError as problem:
            raise Unreachable(self.lang, _plain(str(problem))) from problem
        except (http.client.HTTPException, ValueError) as problem:
            raise Unverifiable(self.lang, _plain(str(problem))) from problem
        finally:
            with self._changed:
                self._talking -= 1
                self._changed.notify_all()

    def _envelope(self, reply: _Reply) -> Dict[str, Any]:
        try:
            return _parse_object(reply.body)
        except ValueError:
            raise Unverifiable(self.lang, "HTTP %d" % reply.status)

    def _unsigned(self, envelope: Mapping[str, Any], status: int) -> NoAnswer:
        code = envelope.get("code")
        if envelope.get("success") is False and isinstance(code, str) and re.match(r"[a-z0-9_]{1,64}\Z", code):
            listed = envelope.get("errors")
            points = [(_plain(item.get("code"), 64), _plain(item.get("message")))
                      for item in (listed if isinstance(listed, list) else [])[:20] if isinstance(item, dict)]
            return ServerError(code, self.lang, _plain(envelope.get("message")), status,
                               _plain(envelope.get("field"), 100), points)
        return Unverifiable(self.lang, "HTTP %d" % status)

    def _json(self, method: str, path: str, body: Optional[Mapping[str, Any]], bearer: str = "") -> Dict[str, Any]:
        """A call outside the licence (accounts, announcements): its answer is not signed."""
        headers = {"Authorization": "Bearer " + bearer} if bearer else {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, separators=(",", ":")).encode("ascii")
        reply = self._http(method, path, headers, data, time.monotonic() + self._world.call_seconds)
        envelope = self._envelope(reply)
        if not 200 <= reply.status < 300 or envelope.get("success") is not True:
            raise self._unsigned(envelope, reply.status)
        return envelope

    # -- notices and orders -------------------------------------------------------------------

    def _fetch(self, after: int) -> List[Notice]:
        """The announcements above ``after``, by seq; unsigned ones are left out."""
        found: Dict[int, Notice] = {}
        cursor = ""
        for _ in range(20):
            query = {"app_id": self.app_id, "after": str(after), "limit": "20"}
            kid = self._signer()
            if kid:
                query["kid"] = kid
            if cursor:
                query["cursor"] = cursor
            path = "/api/v1/announcements?" + urllib.parse.urlencode(query)
            data = self._json("GET", path, None).get("data")
            data = data if isinstance(data, dict) else {}
            items = data.get("items")
            for item in items if isinstance(items, list) else []:
                token = item.get("token") if isinstance(item, dict) else None
                try:
                    notice = _check_notice(self._keys, token if isinstance(token, str) else "",
                                           self.app_id, self.lang)
                except _Rejected as problem:
                    _log.warning("an announcement was dropped: %s", problem)
                    continue
                found[notice.seq] = notice
            cursor = data.get("next") if isinstance(data.get("next"), str) else ""
            if not cursor:
                break
        return [found[seq] for seq in sorted(found) if seq > after]

    def _signer(self) -> str:
        """The kid of the pinned key that the server signs with for this client, "" if not known."""
        with self._lock:
            token = self._state.lease or self._state.refusal or ""
        return self._keys.kid_of(token)

    def _take_notice(self, notice: Notice, show: Callable[[Notice], None]) -> bool:
        """Shows a checked notice once: False if it was seen before. No lock is held meanwhile."""
        with self._lock:
            if notice.seq <= self._state.seen or notice.seq in self._showing:
                return False
            self._showing[notice.seq] = notice
        if notice._holds(self._now()) and notice.kind in _KINDS:
            show(notice)
        with self._lock:
            self._change(lambda state: state._replace(seen=max(state.seen, notice.seq)))
            del self._showing[notice.seq]
        return True

    def _take_order(self, token: str) -> Optional[_Order]:
        """What to do by an order: None if it does not count; ``act`` is wait for another card's."""
        with self._lock:
            order = _check_order(
                self._keys, token, app_id=self.app_id, key=self._device_key, session=self._session,
                ep=self._state.moment.ep, seq=self._state.seq)
            if order is None:
                return None
            if order.card not in ("", self._card_id()):
                return order._replace(act="wait")
            if order.act in ("stop", "hold"):
                self._ordered = (order.ep, order.seq)
            if order.act == "stop":
                self._change(lambda state: state._replace(lease=None, refusal=token))
            return order


_UNBOUND = ("valid", "device_unbound")
_LOCAL_REASONS = ("no_lease", "lease_expired", "clock_back", "device_changed")


def _clamped(beat: int) -> int:
    return min(max(beat, 30), 3600)


def _platform_name() -> str:
    return ("%s-%s" % (_system(), _platform.machine().lower() or "unknown"))[:32]


def _tls(ca_file: Optional[str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def _close_at_exit(client: "weakref.ref[Client]") -> None:
    found = client()
    if found is not None:
        found.close()


# ---------------------------------------------------------------------------------------------
# The threads of a started client
# ---------------------------------------------------------------------------------------------


class _Runner:
    """Keeper: heartbeats, judgement of the lease, the stored time. Push: the live connection. The
    keeper alone makes heartbeats; push asks it for a ticket."""

    def __init__(self, client: Client, on_stop: Optional[_OnStop], on_notice: Optional[_OnNotice],
                 on_state: Optional[_OnState], push: bool) -> None:
        self._client = client
        self._world = client._world
        self._on_stop, self._on_notice, self._on_state = on_stop, on_notice, on_state
        self._push = push
        self._wake = threading.Condition()      # guards the fields below
        self._closing = False
        self._over = False                      # a signed end came: nothing is asked any more
        self._beat_at = self._judge_at = self._save_at = 0.0
        self._asked_at: Optional[float] = None  # a heartbeat that somebody asked for
        self._failures = 0                      # heartbeats without an answer, in a row
        self._ticket: Optional[Tuple[str, float]] = None
        self._push_failures = 0
        self._fetched = 0                       # `news` up to which announcements were fetched
        self._clocks = (self._world.local(), self._world.mono())
        self._cancel = _Cancel()
        self._threads: List[threading.Thread] = []
        self._first: Optional[_Answer] = None   # whose news are still to be fetched

    @property
    def alive(self) -> bool:
        return not self._closing and not self._over

    def begin(self, answer: Optional[_Answer]) -> None:
        """Starts the threads; ``answer`` is the one that let the program run, if any."""
        mono = self._world.mono()
        self._judge_at = mono + _JUDGE_SECONDS
        self._first = answer
        if answer is None:
            self._failed()
        else:
            self._answered(answer)
        self._tell(self._on_state, self._client.state)
        with self._wake:
            if self._closing:
                return
            work = [("goldfish-keeper", self._keep)] + [("goldfish-push", self._listen)] * self._push
            for name, target in work:
                self._threads.append(threading.Thread(target=target, name=name, daemon=True))
                self._threads[-1].start()

    def stop(self) -> None:
        """Ends both threads and waits for them, but for the one that asks. A callback that does not
        return is left behind after a while, for the program must be able to end."""
        self.finish()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(10)
                if thread.is_alive():
                    _log.warning("%s is still in a callback of the program", thread.name)
        self._cancel.close()  # whoever still holds it finds it cut before touching it

    def finish(self) -> None:
        """Lets both threads end, without waiting for them."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._cancel.cut()

    def told(self, state: State, stopped: bool) -> None:
        """A new standing of the client."""
        if stopped:
            self._tell(self._on_stop, Reason(state.act, state.code, self._client.lang))
        self._tell(self._on_state, state)

    def _tell(self, callback: Optional[Callable[[Any], None]], value: Any) -> None:
        if callback is not None and not self._closing:
            try:
                callback(value)
            except Exception:
                _log.exception("a callback failed")

    # -- keeper -------------------------------------------------------------------------------

    def _keep(self) -> None:
        while True:
            try:
                self._tick()
            except Closed:
                return
            except Exception:
                _log.exception("the keeper failed and goes on")
                self._failed()
            with self._wake:
                if self._closing:
                    return
                left = min(self._next_beat(), self._judge_at) - self._world.mono()
                if left > 0:
                    self._world.wait(self._wake, left)
                if self._closing:
                    return

    def _tick(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            self._catch_up(first)
        local, mono = self._world.local(), self._world.mono()
        slept = local - self._clocks[0] - (mono - self._clocks[1])
        self._clocks = (local, mono)
        if slept > 60:
            self._judge_at = mono
            self.ask_beat()
        if mono >= self._next_beat():
            self._beat()
        if mono >= self._judge_at and not self._closing:
            self._judge_at = mono + _JUDGE_SECONDS
            self._judge()
            if mono >= self._save_at:
                self._save_at = mono + self._beat_seconds()
                self._client._save_time()

    def _beat_seconds(self) -> int:
        current = self._client._current
        return _clamped(current.beat if current else 300)

    def _judge(self) -> None:
        client = self._client
        if client.state.act == "run":
            reason = client._judge()
            if reason:
                client._stand("stop", reason)

    def ask_beat(self, seconds: float = 0.0) -> None:
        """A heartbeat after so many seconds, begun after this call, besides those at their times."""
        with self._wake:
            at = self._world.mono() + seconds
            self._asked_at = at if self._asked_at is None else min(at, self._asked_at)
            self._wake.notify_all()

    def _ask_ticket(self) -> None:
        """The next heartbeat brings a ticket; while heartbeats fail they keep to their doubling delay."""
        if not self._failures:
            self.ask_beat()

    def _next_beat(self) -> float:
        with self._wake:
            return self._beat_at if self._asked_at is None else min(self._beat_at, self._asked_at)

    def _failed(self) -> None:
        with self._wake:
            self._failures += 1
            delay = min(600.0, 30.0 * 2 ** min(self._failures - 1, 5))
            self._beat_at = self._world.mono() + delay - self._world.uniform(0, delay / 10)

    def _answered(self, answer: _Answer) -> None:
        with self._wake:
            self._failures = 0
            beat = _clamped(answer.verdict.beat)
            mono = self._world.mono()
            self._beat_at = mono + beat - self._world.uniform(0, beat / 10)
            self._save_at = mono + beat
            if answer.ticket:
                self._ticket = (answer.ticket, mono)
                self._wake.notify_all()

    def _beat(self) -> None:
        client = self._client
        with self._wake:
            if self._asked_at is not None and self._asked_at <= self._world.mono():
                self._asked_at = None  # one asked for while this is under way comes after it
            ticket = self._push and not client.state.push and self._ticket is None
        try:
            answer = client._heartbeat(ticket)
        except Closed:
            raise
        except NoAnswer as problem:
            self._failed()
            client._stand(code=problem.code, online=False)
            return
        self._answered(answer)
        if answer.act in ("stop", "hold"):
            self._over = True  # before the callback, which may start anew with another card key
            client._stand(answer.act, answer.verdict.code, online=True)
            self.finish()
            return
        if answer.act == "run":
            client._stand("run", answer.verdict.code, online=True, tell=True, by=answer.verdict)
        else:
            client._stand(online=True, tell=True)
        self._catch_up(answer)

    def _catch_up(self, answer: _Answer) -> None:
        """Fetches announcements that push will not bring."""
        if self._on_notice is None:
            return
        news = answer.verdict.news
        coming = bool(answer.ticket) and not self._push_failures
        if news > max(self._client._state.seen, self._fetched) and not coming:
            self._fetch()
            self._fetched = news

    def _fetch(self) -> None:
        try:
            for notice in self._client._fetch(self._client._state.seen):
                self._client._take_notice(notice, self._show)
        except NoAnswer as problem:
            _log.info("announcements could not be fetched: %s", problem)

    def _show(self, notice: Notice) -> None:
        self._tell(self._on_notice, notice)

    # -- push ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        while True:
            ticket = self._await_ticket()
            if ticket is None:
                return
            began = self._world.mono()
            try:
                self._live(ticket)
            except (_Cut, Closed):
                return
            except _SocketEnd as end:
                _log.info("the live connection ended: %s", end)
            except OSError as problem:
                _log.info("the live connection broke: %s", problem)
            except Exception:
                _log.exception("the live connection failed")
            finally:
                self._client._stand(push=False)
            if not self._pause(began):
                return

    def _await_ticket(self) -> Optional[str]:
        with self._wake:
            while not self._closing:
                if self._ticket is not None:
                    (ticket, made), self._ticket = self._ticket, None
                    if self._world.mono() - made < 55:
                        return ticket
                    self._ask_ticket()
                self._world.wait(self._wake, 3600)
        return None

    def _pause(self, began: float) -> bool:
        """The wait before coming back: a random 0–min(60, 2ⁿ) s, then a heartbeat for a ticket."""
        lasted = self._world.mono() - began >= 60
        with self._wake:
            self._push_failures = 1 if lasted else self._push_failures + 1
            longest = min(60.0, 2.0 ** min(self._push_failures, 6))
            until = self._world.mono() + self._world.uniform(0, longest)
            while not self._closing:
                left = until - self._world.mono()
                if left <= 0:
                    break
                self._world.wait(self._wake, left)
            if self._closing:
                return False
            self._ask_ticket()
        return True

    def _live(self, ticket: str) -> None:
        client, world = self._client, self._world
        deadline = time.monotonic() + world.call_seconds
        line = world.dial(client._target, client._context, self._cancel, deadline)
        link = _Socket(line, world.chance, ping=world.ping_seconds, silence=world.silence_seconds)
        code = 1000
        try:
            link.open(client._target, {"User-Agent": "goldfish-python/" + __version__}, deadline)
            state = client._state
            link.send({"type": "hello", "ticket": ticket, "ep": state.moment.ep, "after": state.seen})
            welcome = _message(link.receive(deadline))
            if welcome.get("type") != "welcome":
                raise _SocketEnd(1002, "no welcome")
            self._connected(welcome)
            while True:
                self._pushed(link, _message(link.receive()))
        except _Cut:
            code = 1001
            raise
        except _SocketEnd as end:
            code = end.code if end.code in (1002, 1007, 1009) else 1000
            raise
        finally:
            link.close(code)

    def _connected(self, welcome: Mapping[str, Any]) -> None:
        self._client._stand(push=True)
        if welcome.get("more") is True:
            self._fetch()

    def _pushed(self, link: _Socket, message: Mapping[str, Any]) -> None:
        token = message.get("token")
        if message.get("type") != "push" or not isinstance(token, str):
            return
        try:
            if token.split(".")[0] in self._client._keys.headers(_ORDER):
                self._ordered(link, token)
            else:
                self._noticed(link, token)
        except _Rejected as problem:
            _log.warning("a push was dropped: %s", problem)

    def _noticed(self, link: _Socket, token: str) -> None:
        client = self._client
        notice = _check_notice(client._keys, token, client.app_id, client.lang)
        if self._on_notice is not None and client._take_notice(notice, self._show):
            self._ack(link, notice.seq)

    def _ordered(self, link: _Socket, token: str) -> None:
        order = self._client._take_order(token)
        if order is None:
            return
        if order.act in ("stop", "hold"):
            self._client._stand(order.act, order.code, online=True)
        self.ask_beat(self._world.uniform(0, min(order.spread, 3600)))
        self._ack(link, order.seq)

    @staticmethod
    def _ack(link: _Socket, seq: int) -> None:
        with contextlib.suppress(OSError):  # what came before the line broke is still to be read
            link.send({"type": "ack", "seq": seq})


def _message(data: bytes) -> Dict[str, Any]:
    try:
        return _parse_object(data)
    except ValueError:
        return {}
