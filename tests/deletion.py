#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""deletion.py - takes the checks away, one at a time: which test notices?

A check is a condition that refuses: `if (CONDITION)` before a return of an
error, a reason to drop or a fault, before `continue`, a call that refuses or
what limits a number; one that accepts: before another return, if it compares;
or a value that is returned, `return A && B` and `return A ? B : NULL`.  Each
side of `||` in the first, of `&&` in the others, is a check of its own.  It is
deleted by an operand that settles it, so what it does beside comparing is
still done.

The tree is copied, and for each check built again as far as that changes; then
the tests run that are about the file, until one fails: first the unit tests as
they are, then, with the sanitizers, they and the fuzz targets.  Nobody noticing
is an error.  Checks of the machine (memory that is short, a system call that
fails) are left out.

    tests/deletion.py [--list] [--builds asan] [--only REGEX] [--skip N] [FILE...]
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

# Files, and the tests that are about them, the quickest first.
RING = ["unit/test_virtq", "fuzz/fuzz_split", "fuzz/fuzz_packed"]
SPLIT = ["unit/test_split", "unit/test_split_tx"]
PACKED = ["unit/test_packed", "unit/test_packed_tx", "unit/test_packed_ring"]
VHOST = ["unit/test_vhost_message", "unit/test_vhost_session",
         "unit/test_vhost_memory", "fuzz/fuzz_vhost_message"]
PIPE = ["unit/test_pipe_ring", "unit/test_pipe_tx", "unit/test_pipe_message",
        "unit/test_pipe_client", "fuzz/fuzz_pipe"]
BASE = ["unit/test_offload", "unit/test_segment", "unit/test_merge",
        "unit/test_checksum", "unit/test_completion", "unit/test_detect",
        "fuzz/fuzz_offload", "fuzz/fuzz_merge"]
ABOUT = [
    (r"ports/vhost/split", SPLIT + RING),
    (r"ports/vhost/packed", PACKED + RING),
    (r"ports/vhost/(buffer|frame_|virtq)", SPLIT + PACKED + RING),
    (r"ports/vhost/", VHOST),
    (r"ports/pipe/", PIPE),
    (r"ports/peer/(gather|plain)", SPLIT + PACKED + PIPE[:2] + RING),
    (r"ports/peer/", VHOST + PIPE),
    (r"switch/base/", BASE),
]
SANITIZE = "-fno-omit-frame-pointer -fno-sanitize-recover=all " \
    "-fsanitize=address,undefined,fuzzer-no-link"
BUILDS = {
    "plain": ["OPT=-O1"],
    "asan": ["CC=clang", "SANITIZE=" + SANITIZE,
             "OPT=-O1 -g -DPEER_CHANGES -Werror=noderef"],
}
FILES = r"^(ports/(vhost|pipe)/[a-z_]*\.[ch]|" \
        r"ports/peer/(gather|plain|mapping|guard)\.[ch]|" \
        r"switch/base/(offload|layers|segment|completion|checksum)\.[ch])$"

REFUSES = re.compile(
    r"return\s+(-E(?!NOMEM)|err_set\(e, -E(?!NOMEM)|err_set\(\s*e,\s*-E"
    r"(?!NOMEM)|\w*refuse\w*\(|vhost_break\(|vhost_\w*\(p, \"|\w*breach\w*\(|"
    r"rx_slow\(|tx_slow\(|false;|NULL;|DROP_|VIRTQ_(?!NONE)|PIPE_(?!NONE)|"
    r"FRAME_IN_LATER|VHOST_[A-Z]*(BROKEN|CLOSE|REFUSE)|\")"
    r"|\bcontinue;|\bbreak;|\w+_break\(|= DROP_|full = true")
MACHINE = re.compile(r"ENOMEM|MAP_FAILED|errno|alloc\(|no memory|< 0$")


def blank(text):
    """@text with comments, strings and directives blank, length unchanged."""
    def spaces(m):
        return re.sub(r"[^\n]", " ", m.group())
    text = re.sub(r"/\*.*?\*/", spaces, text, flags=re.S)
    text = re.sub(r'(?m)^#.*(\\\n.*)*$', spaces, text)
    return re.sub(r'"(\\.|[^"\\])*"', lambda m: '"' + " " *
                  (len(m.group()) - 2) + '"', text)


def closing(text, at):
    """Where the bracket that opens at @at is closed."""
    pairs = {"(": ")", "{": "}"}
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in pairs) - (text[i] in pairs.values())
        if depth == 0:
            return i
    raise ValueError("unbalanced")


def operands(text, start, end, operator):
    """The places [a, b) in text[start:end] that @operator joins."""
    parts, depth, a, i = [], 0, start, start
    while i < end:
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0 and text[i] == "?":
            return [(start, end)]
        if depth == 0 and text.startswith(operator, i):
            parts.append((a, i))
            i += 2
            a = i
            continue
        i += 1
    return parts + [(a, end)]


def trimmed(text, a, b):
    while text[a].isspace():
        a += 1
    while text[b - 1].isspace():
        b -= 1
    return a, b


def condition(text, a, b):
    """text[a:b] without blanks and __builtin_expect()."""
    a, b = trimmed(text, a, b)
    if text.startswith("__builtin_expect(", a):
        a += len("__builtin_expect(")
        return trimmed(text, a, operands(text, a, b - 1, ", ")[0][1])
    return a, b


def body_of(text, at):
    """The place of the statement that begins at @at or behind blanks."""
    at += len(text[at:]) - len(text[at:].lstrip())
    return at, closing(text, at) if text[at] == "{" else text.index(";", at) + 1


def is_limit(test, body):
    m = re.match(r"\s*(\w+) = [^;]*;$", body)
    return m and re.search(r"\b%s\b.*[<>]" % m.group(1), test)


def find(original, text):
    """(start, end, what settles it) of every check."""
    for m in re.finditer(r"\bif \(", text):
        end = closing(text, m.end() - 1)
        a, b = condition(text, m.end(), end)
        test, body = original[a:b], original[slice(*body_of(text, end + 1))]
        if MACHINE.search(body):
            continue
        if REFUSES.search(body) or is_limit(test, body):
            for part in operands(text, a, b, "||"):
                yield part + ("&& 0",)
        elif "return" in body and re.search(r"[^-]>|<", test):
            for part in operands(text, a, b, "&&"):
                yield part + ("|| 1",)
    for m in re.finditer(r"\breturn\b([^;]*);", text):
        parts = operands(text, m.start(1), m.end(1), "&&")
        refuses = re.search(r"\?[^?]*: *NULL$", m.group(1))
        if refuses:
            parts = operands(text, m.start(1),
                             text.index("?", m.start(1)), "&&")
        if len(parts) > 1 or refuses:
            for part in parts:
                yield part + ("|| 1",)


def checks_of(path):
    """(text, start, end, what settles it, line) of every check in the file."""
    with open(path) as f:
        original = f.read()
    text = blank(original)
    for a, b, settled in sorted(find(original, text)):
        a, b = trimmed(text, a, b)
        if not MACHINE.search(text[a:b]):
            yield (original, a, b, settled, text.count("\n", 0, a) + 1)


class Tree:
    """A copy of the tree, built."""

    def __init__(self, source):
        self.dir = tempfile.mkdtemp(prefix="deletion-")
        files = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=source,
            capture_output=True, text=True, check=True).stdout.split("\n")
        for f in files:
            if f and os.path.exists(os.path.join(source, f)):
                to = os.path.join(self.dir, f)
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy2(os.path.join(source, f), to)
        # What is built already, and what the fuzz targets have collected.
        for have, to in (("build/asan", "build/asan"),
                         ("build/fuzz/corpus", "corpus")):
            have = os.path.join(source, have)
            if os.path.isdir(have):
                shutil.copytree(have, os.path.join(self.dir, to))

    def make(self, kind, tests):
        return subprocess.run(
            ["make", "-j2", "BUILD=build/" + kind] + BUILDS[kind] +
            ["build/%s/tests/%s" % (kind, t) for t in tests],
            cwd=self.dir, capture_output=True, text=True)

    def passes(self, kind, test):
        program = os.path.join(self.dir, "build", kind, "tests", test)
        if test.startswith("fuzz/"):
            corpus = os.path.join(self.dir, "corpus", os.path.basename(test))
            os.makedirs(corpus, exist_ok=True)
            args = [program, "-max_total_time=5", "-verbosity=0",
                    "-artifact_prefix=" + self.dir + "/", corpus]
        else:
            args = [program, "--quiet", "--jobs", "2", "--timeout", "60"]
        env = dict(os.environ, ASAN_OPTIONS="abort_on_error=1")
        try:
            return subprocess.run(args, cwd=self.dir, env=env, timeout=120,
                                  capture_output=True).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def notices(self, runs):
        """Which of @runs fails, or None."""
        for kind, t in runs:
            if self.make(kind, [t]).returncode:
                return "the compiler"
            if not self.passes(kind, t):
                return os.path.basename(t) + \
                    (", sanitized" if kind == "asan" and "unit" in t else "")
        return None

    def close(self):
        shutil.rmtree(self.dir)


def runs_about(path, builds):
    tests = next(tests for pattern, tests in ABOUT if re.match(pattern, path))
    return [(kind, t) for kind in BUILDS if kind in builds.split()
            for t in tests if kind == "asan" or t.startswith("unit/")]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--list", action="store_true")
    p.add_argument("--builds", default="plain asan", help="which to try")
    p.add_argument("--only", default="", help="regex of FILE:LINE: CHECK")
    p.add_argument("--skip", type=int, default=0)
    p.add_argument("--until", type=float, default=0, help="a time(2)")
    p.add_argument("file", nargs="*")
    args = p.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    files = args.file or [
        f for f in subprocess.run(["git", "ls-files"], capture_output=True,
                                  text=True, check=True).stdout.split("\n")
        if re.match(FILES, f)]
    todo = []
    for f in files:
        for original, a, b, settled, line in checks_of(f):
            name = " ".join(original[a:b].split())
            if re.search(args.only, "%s:%d: %s" % (f, line, name)):
                todo.append((f, original, a, b, settled, line, name))
    todo = todo[args.skip:]
    if args.list:
        for f, _, _, _, _, line, name in todo:
            print("%s:%d: %s" % (f, line, name))
        print(len(todo), "checks")
        return 0
    tree = Tree(".")
    noticed = survived = 0
    every = sorted({r for f, *_ in todo
                    for r in runs_about(f, args.builds)})
    for kind, t in every:
        made = tree.make(kind, [t])
        if made.returncode:
            sys.exit(made.stdout + made.stderr)
        if not tree.passes(kind, t):
            sys.exit("fails by itself: " + t)
    for f, original, a, b, settled, line, name in todo:
        if args.until and time.time() > args.until:
            break
        with open(os.path.join(tree.dir, f), "w") as out:
            out.write("%s((%s) %s)%s" %
                      (original[:a], original[a:b], settled, original[b:]))
        who = tree.notices(runs_about(f, args.builds))
        print("%-40s %-44s %s" % ("%s:%d" % (f, line), name[:44],
                                  who or "NOBODY"), flush=True)
        with open(os.path.join(tree.dir, f), "w") as out:
            out.write(original)
        noticed, survived = noticed + bool(who), survived + (not who)
    tree.close()
    print("%d checks deleted, %d noticed, %d not" %
          (noticed + survived, noticed, survived))
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
