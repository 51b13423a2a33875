"""Runs the SDK's own end-to-end tests against a real binary and a throw-away file.

    python3 .checks/sdk_real.py .build/goldfish
"""

import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import demo  # noqa: E402


def main():
    folder = tempfile.mkdtemp(prefix="goldfish-sdk-")
    play = demo.Demo(sys.argv[1], folder)
    try:
        play.start_server()
        play.vendor()
        play.make_app()
        play.make_keys()
        tests = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "assets", "sdk", "python", "tests")
        failed = subprocess.call([sys.executable, "e2e_real.py", "-v"], cwd=tests, env=dict(
            os.environ, GOLDFISH_URL=play.client, APP_ID=play.app["id"], CARD_KEY=play.keys[0],
            PUBLIC_KEYS=",".join(key["public_key"] for key in play.app["keys"]),
            CONSOLE_URL=play.console, OWNER_USERNAME="admin", OWNER_PASSWORD=demo.PASSWORD))
        return failed or subprocess.call(
            [sys.executable, "e2e_restore.py", "-v"], cwd=tests, env=dict(os.environ, GOLDFISH_BIN=os.path.abspath(sys.argv[1])))
    except demo.Failed as problem:
        print("FAILED: %s" % problem)
        return 1
    finally:
        play.clean_up()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
