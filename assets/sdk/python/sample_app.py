# -*- coding: utf-8 -*-
"""金鱼智盒示例程序：登录 → 激活卡密 → 校验授权 → 心跳与公告，直到被要求停止。
A sample for Goldfish: sign in, activate a card key, verify, heartbeat and announcements, until told to stop.

把它和 goldfish.py 放在同一个文件夹，然后运行（Put it beside goldfish.py and run）::

    python3 sample_app.py

不带参数时会询问用户名、密码和卡密；也可以用参数或环境变量给出（见 --help）。
Without arguments it asks for user name, password and card key; arguments and environment variables
(see --help) answer in advance.

每个事件输出一行，以 GOLDFISH 开头，可供脚本识别（One line for each event, fit for scripts）::

    GOLDFISH registered NAME            GOLDFISH signed-in NAME
    GOLDFISH activated card=… device=…
    GOLDFISH licence run CODE online=… tier=… features=… expires=… lease=… card=… device=…
    GOLDFISH state run CODE online=… push=…
    GOLDFISH notice KIND seq=… type=… priority=… id=… title=… body=…
    GOLDFISH stop CODE sentence         GOLDFISH hold CODE sentence
    GOLDFISH refused CODE sentence      GOLDFISH failed CODE sentence

退出码（Exit codes）: 0 正常 fine · 1 无授权或未能启动 no licence, or not started ·
2 参数有误 wrong arguments · 3 运行中被停止 stopped while running · 130 Ctrl-C.
"""

import argparse
import getpass
import hashlib
import os
import sys
import threading
from datetime import datetime
from typing import Optional

import goldfish

# 由管理后台填写（filled in by the console）。多个公钥用逗号分隔（keys are separated by commas）。
SERVER_URL = "{{SERVER_URL}}"
APP_ID = "{{APP_ID}}"
PUBLIC_KEYS = "{{PUBLIC_KEYS}}"

# 你的程序版本（your program's version）
VERSION = "1.0.0"

EXIT_NOT_STARTED, EXIT_USAGE, EXIT_STOPPED = 1, 2, 3


_output = threading.Lock()  # callbacks come from other threads: their lines must not mix


def show(line: str) -> None:
    """One line, at once and whole, also where standard output cannot show Chinese."""
    encoding = sys.stdout.encoding or "utf-8"
    with _output:
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()


def say(*words: str) -> None:
    show("GOLDFISH " + " ".join(words))


def when(moment: Optional[datetime]) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "never"


def one_line(text: str) -> str:
    return " ".join(text.split()) or "-"


def show_licence(licence: goldfish.Licence, state: goldfish.State) -> None:
    say("licence", state.act, state.code, "online=%s" % ("yes" if state.online else "no"),
        "tier=" + (licence.tier or "-"), "features=" + (",".join(sorted(licence.features)) or "-"),
        "expires=" + when(licence.expires_at), "lease=" + when(licence.lease_until),
        "card=" + licence.card_id, "device=" + licence.device_id)


def show_state(state: goldfish.State) -> None:
    say("state", state.act, state.code, "online=%s" % ("yes" if state.online else "no"),
        "push=%s" % ("yes" if state.push else "no"))


def show_notice(notice: goldfish.Notice) -> None:
    say("notice", notice.kind, "seq=%d" % notice.seq, "type=" + (notice.type or "-"),
        "priority=" + (notice.priority or "-"), "id=" + (notice.id or "-"),
        "title=" + one_line(notice.title), "body=" + one_line(notice.body))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="金鱼智盒示例程序 · Goldfish sample",
        epilog="每个参数都可用环境变量给出，例如 GOLDFISH_CARD_KEY。Every option can come from the "
               "environment, such as GOLDFISH_CARD_KEY; passwords better do.")

    def option(name: str, default: str, text: str) -> None:
        variable = "GOLDFISH_" + name.upper().replace("-", "_")
        parser.add_argument("--" + name, default=os.environ.get(variable, default), help=text)

    option("url", SERVER_URL, "服务器地址 server address")
    option("app-id", APP_ID, "应用 ID app id")
    option("public-keys", PUBLIC_KEYS, "公钥，逗号分隔 public keys, separated by commas")
    option("username", "", "用户名 user name")
    option("password", "", "密码 password")
    option("card-key", "", "卡密 card key")
    option("ca-file", "", "自签名证书 PEM 文件 PEM file of a self-signed certificate")
    option("lang", "", "zh 或 en")
    option("pretend-device", "", "试用：假装是另一台电脑 for trying out: pretend to be another computer (any name)")
    parser.add_argument("--register", action="store_true", help="先注册该用户 register the user first")
    parser.add_argument("--replace", action="store_true", help="本机重装过：替换设备密钥 replace a lost device key")
    parser.add_argument("--plain-http", action="store_true", help="允许未加密连接其他电脑 allow http to other computers")
    parser.add_argument("--once", action="store_true", help="校验一次后退出 verify once and exit")
    parser.add_argument("--no-push", action="store_true", help="不建立实时连接 no live connection")
    return parser.parse_args()


def make_client(options: argparse.Namespace) -> goldfish.Client:
    facts = None
    if options.pretend_device:  # 发布前请删除（remove before you ship）
        digest = hashlib.sha256(options.pretend_device.encode("utf-8")).hexdigest()
        facts = {"cpu_id": "pretended", "motherboard_id": digest[:32], "mac_address": "00" + digest[32:42]}
    return goldfish.Client(
        options.url, options.app_id,
        public_keys=[key for key in options.public_keys.replace(" ", "").split(",") if key],
        version=VERSION, plain_http=options.plain_http, ca_file=options.ca_file or None,
        lang=options.lang or None, device_info=facts)


def sign_in(client: goldfish.Client, options: argparse.Namespace) -> None:
    """Account apps need an owner for a new card key; a licence that runs already does not."""
    name, password = options.username, options.password
    if not name and sys.stdin.isatty():
        name = input("用户名 User name（可留空 may stay empty）: ").strip()
    if not name:
        return
    if not password and sys.stdin.isatty():
        password = getpass.getpass("密码 Password: ")
    if options.register:
        client.register(name, password)
        say("registered", name)
    client.login(name, password)
    say("signed-in", name)


def card_key(options: argparse.Namespace) -> str:
    if options.card_key or not sys.stdin.isatty():
        return options.card_key
    return input("卡密 Card key: ").strip()


def begin(client: goldfish.Client, options: argparse.Namespace, typed: Optional[str] = None) -> goldfish.Licence:
    return client.start(typed, replace=options.replace, push=not options.no_push,
                        on_notice=show_notice, on_state=show_state)


def start(client: goldfish.Client, options: argparse.Namespace) -> goldfish.Licence:
    try:
        return begin(client, options)  # 本机已有授权：无需登录（licensed already: no sign-in）
    except (goldfish.NoLicence, goldfish.Refused) as problem:
        if problem.code in ("clock_back", "lease_expired", "device_changed"):
            raise  # 需要联网，换卡密无用（going online helps, another card key does not）
        typed = card_key(options)
        if not typed:
            raise
    sign_in(client, options)
    licence = begin(client, options, typed)
    say("activated", "card=" + licence.card_id, "device=" + licence.device_id)
    return licence


def verify_once(client: goldfish.Client, options: argparse.Namespace) -> None:
    options.no_push = True
    licence = start(client, options)
    show_licence(licence, client.state)


def run(client: goldfish.Client, options: argparse.Namespace) -> int:
    licence = start(client, options)
    show_licence(licence, client.state)
    show("程序正在运行，按 Ctrl-C 退出。The program is running; press Ctrl-C to leave.")

    # 你的程序从这里开始；重要之处可随时调用 licence.check()。
    # Your program starts here; call licence.check() wherever it matters.
    reason = licence.wait()
    if reason is None:
        return 0
    say(reason.act, reason.code, reason.message)
    return EXIT_STOPPED


def main() -> int:
    options = arguments()
    try:
        client = make_client(options)
    except goldfish.ConfigurationError as problem:
        say("failed", problem.code, problem.message)
        return EXIT_USAGE
    with client:
        try:
            if options.once:
                verify_once(client, options)
                return 0
            return run(client, options)
        except goldfish.LicenceError as problem:
            say("refused", problem.code, problem.message)
        except goldfish.GoldfishError as problem:
            say("failed", problem.code, problem.message)
            for code, sentence in getattr(problem, "points", ()):
                say("failed", code, sentence)
        except KeyboardInterrupt:
            return 130
    return EXIT_NOT_STARTED


if __name__ == "__main__":
    sys.exit(main())
