#!/usr/bin/env python3
"""Scripts: Python files compile without a warning and pass pyflakes, shell scripts pass shellcheck."""
from gate import Gate, Proofs

COMPILE = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"


def language_of(path, text):
    first = text.split("\n", 1)[0]
    if path.endswith(".py") or first.startswith("#!") and "python3" in first:
        return "python"
    if path.endswith(".sh") or first.startswith("#!") and first.endswith("sh"):
        return "shell"
    return None


def main():
    gate = Gate("scripts", __doc__)
    jobs = []
    for path in gate.files():
        raw = (gate.root / path).read_bytes()
        if not path.endswith((".py", ".sh")) and not raw.startswith(b"#!"):
            continue
        text = raw.decode("utf-8", "replace")
        language = language_of(path, text)
        if language == "python":
            jobs.append((path, ["/usr/bin/python3", "-W", "error", "-c", COMPILE, path], text))
            jobs.append((path, ["pyflakes3", path], text))
        elif language == "shell":
            jobs.append((path, ["shellcheck", path], text))
        else:
            gate.breach(path, 1, f"begins with {text.splitlines()[0]}: expected bash or python3")
    Proofs(gate).run_all(jobs)
    gate.finish()


if __name__ == "__main__":
    main()
