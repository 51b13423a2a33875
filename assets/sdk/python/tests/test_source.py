"""The files themselves: Python 3.8, typed, documented, from the standard library alone."""

import ast
import os
import sys
import unittest

from kit import HERE, goldfish

SDK = os.path.dirname(HERE)


def tree(name):
    with open(os.path.join(SDK, name), encoding="utf-8") as file:
        return ast.parse(file.read(), name, feature_version=(3, 8))


class Source(unittest.TestCase):
    def functions(self):
        for node in ast.walk(tree("goldfish.py")):
            if isinstance(node, ast.FunctionDef):
                yield node

    def test_python_3_8(self):
        for name in ("goldfish.py", "sample_app.py"):
            for node in ast.walk(tree(name)):
                self.assertNotIsInstance(node, ast.NamedExpr)  # clearer without
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
                    for side in (node.left, node.right):
                        self.assertFalse(isinstance(side, ast.Constant) and side.value is None, "X | None")

    def test_typed(self):
        for node in self.functions():
            arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            self.assertEqual((bare, node.returns is None), ([], False), node.name)

    def test_documented(self):
        for name in goldfish.__all__:
            member = getattr(goldfish, name)
            self.assertTrue((member.__doc__ or "").strip(), name)
        for kind in (goldfish.Client, goldfish.Licence):
            for name in vars(kind):
                if not name.startswith("_"):
                    self.assertTrue(getattr(kind, name).__doc__, "%s.%s" % (kind.__name__, name))

    def test_short_functions(self):
        for node in self.functions():
            self.assertLessEqual(node.end_lineno - node.lineno, 70, node.name)

    def test_standard_library_alone(self):
        found = set()
        for node in ast.walk(tree("goldfish.py")):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            if isinstance(node, ast.ImportFrom):
                found.add(node.module.split(".")[0])
        found -= {"cryptography", "winreg", "msvcrt", "fcntl"}  # used where they are
        for name in found:
            origin = getattr(__import__(name), "__file__", None) or ""
            self.assertNotIn("site-packages", origin, name)
        if sys.version_info >= (3, 10):
            self.assertEqual(found - set(sys.stdlib_module_names), set())


if __name__ == "__main__":
    unittest.main()
